#pragma once

// The gtUDP wire format: magic (0 to n bytes) | type (k bytes, k >= 1) | identity (4 bytes, big-endian) | data. Both
// ends must use the same magic and the same three types, which have equal length and are distinct.
//
// If both ends are checked (Wire::checked), the data of a DATA ends with a checksum, the CRC-32C (big-endian) of the
// whole datagram before it. To other programs it is a part of the message.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/gtudp/types.hpp>
#include "codec/base/bytes.hpp"

namespace ringpost::gtudp {

enum class Kind : std::uint8_t {
    data,  ///< identity and user data, possibly empty
    recv,  ///< identity: the DATA was received
    ack,   ///< identity: the RECV was received
};

inline constexpr std::size_t identity_bytes = 4;
inline constexpr std::size_t checksum_bytes = 4;

struct Frame {
    Kind kind = Kind::data;
    Identity identity = 0;
    std::span<const std::byte> data;  ///< DATA only, without checksum; a view of the decoded datagram
    bool corrupt = false;             ///< DATA only: the checksum is missing or wrong
};

/// Encoder and decoder for one Wire.
class Codec {
  public:
    static std::expected<Codec, WireError> make(const Wire& wire);
    /// Uses the default Wire.
    Codec();

    /// Size of magic, type and identity. RECV and ACK frames consist of the header alone.
    std::size_t header_bytes() const { return prefix_bytes_ + identity_bytes; }
    /// Size of a DATA with this much user data.
    std::size_t data_frame_bytes(std::size_t data_bytes) const { return header_bytes() + data_bytes + trailer_bytes_; }
    /// Most user data in one DATA.
    std::size_t data_bytes_max() const;

    /// Returns nullopt if the datagram is not a gtUDP frame: too short, wrong magic or type, or a RECV or ACK with
    /// trailing bytes.
    std::optional<Frame> decode(std::span<const std::byte> datagram) const {
        if (datagram.size() < header_bytes()) return std::nullopt;
        const std::optional<Kind> kind = kind_of(datagram.data());
        if (!kind) return std::nullopt;
        Frame frame{*kind, load_be<Identity>(&datagram[prefix_bytes_]), datagram.subspan(header_bytes())};
        if (frame.kind != Kind::data && !frame.data.empty()) return std::nullopt;
        if (frame.kind == Kind::data && trailer_bytes_ > 0) verify(datagram, frame);
        return frame;
    }

    /// Writes a header to `out`, which must hold header_bytes().
    void write_header(std::byte* out, Kind kind, Identity identity) const {
        const auto index = static_cast<std::size_t>(kind);
        if (prefix_bytes_ == 1)
            *out = last_bytes_[index];
        else
            std::memcpy(out, &prefixes_[index * prefix_bytes_], prefix_bytes_);
        store_be(out + prefix_bytes_, identity);
    }

    /// Completes a DATA of data_frame_bytes() whose header and user data have been written: adds the checksum, if any.
    void write_trailer(std::span<std::byte> frame) const {
        if (trailer_bytes_ > 0) write_checksum(frame);
    }

  private:
    explicit Codec(const Wire& wire);

    void verify(std::span<const std::byte> datagram, Frame& frame) const;
    static void write_checksum(std::span<std::byte> frame);

    std::optional<Kind> kind_of(const std::byte* at) const {
        // The last byte is compared first: it is all there is to the default prefixes.
        for (std::size_t kind = 0; kind < 3; ++kind)
            if (at[prefix_bytes_ - 1] == last_bytes_[kind] &&
                (prefix_bytes_ == 1 || std::memcmp(at, &prefixes_[kind * prefix_bytes_], prefix_bytes_) == 0))
                return static_cast<Kind>(kind);
        return std::nullopt;
    }

    std::vector<std::byte> prefixes_;        ///< magic and type of each Kind, concatenated
    std::array<std::byte, 3> last_bytes_{};  ///< of each prefix
    std::size_t prefix_bytes_ = 0;
    std::size_t trailer_bytes_ = 0;
};

/// The identity that the reference implementation assigns to its datagram number `counter`: (Adler-32 of the data +
/// counter) mod 2^32. Two different payloads in flight can collide (`ab`, then `` b` `` with the next counter); the
/// reference receiver then drops the second. An Endpoint uses a plain counter instead (sender.cpp).
Identity reference_identity(std::span<const std::byte> data, std::uint32_t counter);

}  // namespace ringpost::gtudp
