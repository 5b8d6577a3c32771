// The format's original program discards what it has read behind a terminator. To a peer that may be this program, each
// write therefore carries one frame, and the next write follows after a gap that starts when the system has accepted
// the previous one. If the previous frame was a question, the peer's answer proves that it has been read and ends the
// gap at once. A ringpost peer has neither restriction.

#include "codec/devices/connection.hpp"

#include <algorithm>
#include <cstring>

namespace ringpost::devices {

void Connection::greet(std::string_view own_name) {
    const Frame frames[] = {{FrameKind::name, 0, own_name}, {FrameKind::ping, 0, {}}};
    for (const Frame& frame : frames) {
        const std::size_t bytes = frame_bytes(frame);
        out.commit(encode_frame(frame, out.reserve(bytes)));
    }
    greeting_bytes = out.size();
}

Sent Connection::push(const Frame& frame, std::size_t queue_bytes_max) {
    const std::size_t bytes = frame_bytes(frame);
    if (bytes > (is_ringpost ? limits::devices_frame_bytes_max : limits::devices_compatible_frame_bytes_max))
        return Sent::too_large;
    if (out.size() + bytes > queue_bytes_max) {
        was_full = true;
        return Sent::queue_full;
    }
    out.commit(encode_frame(frame, out.reserve(bytes)));
    return Sent::queued;
}

void Connection::push_word(FrameKind kind) {
    const Frame frame{kind, 0, {}};
    out.commit(encode_frame(frame, out.reserve(frame_bytes(frame))));
}

std::size_t Connection::write(std::span<std::byte> to) {
    std::size_t bytes = std::min(out.size(), to.size());
    last_question_key.reset();
    if (!greeting_written) {
        bytes = greeting_bytes;
    } else if (!is_ringpost) {
        const std::string_view frame = out.text().substr(0, out.text().find(terminator));
        const auto decoded = decode_frame(frame);
        if (decoded && decoded->kind == FrameKind::question) last_question_key = decoded->key;
        bytes = frame.size() + terminator.size();
    }
    std::memcpy(to.data(), out.bytes().data(), bytes);
    out.pop(bytes);
    greeting_written = true;
    writing = true;
    read_confirmed = false;
    return bytes;
}

void Connection::on_written(Instant now, Duration compatible_gap) {
    writing = false;
    gap_ends_at = read_confirmed ? now : now + compatible_gap;
}

bool Connection::on_answered(std::uint64_t key) {
    if (is_ringpost || last_question_key != key) return false;
    last_question_key.reset();
    read_confirmed = true;
    gap_ends_at = std::min(gap_ends_at, opened_at);
    return true;
}

std::size_t Connection::queued_frames() const {
    std::size_t count = 0;
    const std::string_view text = out.text();
    for (std::size_t at = text.find(terminator); at != std::string_view::npos;
         at = text.find(terminator, at + terminator.size()))
        ++count;
    return count;
}

Instant Connection::due_at() const {
    const bool waits_for_gap =
        established && !is_ringpost && greeting_written && !writing && !active && !out.empty() && state != State::ended;
    return waits_for_gap ? std::min(deadline, gap_ends_at) : deadline;
}

}  // namespace ringpost::devices
