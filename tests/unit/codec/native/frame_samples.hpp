#pragma once

// Every form of every frame once, as bytes.

#include <cstddef>
#include <string>
#include <vector>

#include "codec/native/frame.hpp"

namespace ringpost::native {

using Bytes = std::vector<std::byte>;

/// Text of hexadecimal digits; spaces are ignored.
inline Bytes from_hex(const std::string& text) {
    Bytes out;
    int high = -1;
    for (const char c : text) {
        if (c == ' ') continue;
        const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
        if (high >= 0) out.push_back(static_cast<std::byte>(high * 16 + digit));
        high = high >= 0 ? -1 : digit;
    }
    return out;
}

struct FrameSample {
    const char* name;
    const char* hex;
    bool extends = false;  ///< followed by more bytes of zero it is a longer frame, not one and another
};

inline constexpr FrameSample frame_samples[] = {
    {"PAD", "00", true},
    {"PADs", "00 00 00", true},
    {"PING", "01"},
    {"IMMEDIATE_ACK", "02"},
    {"ACK of one range", "03 04030201 0700 01 05"},
    {"ACK of three ranges", "03 ff000000 ffff 03 01 02 03 04 fcfc00"},
    {"ACK with ECN", "04 10000000 0000 01 01 00 fb fd00000100"},
    {"WINDOW", "05 07 00"},
    {"WINDOW of the connection", "05 ff fe0000000001000000"},
    {"BLOCKED", "06 00 fcffff"},
    {"PATH_CHALLENGE", "07 0102030405060708"},
    {"PATH_RESPONSE", "08 0807060504030201"},
    {"NEW_ID", "09 01 020304050607 000102030405060708090a0b0c0d0e0f"},
    {"RETIRE_ID", "0a 01 020304050607"},
    {"CHANNEL", "0b 03 00 07 01 fd00001000 04 6e616d65"},
    {"CHANNEL without a name", "0b 00 03 00 ff 00 00"},
    {"SKIP", "0c 01 04030201 fcfc00"},
    {"ACK_RATE", "0d 09 4000 a86100 0100"},
    {"CLOSE", "0e 0100 01 02 00 05000000 07 ffffffff 03 627965"},
    {"CLOSE of nothing", "0e ffff 00 00 00"},
    {"CLOSED", "0f 0000 01"},
    {"CLOSED with losses", "0f 0100 00"},
    {"reserved", "10 00"},
    {"reserved with content", "3e 03 010203"},
    {"MESSAGES", "40 01 04030201 03 01 61 00 02 6262"},
    {"MESSAGES of equal length", "40 01 00000000 02 02 6161 02 6262"},
    {"MESSAGES of length zero", "40 00 00000000 03 00 00 00"},
    {"MESSAGES in short form", "41 01 04030201 02 02 6161 6262"},
    {"MESSAGES in short form of length zero", "41 01 04030201 ff 00"},
    {"MESSAGES once", "42 01 00000000 01 01 61"},
    {"MESSAGES in short form once", "43 01 00000000 01 01 61"},
    {"FRAGMENT", "48 00 01000000 00010000 80000000 0300 616263"},
    {"FRAGMENT of all", "48 00 01000000 03000000 00000000 0300 616263"},
    {"FRAGMENT once", "49 00 01000000 03000000 02000000 0100 61"},
    {"LATEST", "50 02 fd00000100 05000000 04 64617461"},
    {"LATEST without content", "50 02 00 00000000 00"},
};

/// Encodes what was decoded.
inline Bytes encode_frame(const Frame& frame, bool one_length, std::size_t room = 70'000) {
    Bytes out(room);
    FrameWriter writer(out);
    struct Encoder {
        FrameWriter& writer;
        bool one_length;
        bool operator()(const PaddingFrame& f) { return writer.padding(f.bytes); }
        bool operator()(const PingFrame&) { return writer.ping(); }
        bool operator()(const ImmediateAckFrame&) { return writer.immediate_ack(); }
        bool operator()(const AckFrame& f) {
            recovery::PacketRange ranges[limits::native_ranges_sent_max];
            // Any number with this low half will do.
            const std::size_t count = ranges_of(f, f.largest + (std::uint64_t{1} << 40), ranges);
            return count == f.ranges && writer.ack(std::span(ranges, count), f.delay, f.has_ecn ? &f.ecn : nullptr) > 0;
        }
        bool operator()(const WindowFrame& f) { return writer.window(f.channel, f.limit); }
        bool operator()(const BlockedFrame& f) { return writer.blocked(f.channel, f.limit); }
        bool operator()(const PathChallengeFrame& f) { return writer.path_challenge(f.token); }
        bool operator()(const PathResponseFrame& f) { return writer.path_response(f.token); }
        bool operator()(const NewIdFrame& f) { return writer.new_id(f.id, f.token); }
        bool operator()(const RetireIdFrame& f) { return writer.retire_id(f.id); }
        bool operator()(const ChannelFrame& f) { return writer.channel(f); }
        bool operator()(const SkipFrame& f) { return writer.skip(f.channel, f.number, f.count); }
        bool operator()(const AckRateFrame& f) { return writer.ack_rate(f); }
        bool operator()(const CloseFrame& f) {
            std::vector<ChannelEnd> ends;
            for (std::size_t i = 0; i < f.channels; ++i) ends.push_back(channel_end(f, i));
            return writer.close(f.code, f.graceful, ends, f.reason);
        }
        bool operator()(const ClosedFrame& f) { return writer.closed(f.code, f.delivered); }
        bool operator()(const ReservedFrame& f) { return writer.reserved(f.type, f.bytes); }
        bool operator()(const MessagesFrame& f) {
            std::byte body[70'000];
            std::byte* end = body;
            std::uint64_t length = 0;
            f.run.for_each([&](std::span<const std::byte> message) { length = message.size(); });
            if (one_length) end = write_integer(end, length);
            f.run.for_each([&](std::span<const std::byte> message) {
                if (!one_length) end = write_integer(end, message.size());
                for (const std::byte byte : message) *end++ = byte;
            });
            const auto bytes = static_cast<std::size_t>(end - body);
            const auto type = static_cast<FrameType>(0x40 + 2 * f.once + one_length);
            std::byte* at = writer.messages(type, f.channel, f.first, static_cast<std::uint8_t>(f.run.count), bytes);
            if (at != nullptr) std::memcpy(at, body, bytes);
            return at != nullptr;
        }
        bool operator()(const FragmentFrame& f) {
            std::byte* at = writer.fragment(f.once ? FrameType::fragment_once : FrameType::fragment, f.channel,
                                            f.number, f.total, f.offset, static_cast<std::uint16_t>(f.bytes.size()));
            if (at != nullptr) std::memcpy(at, f.bytes.data(), f.bytes.size());
            return at != nullptr;
        }
        bool operator()(const LatestFrame& f) { return writer.latest(f); }
    };
    const bool fits = std::visit(Encoder{writer, one_length}, frame);
    out.resize(fits ? writer.bytes() : 0);
    return out;
}

/// Whether a MESSAGES with this first byte has one length for all.
inline bool is_of_one_length(std::byte type) { return (type & std::byte{0xfd}) == std::byte{0x41}; }

}  // namespace ringpost::native
