#pragma once

// The server's half of all its handshakes: answers Inits, and finds out which of those that it has answered are real.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>

#include <ringpost/address.hpp>
#include <ringpost/native/statistics.hpp>
#include <ringpost/time.hpp>
#include "codec/base/lru_table.hpp"
#include "codec/crypto/keys.hpp"
#include "codec/crypto/noise.hpp"
#include "codec/crypto/random.hpp"
#include "codec/native/established.hpp"
#include "codec/native/payload.hpp"
#include "codec/native/secrets.hpp"
#include "codec/native/sessions.hpp"

namespace ringpost::native {

/// A set of patterns or suites.
template <class Enum>
class Choices {
  public:
    Choices() = default;
    Choices(std::initializer_list<Enum> all) {
        for (const Enum each : all) bits_ |= bit(static_cast<std::uint8_t>(each));
    }
    /// Any number from the wire may be asked for.
    [[nodiscard]] bool has(std::uint8_t number) const { return (bits_ & bit(number)) != 0; }

  private:
    static std::uint64_t bit(std::uint8_t number) {
        // The insecure suite is 255.
        return number < 63 ? std::uint64_t{1} << number : number == 255 ? std::uint64_t{1} << 63 : 0;
    }
    std::uint64_t bits_ = 0;
};

struct ResponderOptions {
    Choices<crypto::Pattern> patterns;
    Choices<crypto::Suite> suites;
    crypto::KeyPair pair;     ///< of all patterns but NNpsk0
    crypto::SecretKey psk{};  ///< of NNpsk0 and IKpsk2
    Parameters parameters;
    std::uint8_t shard = 0;                                      ///< of all ids that are issued
    crypto::SecretKey reset_secret{};                            ///< of the tokens of these ids
    std::uint32_t half_open_max = limits::native_half_open_max;  ///< a power of two
    std::uint32_t clocks_max = limits::native_clocks_max;        ///< a power of two
    std::uint32_t sessions_max = 0;
    std::uint32_t handshakes_per_second = limits::native_handshakes_per_second_default;
};

/// What is the same in a repeated Init. Only a Responder uses this struct and the next two.
struct HandshakeAttempt {
    Address source;
    crypto::Key ephemeral;
};

/// An answered Init whose client has not proved itself.
struct HalfOpen {
    HandshakeAttempt attempt{};
    crypto::SecretKey send{}, receive{};
    Id remote;
    std::uint8_t pattern = 0, suite = 0;
    crypto::Key peer_key{};
    KeyId key_id{};
    crypto::Digest handshake_hash{};
    std::uint64_t clock_ms = 0;
    ResetToken reset_token{};
    Parameters parameters;
    Instant touched_at = 0;
    bool repeated = false;
    std::array<std::byte, response_bytes_max> response{};
    std::size_t response_bytes = 0;
};

/// Of a client's confirmed connections, the Init with the newest clock.
struct NewestInit {
    std::uint64_t clock_ms = 0;
    crypto::Key ephemeral{};
};

/// Construction allocates, and so does a confirm() that succeeds; nothing else does. One thread.
class Responder {
  public:
    /// `random` must outlive it; its secrets for cookies and tables are drawn from it as well. `allow` may be null:
    /// then every client of IK and IKpsk2 is allowed.
    Responder(const ResponderOptions& options, const crypto::AllowList* allow, crypto::RandomStream& random);

    /// Takes a long packet and writes the answer to `out`, which must hold response_bytes_max. Returns its size; 0: no
    /// answer. An answer is at most a quarter of the datagram, and goes to its source.
    std::size_t handle(Instant now, const Address& source, std::span<const std::byte> datagram,
                       std::span<std::byte> out);

    /// Takes a short packet whose id is of no connection. The first authentic one of a handshake proves that the client
    /// has the keys and receives at its address: the result is its connection, which must be given the same datagram
    /// then. The handshake is forgotten.
    std::optional<Established> confirm(Instant now, std::span<const std::byte> datagram);

    /// Writes a Reset in answer to a short packet of which nobody knows the id. Returns its size, which is smaller than
    /// that of the datagram; 0: the datagram is too small to be answered.
    std::size_t reset(std::span<const std::byte> datagram, std::span<std::byte> out);

    /// Replaces the allow list, for handshakes from now on.
    void allow(const crypto::AllowList* list) { allow_ = list; }
    /// Whose clients may connect, with NNpsk0, whatever ResponderOptions::patterns are. Allocates when one is added.
    Sessions& sessions() { return sessions_; }

    [[nodiscard]] const ResponderCounters& counters() const { return counters_; }
    [[nodiscard]] std::uint32_t half_open() const { return by_id_.size(); }

  private:
    /// What an Init names as its key.
    struct NamedKey {
        const MacKey* mac_key = nullptr;  ///< null: none of ours
        const crypto::Key* psk = nullptr;
        const Session* session = nullptr;
        bool is_public = false;
    };

    std::size_t handle_init(Instant now, const Address& source, std::span<const std::byte> datagram,
                            const InitPacket& packet, std::span<std::byte> out);
    std::size_t answer_again(Instant now, const HandshakeAttempt& attempt, const Id& id, std::span<std::byte> out);
    std::size_t answer_with_versions(const MacKey& key, const InitPacket& packet, std::span<std::byte> out);
    std::size_t answer_with_cookie(Instant now, const MacKey& key, const HandshakeAttempt& attempt,
                                   const InitPacket& packet, std::span<std::byte> out);
    std::size_t accept(Instant now, const crypto::Key& psk, const HandshakeAttempt& attempt,
                       std::span<const std::byte> datagram, const InitPacket& packet, std::span<std::byte> out);
    [[nodiscard]] std::optional<FirstPayload> read(const crypto::Key& psk, std::span<const std::byte> datagram,
                                                   const InitPacket& packet);
    [[nodiscard]] std::size_t respond(const InitPacket& packet, const Id& local, HalfOpen& half_open);

    [[nodiscard]] NamedKey key_for(const KeyId& id) const;
    [[nodiscard]] bool is_under_load(Instant now) const;
    void count_handshake(Instant now);
    void forget_stale(Instant now);
    void forget(const HandshakeAttempt& attempt, const Id& id);
    [[nodiscard]] Id issue_id();

    ResponderOptions options_;
    const crypto::AllowList* allow_;
    crypto::RandomStream& random_;
    MacKey public_mac_key_, shared_mac_key_;
    Sessions sessions_;
    CookieJar cookies_;
    crypto::NoiseHandshake noise_;
    /// Both have the same entries in the same order of use, so that both evict the same one.
    LruTable<HandshakeAttempt, Id> by_attempt_;
    LruTable<Id, HalfOpen> by_id_;
    LruTable<crypto::Key, NewestInit> newest_;     ///< by the client's static key
    std::array<crypto::PacketKey, 3> trial_keys_;  ///< one for each suite
    std::array<std::byte, limits::native_datagram_bytes_max> trial_{};
    Instant second_began_at_ = 0;
    std::uint32_t handshakes_in_second_ = 0;
    ResponderCounters counters_;
};

}  // namespace ringpost::native
