#pragma once

// The client's half of the handshake: sends an Init until the server's Response arrives or the time is up.

#include <cstdint>
#include <optional>
#include <span>

#include <ringpost/native/statistics.hpp>
#include <ringpost/time.hpp>
#include "codec/crypto/noise.hpp"
#include "codec/crypto/random.hpp"
#include "codec/native/established.hpp"
#include "codec/native/payload.hpp"
#include "codec/native/secrets.hpp"

namespace ringpost::native {

struct InitiatorOptions {
    crypto::Pattern pattern = crypto::Pattern::nk;
    crypto::Suite suite = crypto::Suite::aes256_gcm;
    crypto::NoiseKeys keys;
    Parameters parameters;     ///< ours; without a fault
    Id local;                  ///< of packets to us; of no other connection of this socket
    ResetToken reset_token{};  ///< of `local`
    /// Wall clock, in milliseconds. Of IK and IKpsk2, the server refuses one that is behind the client's newest by
    /// limits::native_clock_slack_ms.
    std::uint64_t clock_ms = 0;
    Duration timeout = limits::native_handshake_timeout;
};

/// One handshake. Construction allocates, and so does take(); the other calls do not. One thread.
class Initiator {
  public:
    enum class State : std::uint8_t { waiting, established, failed };
    enum class Failure : std::uint8_t {
        none,
        timed_out,          ///< no answer that counts: not reachable, other keys, another pattern or suite, not allowed
        no_common_version,  ///< the server answered in no other way than with versions that this program lacks
        bad_parameters,     ///< the server's cannot be read
        weak_key,           ///< the server's public key is none
    };

    Initiator(const InitiatorOptions& options, crypto::RandomStream& random, Instant now);
    Initiator(const Initiator&) = delete;
    Initiator& operator=(const Initiator&) = delete;

    /// Takes a datagram that came to our socket from the server's address. Returns whether it was accepted.
    bool handle(Instant now, std::span<const std::byte> datagram);

    /// When transmit() or expire() has something to do; `never` once the handshake is over.
    [[nodiscard]] Instant expires_at() const;

    /// Writes the Init to `out`, which must hold init_bytes, and returns its size if it is due; else 0. The interval
    /// doubles from one Init to the next, from native_init_interval_min to native_init_interval_max.
    std::size_t transmit(Instant now, std::span<std::byte> out);

    /// Fails the handshake if its time is up.
    void expire(Instant now);

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] Failure failure() const { return failure_; }
    [[nodiscard]] const InitiatorCounters& counters() const { return counters_; }

    /// The result; once, when established. The first packet that is sent with it confirms our keys and our address to
    /// the server, which sends nothing before: one must be sent at once.
    Established take();

  private:
    /// Whether a Cookie has made an Init due, and whether that was sent, since the timer last made one due.
    enum class Hurry : std::uint8_t { none, due, sent };

    void write_message(const InitiatorOptions& options, crypto::RandomStream& random);
    bool is_ours(const LongHeader& header, const Id& destination);
    bool on(Instant now, std::span<const std::byte> datagram, const ResponsePacket& packet);
    bool on(Instant now, std::span<const std::byte> datagram, const CookiePacket& packet);
    bool on(Instant now, std::span<const std::byte> datagram, const VersionsPacket& packet);

    crypto::NoiseHandshake noise_;
    InitPacket packet_;  ///< its Noise message is in message_
    MacKey mac_key_;
    std::array<std::byte, init_noise_bytes_max> message_{};
    Id remote_;
    SecondPayload answer_;
    crypto::Key server_key_{};
    Instant deadline_ = 0, due_ = 0;
    Duration interval_ = limits::native_init_interval_min;
    State state_ = State::waiting;
    Failure failure_ = Failure::none;
    Hurry hurry_ = Hurry::none;
    Instant sent_at_ = 0;  ///< the last Init
    Duration rtt_ = 0;
    InitiatorCounters counters_;
};

}  // namespace ringpost::native
