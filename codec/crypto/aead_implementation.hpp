#pragma once

// One suite by one library, as a table of functions. PacketKey uses the first of its suite that this processor can run;
// tests and benchmarks use each.

#include <cstring>
#include <optional>
#include <span>

#include "codec/base/bytes.hpp"
#include "codec/crypto/aead.hpp"
#include "codec/crypto/octets.hpp"

namespace ringpost::crypto {

struct AeadImplementation {
    const char* name;
    Suite suite;
    std::size_t tag_bytes;
    /// Returns the expanded key.
    void* (*make)(const Key& key);
    /// Replaces the key, without an allocation.
    void (*expand)(void* state, const Key& key);
    /// Wipes and frees it.
    void (*free)(void* state);
    /// `text` is the plain text and, behind it, space for the tag.
    void (*seal)(void* state, std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number);
    /// `text` is at least as long as the tag.
    bool (*open)(void* state, std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number);
};

/// Those that this build has and this processor can run, the preferred one of each suite first. Found at the first
/// call, which allocates. This function and the next are safe to call from several threads.
std::span<const AeadImplementation> aead_implementations();

/// The one of a suite that PacketKey uses: the first of aead_implementations(). Does not look for the others.
const AeadImplementation& preferred_implementation(Suite suite);

/// One implementation, or nullopt where this build or this processor lacks it.
using FoundAead = std::optional<AeadImplementation>;

/// Of libipsec-mb, whose code differs by instruction set.
enum class InstructionSet : std::uint8_t { sse, avx, avx2, avx512 };
template <InstructionSet set>
FoundAead ipsec_mb_gcm();
template <InstructionSet set>
FoundAead ipsec_mb_chacha();

FoundAead openssl_gcm();
FoundAead openssl_chacha();
FoundAead sodium_gcm();
FoundAead sodium_chacha();

inline constexpr std::size_t nonce_bytes = 12;
using Nonce = std::array<std::byte, nonce_bytes>;

inline Nonce gcm_nonce(std::uint64_t number) {
    Nonce nonce{};
    store_be(&nonce[4], number);
    return nonce;
}

inline Nonce chacha_nonce(std::uint64_t number) {
    Nonce nonce{};
    store_le(&nonce[4], number);
    return nonce;
}

/// An implementation made of a class with expand(), seal() and open().
template <class State>
AeadImplementation aead_of(const char* name, Suite suite, std::size_t tag_bytes) {
    return {name,
            suite,
            tag_bytes,
            [](const Key& key) -> void* {
                auto* state = new State;
                state->expand(key);
                return state;
            },
            [](void* state, const Key& key) { static_cast<State*>(state)->expand(key); },
            [](void* state) { delete static_cast<State*>(state); },
            [](void* state, std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number) {
                static_cast<State*>(state)->seal(associated, text, number);
            },
            [](void* state, std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number) {
                return static_cast<State*>(state)->open(associated, text, number);
            }};
}

}  // namespace ringpost::crypto
