#pragma once

// A reference decoder for struct messages, written directly from the format description, byte by byte.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/structs/frame.hpp>

namespace ringpost::structs::model {

struct Found {
    std::size_t offset = 0;
    std::optional<FrameError> error;
    MessageId id = 0;
    std::vector<std::byte> payload;
    bool operator==(const Found&) const = default;
};

inline std::byte xor_of(std::span<const std::byte> bytes) {
    std::byte out{};
    for (const std::byte byte : bytes) out ^= byte;
    return out;
}

inline std::vector<Found> scan(std::span<const std::byte> bytes) {
    std::vector<Found> out;
    const auto u16 = [&](std::size_t at) {
        return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[at]) |
                                          std::to_integer<unsigned>(bytes[at + 1]) << 8);
    };
    for (std::size_t at = 0; at + 1 < bytes.size();) {
        if (bytes[at] != std::byte{0xff} || bytes[at + 1] != std::byte{0xff}) {
            ++at;
            continue;
        }
        Found found{at, std::nullopt, 0, {}};
        const std::size_t left = bytes.size() - at;
        if (left < 7 || u16(at + 4) > left) {
            found.error = FrameError::past_end;
        } else if (u16(at + 4) < 7) {
            found.error = FrameError::size_small;
        } else {
            const auto payload = bytes.subspan(at + 7, u16(at + 4) - 7u);
            if (xor_of(payload) == bytes[at + 6]) {
                found.id = u16(at + 2);
                found.payload.assign(payload.begin(), payload.end());
            } else {
                found.error = FrameError::checksum;
            }
        }
        at += found.error ? 1 : 7 + found.payload.size();
        out.push_back(std::move(found));
    }
    return out;
}

}  // namespace ringpost::structs::model
