#pragma once

#include <bit>
#include <cstdint>

#include "codec/base/limits.hpp"

namespace ringpost {

/// Identifies a request in its 64-bit user_data.
struct UringTag {
    enum class Kind : std::uint8_t {
        send,
        multishot,
        cancel,
        wake,
        watch,
        // of UringStreams:
        accept,
        connect,
        stream_receive,
        stream_send,
        stream_cancel,
    };
    Kind kind = Kind::wake;
    bool retry = false;       ///< send: without MSG_DONTWAIT; all other sends wait for it
    bool multishot = false;   ///< accept, stream_receive: a multishot request
    std::uint8_t buffer = 0;  ///< send: MessageId::buffer
    std::uint32_t index = 0;  ///< send: first segment; multishot, cancel: socket; accept: listener; streams: slot

    std::uint64_t pack() const { return std::bit_cast<std::uint64_t>(*this); }
    static UringTag unpack(std::uint64_t data) { return std::bit_cast<UringTag>(data); }
};
static_assert(sizeof(UringTag) == sizeof(std::uint64_t));
static_assert(limits::transmit_buffers_max <= 256, "UringTag::buffer has 8 bits");

}  // namespace ringpost
