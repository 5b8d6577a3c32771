#pragma once

// The keys of a connection as they are replaced: by Noise's Rekey(), on both sides of both directions at once, marked
// by the key phase bit of each packet. As in RFC 9001, section 6, but with a limit on forgeries that is the
// connection's.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <ringpost/time.hpp>
#include "codec/crypto/aead.hpp"

namespace ringpost::native {

/// After how much of the use of a key the next one is used.
struct KeyUse {
    std::uint64_t packets_max = std::uint64_t{1} << 26;
    std::uint64_t bytes_max = std::uint64_t{64} << 30;
    Duration age_max = 120 * second;
};

/// Packets that did not open, from which on a connection must be closed: ChaCha20-Poly1305 allows as many attempts to
/// forge, AES-256-GCM more (RFC 9001, section 6.6). The limits on the use above are below its limit for AES-256-GCM
/// with packets of up to 2^12 bytes on average (appendix B.1).
inline constexpr std::uint64_t forgeries_max = std::uint64_t{1} << 36;

struct KeyPhaseCounters {
    std::uint64_t updates_started = 0;   ///< by us
    std::uint64_t updates_followed = 0;  ///< by the peer
    std::uint64_t forged = 0;            ///< packets that did not open
    std::uint64_t opened_late = 0;       ///< with the previous key
};

/// Seals and opens the packets of one connection. Construction allocates, and so do the first update and the first
/// packet of another phase: until then a connection has two expanded keys, then four. One thread.
///
/// An update is started by one side: its packets have the other phase from then on. The other side follows with the
/// first of them that opens. Neither starts the next one before a packet of the new phase from the peer has opened, and
/// the previous key is gone: so a phase bit never stands for two keys.
class KeyPhases {
  public:
    /// The keys of a handshake, which are of phase 0. `use` is for tests.
    KeyPhases(crypto::PacketKey send, crypto::PacketKey receive, Instant now, const KeyUse& use = {});

    [[nodiscard]] std::size_t tag_bytes() const { return send_.tag_bytes(); }
    /// See crypto::PacketKey::implementation().
    [[nodiscard]] std::string_view implementation() const { return send_.implementation(); }
    /// The phase of packets that are sealed now.
    [[nodiscard]] bool send_phase() const { return phase_; }

    /// Starts an update if the key was used enough and the peer has followed the last one. To be called before the
    /// headers of a train are written.
    void update_if_due(Instant now);

    /// Seals a packet whose header has send_phase(). Arguments as of crypto::PacketKey.
    void seal(std::span<std::byte> packet, std::size_t header_bytes, std::uint64_t number);

    /// Opens a packet, with the key that its phase and number ask for, and follows the peer's update. `kept` is how
    /// long the previous key stays after an update: three times the probe timeout. False: it did not open, and counts
    /// as a forgery. The content is unspecified then.
    [[nodiscard]] bool open(Instant now, std::span<std::byte> packet, std::size_t header_bytes, bool phase,
                            std::uint64_t number, Duration kept);

    /// Too many packets did not open: the connection must be closed, without a further packet being opened.
    [[nodiscard]] bool is_exhausted() const { return counters_.forged >= forgeries_max; }
    [[nodiscard]] const KeyPhaseCounters& counters() const { return counters_; }

  private:
    enum class Step : std::uint8_t {
        settled,   ///< both sides use the current keys; the previous key may still be there
        awaiting,  ///< we have started an update, the peer has not followed
    };

    crypto::PacketKey& next();
    void advance(Instant now);
    void forget_previous();
    [[nodiscard]] bool open_of_other_phase(Instant now, std::span<std::byte> packet, std::size_t header_bytes,
                                           std::uint64_t number, Duration kept);

    crypto::PacketKey send_, receive_;
    std::optional<crypto::PacketKey> previous_, next_;  ///< for receiving
    KeyUse use_;
    Step step_ = Step::settled;
    bool phase_ = false;  ///< of send_ and receive_
    bool has_previous_ = false, has_next_ = false;
    Instant started_at_;  ///< when send_ was first used
    Instant previous_until_ = 0;
    std::uint64_t phase_first_ = 0;          ///< the lowest number that receive_ has opened
    std::uint64_t packets_ = 0, bytes_ = 0;  ///< sealed with send_
    KeyPhaseCounters counters_;
};

}  // namespace ringpost::native
