#pragma once

// What devices say over TCP: UTF-8 text frames, each ended by `/EOL`, their fields separated by `:,:`.
//
//     NAME                        the first frame each way, and only the first
//     MeSsAgE:,:TEXT
//     QuEsTiOn:,:KEY:,:TEXT       KEY is decimal, without sign or leading zeros, and fits in 64 bits
//     AnSwEr:,:KEY:,:TEXT
//     PiNg                        your adverts are no longer heard: rejoin the multicast group
//     quitQUITquit                going away

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>

#include "codec/devices/advert.hpp"
#include "codec/devices/byte_queue.hpp"

namespace ringpost::devices {

inline constexpr std::string_view ping_word = "PiNg", quit_word = "quitQUITquit";

enum class FrameKind : std::uint8_t { name, message, question, answer, ping, quit };

struct Frame {
    FrameKind kind = FrameKind::message;
    std::uint64_t key = 0;  ///< question, answer
    std::string_view text;  ///< name, message, question, answer; decoded: a view of the bytes given
    bool operator==(const Frame&) const = default;
};

enum class FrameError : std::uint8_t {
    tag,       ///< begins like no frame
    key,       ///< no key, or one written in another way than the one
    text,      ///< contains a separator or the terminator
    not_utf8,  ///< see is_utf8
    name,      ///< the first frame is no name
};

/// Whether `text` is UTF-8 and contains neither separator nor terminator.
bool can_carry(std::string_view text);

/// Takes apart what stood before a terminator: the first frame of a peer, and every other.
std::expected<Frame, FrameError> decode_name(std::string_view text);
std::expected<Frame, FrameError> decode_frame(std::string_view text);

/// Length of the frame, its terminator included.
std::size_t frame_bytes(const Frame& frame);

/// Writes the frame and its terminator at the front of `out`, which has room for frame_bytes(), and returns its length.
/// can_carry() its text, and a name has passed check_name().
std::size_t encode_frame(const Frame& frame, std::span<std::byte> out);

/// Cuts a stream of bytes, which come cut anywhere, into frames. Each byte is copied once and searched once.
class Splitter {
  public:
    void append(std::span<const std::byte> bytes) { queue_.append(bytes); }

    /// What stands before the next terminator, or nothing while it has not come; the same again until pop(). Valid
    /// until the next append().
    std::optional<std::string_view> front() {
        if (front_bytes_ == none && !find()) return std::nullopt;
        return queue_.text().substr(0, front_bytes_);
    }
    /// Forgets the frame that front() has returned.
    void pop() {
        queue_.pop(front_bytes_ + terminator.size());
        front_bytes_ = none;
    }

    /// Bytes not popped; with no front(), those of a frame of which only a part has come.
    std::size_t unread_bytes() const { return queue_.size(); }
    /// Nothing is left of a frame whose end has not come.
    bool whole() const { return queue_.empty() || queue_.text().ends_with(terminator); }
    /// Gives memory back when there is nothing unread.
    void rest() { queue_.rest(); }

  private:
    static constexpr std::size_t none = SIZE_MAX;

    bool find();

    ByteQueue queue_;
    std::size_t front_bytes_ = none;
    std::size_t searched_ = 0;  ///< no terminator begins before it
};

}  // namespace ringpost::devices
