// To a peer that may be the format's first program, a frame leaves alone, and the next one not before the gap is over,
// which begins when the system has taken it: that program drops what it reads behind a terminator. Its answer to the
// question that left last proves that this has been read, and ends the gap at once. A peer of ours has neither limit.

#include "codec/devices/connection.hpp"

#include <algorithm>
#include <cstring>

namespace ringpost::devices {

void Connection::greet(std::string_view own_name) {
    const Frame frames[] = {{FrameKind::name, 0, own_name}, {FrameKind::ping, 0, {}}};
    for (const Frame& frame : frames) {
        const std::size_t bytes = frame_bytes(frame);
        out.grow(encode_frame(frame, out.room(bytes)));
    }
    greeting_bytes = out.size();
}

Sent Connection::push(const Frame& frame, std::size_t queue_bytes_max) {
    const std::size_t bytes = frame_bytes(frame);
    if (bytes > (ours ? limits::devices_frame_bytes_max : limits::devices_compatible_frame_bytes_max))
        return Sent::too_large;
    if (out.size() + bytes > queue_bytes_max) {
        was_full = true;
        return Sent::queue_full;
    }
    out.grow(encode_frame(frame, out.room(bytes)));
    return Sent::queued;
}

void Connection::push_word(FrameKind kind) {
    const Frame frame{kind, 0, {}};
    out.grow(encode_frame(frame, out.room(frame_bytes(frame))));
}

std::size_t Connection::write(std::span<std::byte> to) {
    std::size_t bytes = std::min(out.size(), to.size());
    asked_last.reset();
    if (!greeted) {
        bytes = greeting_bytes;
    } else if (!ours) {
        const std::string_view frame = out.text().substr(0, out.text().find(terminator));
        const auto decoded = decode_frame(frame);
        if (decoded && decoded->kind == FrameKind::question) asked_last = decoded->key;
        bytes = frame.size() + terminator.size();
    }
    std::memcpy(to.data(), out.bytes().data(), bytes);
    out.pop(bytes);
    greeted = true;
    writing = true;
    read_through = false;
    return bytes;
}

void Connection::on_written(Instant now, Duration compatible_gap) {
    writing = false;
    gap_ends_at = read_through ? now : now + compatible_gap;
}

bool Connection::on_answered(std::uint64_t key) {
    if (ours || asked_last != key) return false;
    asked_last.reset();
    read_through = true;
    gap_ends_at = std::min(gap_ends_at, opened_at);
    return true;
}

std::size_t Connection::waiting_frames() const {
    std::size_t count = 0;
    const std::string_view text = out.text();
    for (std::size_t at = text.find(terminator); at != std::string_view::npos;
         at = text.find(terminator, at + terminator.size()))
        ++count;
    return count;
}

Instant Connection::due_at() const {
    const bool waits_for_gap =
        stands && !ours && greeted && !writing && !active && !out.empty() && state != State::ended;
    return waits_for_gap ? std::min(deadline, gap_ends_at) : deadline;
}

}  // namespace ringpost::devices
