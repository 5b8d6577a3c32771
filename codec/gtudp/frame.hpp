#pragma once

// The bytes of a gtUDP datagram: magic (0 to n bytes) | type (k bytes, k >= 1) | identity (4, big-endian) | data.
// Both ends must agree on the magic and on the three types, which have one length and differ.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
#include <optional>
#include <span>
#include <vector>

#include "codec/base/bytes.hpp"

namespace ringpost::gtudp {

enum class Kind : std::uint8_t {
    data,  ///< identity and the user's bytes, of which there may be none
    recv,  ///< identity: the data has arrived
    ack,   ///< identity: so has the RECV
};

/// Chosen by the sender of a DATA, echoed by everybody else, meaningless to them.
using Identity = std::uint32_t;

inline constexpr std::size_t identity_bytes = 4;

struct Frame {
    Kind kind = Kind::data;
    Identity identity = 0;
    std::span<const std::byte> data;  ///< of a DATA; a view into what was decoded
};

/// What both ends agree on. The default is the reference peer's.
struct Wire {
    std::vector<std::byte> magic;
    std::array<std::vector<std::byte>, 3> types{
        {{std::byte{0x1d}}, {std::byte{0x5f}}, {std::byte{0xae}}}};  ///< in the order of Kind
};

enum class WireError : std::uint8_t {
    type_empty,      ///< a type has no bytes
    type_lengths,    ///< the types differ in length
    types_equal,     ///< two types are the same
    header_too_long  ///< a datagram would hold nothing but the header
};

/// Encodes and decodes for one Wire.
class Codec {
  public:
    static std::expected<Codec, WireError> make(const Wire& wire);
    /// The default Wire's.
    Codec();

    /// Of every frame: magic, type and identity. A RECV or ACK is nothing else.
    std::size_t header_bytes() const { return prefix_bytes_ + identity_bytes; }
    /// Most user bytes in a DATA.
    std::size_t data_bytes_max() const;

    /// Nothing when the bytes are no gtUDP frame: too short, another magic or type, bytes behind a RECV's or ACK's
    /// identity.
    std::optional<Frame> decode(std::span<const std::byte> datagram) const {
        if (datagram.size() < header_bytes()) return std::nullopt;
        const std::optional<Kind> kind = kind_of(datagram.data());
        if (!kind) return std::nullopt;
        const Frame frame{*kind, load_be<Identity>(&datagram[prefix_bytes_]), datagram.subspan(header_bytes())};
        if (frame.kind != Kind::data && !frame.data.empty()) return std::nullopt;
        return frame;
    }

    /// Writes the header at `out`, which has room for header_bytes().
    void write_header(std::byte* out, Kind kind, Identity identity) const {
        const std::byte* prefix = prefixes_.data() + static_cast<std::size_t>(kind) * prefix_bytes_;
        if (prefix_bytes_ == 1)
            *out = *prefix;
        else
            std::memcpy(out, prefix, prefix_bytes_);
        store_be(out + prefix_bytes_, identity);
    }

  private:
    explicit Codec(const Wire& wire);

    std::optional<Kind> kind_of(const std::byte* at) const {
        for (std::size_t kind = 0; kind < 3; ++kind) {
            const std::byte* prefix = prefixes_.data() + kind * prefix_bytes_;
            if (prefix_bytes_ == 1 ? *at == *prefix : std::memcmp(at, prefix, prefix_bytes_) == 0)
                return static_cast<Kind>(kind);
        }
        return std::nullopt;
    }

    std::vector<std::byte> prefixes_;  ///< magic and type of each Kind, one after the other
    std::size_t prefix_bytes_ = 0;
};

/// The identity that the reference peer gives its datagram number `counter`: (Adler-32 of the data + counter) mod 2^32.
/// Two different payloads can share one, in flight together (`ab`, then `` b` `` with the next counter), and the
/// reference's receiver then drops the second. An Endpoint here counts instead (endpoint.hpp).
Identity reference_identity(std::span<const std::byte> data, std::uint32_t counter);

}  // namespace ringpost::gtudp
