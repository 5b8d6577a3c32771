#pragma once

#include <bit>
#include <cstdint>

namespace ringpost {

/// What a completion belongs to, in the 64 bits that io_uring carries along.
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
    bool retry = false;   // send: without MSG_DONTWAIT, everything else waits for it
    std::uint16_t a = 0;  // send: buffer; accept, stream_receive: 1 if multishot
    std::uint32_t b = 0;  // send: first segment; multishot, cancel: socket; accept: listener; streams: connection

    std::uint64_t pack() const { return std::bit_cast<std::uint64_t>(*this); }
    static UringTag unpack(std::uint64_t data) { return std::bit_cast<UringTag>(data); }
};

}  // namespace ringpost
