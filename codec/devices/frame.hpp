#pragma once

// The TCP format of named devices: UTF-8 text frames, each terminated by `/EOL`, with fields separated by `:,:`.
//
//     NAME                        the first frame each way, and only the first
//     MeSsAgE:,:TEXT
//     QuEsTiOn:,:KEY:,:TEXT       KEY is decimal, without sign or leading zeros, and fits in 64 bits
//     AnSwEr:,:KEY:,:TEXT
//     PiNg                        your adverts are not received: rejoin the multicast group
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
    std::string_view text;  ///< name, message, question, answer; when decoded: a view of the input
    bool operator==(const Frame&) const = default;
};

enum class FrameError : std::uint8_t {
    tag,       ///< unknown tag
    key,       ///< missing key, or not in its canonical form
    text,      ///< contains a separator or the terminator
    not_utf8,  ///< not valid UTF-8 (is_utf8)
    name,      ///< the first frame is not a valid name
};

/// Whether `text` is valid UTF-8 and contains neither separator nor terminator.
bool can_carry(std::string_view text);

/// Decode the bytes before a terminator: the first frame of a peer, and all others.
std::expected<Frame, FrameError> decode_name(std::string_view text);
std::expected<Frame, FrameError> decode_frame(std::string_view text);

/// Encoded length, including the terminator.
std::size_t frame_bytes(const Frame& frame);

/// Writes the frame and its terminator to the front of `out`, which must hold frame_bytes(). Returns its length. The
/// text must pass can_carry(), a name must pass check_name().
std::size_t encode_frame(const Frame& frame, std::span<std::byte> out);

/// Splits a byte stream, received in arbitrary pieces, into frames. Each byte is copied once and searched once.
class Splitter {
  public:
    void append(std::span<const std::byte> bytes) { queue_.append(bytes); }

    /// The next frame without its terminator, or nullopt if it is not complete. Returns the same frame until pop().
    /// Valid until the next append().
    std::optional<std::string_view> front() {
        if (front_bytes_ == none && !find()) return std::nullopt;
        return queue_.text().substr(0, front_bytes_);
    }
    /// Removes the frame returned by front().
    void pop() {
        queue_.pop(front_bytes_ + terminator.size());
        front_bytes_ = none;
    }

    /// Bytes not popped. If front() is empty, the size of a partial frame.
    std::size_t unread_bytes() const { return queue_.size(); }
    /// Whether the buffered bytes end with a complete frame.
    bool whole() const { return queue_.empty() || queue_.text().ends_with(terminator); }
    /// Frees the memory if nothing is unread.
    void free_if_empty() { queue_.free_if_empty(); }

  private:
    static constexpr std::size_t none = SIZE_MAX;

    bool find();

    ByteQueue queue_;
    std::size_t front_bytes_ = none;
    std::size_t searched_ = 0;  ///< no terminator starts before this position
};

}  // namespace ringpost::devices
