#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <ringpost/native/integer.hpp>

namespace ringpost::native {

/// Consecutive messages of one channel, as they lie in a packet: each with its length in front, or all of one length.
/// A view; what returns one states how long it is valid.
struct Run {
    const std::byte* at = nullptr;
    std::uint32_t bytes = 0;   ///< of all, with lengths
    std::uint32_t count = 0;   ///< messages
    std::uint32_t stride = 0;  ///< from one message to the next where all have one length; 0: they differ
    std::uint32_t prefix = 0;  ///< bytes in front of each message where all have one length

    /// Bytes of the messages alone.
    std::uint64_t payload_bytes() const {
        if (stride > 0 || bytes == 0) return std::uint64_t{count} * (stride - prefix);
        std::uint64_t total = 0;
        for_each([&](std::span<const std::byte> message) { total += message.size(); });
        return total;
    }

    /// Calls use(std::span<const std::byte>) for each message in order.
    template <class Use>
    void for_each(Use&& use) const {
        const std::byte* from = at;
        if (stride > 0 || bytes == 0) {
            for (std::uint32_t i = 0; i < count; ++i, from += stride) use(std::span(from + prefix, stride - prefix));
            return;
        }
        for (std::uint32_t i = 0; i < count; ++i) {
            std::uint64_t length = 0;
            from += read_integer(from, integer_bytes_from(*from), length);
            use(std::span(from, length));
            from += length;
        }
    }

    /// The first message. There must be one.
    std::span<const std::byte> front() const {
        if (stride > 0 || bytes == 0) return {at + prefix, stride - prefix};
        std::uint64_t length = 0;
        const std::size_t prefix_bytes = read_integer(at, integer_bytes_from(*at), length);
        return {at + prefix_bytes, length};
    }

    /// The first `messages`, of which there must be at least so many.
    Run first(std::uint32_t messages) const {
        Run out = *this;
        if (messages < count) out.bytes -= without_first(messages).bytes;
        out.count = messages;
        return out;
    }

    /// Without the first `messages`, which must be fewer than all.
    Run without_first(std::uint32_t messages) const {
        Run rest = *this;
        rest.count -= messages;
        if (stride > 0 || bytes == 0) {
            rest.at += std::size_t{stride} * messages;
        } else {
            for (std::uint32_t i = 0; i < messages; ++i) {
                std::uint64_t length = 0;
                const std::size_t prefix_bytes = read_integer(rest.at, integer_bytes_from(*rest.at), length);
                rest.at += prefix_bytes + length;
            }
        }
        rest.bytes -= static_cast<std::uint32_t>(rest.at - at);
        return rest;
    }
};

}  // namespace ringpost::native
