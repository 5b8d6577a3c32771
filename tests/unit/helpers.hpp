#pragma once

// Bytes for tests: from text, from hex, from a seed; and the buffer that a driver passes to poll_transmit.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ringpost/datagram.hpp>
#include <ringpost/time.hpp>
#include "codec/base/limits.hpp"

namespace ringpost {

using Bytes = std::vector<std::byte>;
using Random = std::mt19937_64;  // its numbers are specified by the standard; those of the distributions are not

inline Bytes bytes_of(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

inline Bytes bytes_from_hex(const std::string& hex) {
    Bytes out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        out.push_back(static_cast<std::byte>(std::stoul(hex.substr(i, 2), nullptr, 16)));
    return out;
}

inline Bytes random_bytes(Random& random, std::size_t count) {
    Bytes out(count);
    for (std::byte& byte : out) byte = static_cast<std::byte>(random());
    return out;
}

/// The bytes of one Transmit in the driver's buffer.
struct Sent {
    Transmit transmit;
    Bytes bytes;

    std::vector<Bytes> datagrams() const {
        std::vector<Bytes> out;
        const std::size_t count = segment_count(transmit.bytes, transmit.segment_bytes);
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t from = i * transmit.segment_bytes;
            const std::size_t until = std::min(from + transmit.segment_bytes, bytes.size());
            out.emplace_back(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                             bytes.begin() + static_cast<std::ptrdiff_t>(until));
        }
        return out;
    }
};

/// Calls poll_transmit like an engine, with a buffer that keeps its contents.
class Outbox {
  public:
    template <class Endpoint>
    std::optional<Sent> poll(Endpoint& endpoint, Instant now) {
        const auto transmit = endpoint.poll_transmit(now, buffer_);
        if (!transmit) return std::nullopt;
        return Sent{*transmit, {buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(transmit->bytes)}};
    }

    template <class Endpoint>
    std::vector<Sent> drain(Endpoint& endpoint, Instant now) {
        std::vector<Sent> out;
        while (auto sent = poll(endpoint, now)) out.push_back(std::move(*sent));
        return out;
    }

  private:
    Bytes buffer_ = Bytes(limits::datagram_bytes_max);
};

}  // namespace ringpost
