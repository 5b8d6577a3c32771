// A pattern is a row: its name, whether the responder's static key is known beforehand, and the tokens of both
// messages. write() and read() walk the tokens of the message that is due. Both keep the same symmetric state: the
// chaining key, the hash of all that was said, and, once a secret was mixed in, a cipher key with its number n, which
// encrypts static keys and payloads with the hash as associated data. Names and order of operations follow section 5 of
// the specification (revision 34); with a pre-shared key each `e` is mixed into the key as well (section 9.2).
//
// The responder of a handshake may be anybody's target, so nothing is allocated after construction: one cipher of each
// suite gets each new key. A shared secret of zeros is an error; section 12.1 leaves that to the implementation.

#include "codec/crypto/noise.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <ringpost/bytes.hpp>

#include "codec/base/check.hpp"
#include "codec/crypto/octets.hpp"

namespace ringpost::crypto {

struct NoiseHandshake::PatternRow {
    const char* name;
    bool responder_known;
    bool with_psk;
    std::array<std::array<Token, 5>, 2> tokens;
    std::array<std::uint8_t, 2> counts;
};

const NoiseHandshake::PatternRow& NoiseHandshake::row_of(Pattern pattern) {
    using enum Token;
    static constexpr std::array<PatternRow, 4> rows{{
        {"NNpsk0", false, true, {{{psk, e}, {e, ee}}}, {2, 2}},
        {"NK", true, false, {{{e, es}, {e, ee}}}, {2, 2}},
        {"IK", true, false, {{{e, es, s, ss}, {e, ee, se}}}, {4, 3}},
        {"IKpsk2", true, true, {{{e, es, s, ss}, {e, ee, se, psk}}}, {4, 4}},
    }};
    const std::size_t index = static_cast<std::size_t>(pattern) - 1;
    RINGPOST_CHECK(index < rows.size());
    return rows[index];
}

KeyPair key_pair_of(const Key& secret) {
    KeyPair pair{secret, {}};
    crypto_scalarmult_curve25519_base(octets(pair.public_key.data()), octets(secret.data()));
    return pair;
}

std::string_view write_noise_name(Pattern pattern, Suite suite, NoiseNameSpace& out) {
    std::size_t size = 0;
    const auto append = [&](std::string_view part) { size += part.copy(&out[size], out.size() - size); };
    append("Noise_");
    append(NoiseHandshake::row_of(pattern).name);
    append("_25519_");
    append(suite == Suite::aes256_gcm ? "AESGCM" : "ChaChaPoly");
    append("_SHA256");
    return {out.data(), size};
}

std::size_t noise_overhead(Pattern pattern, std::size_t message) {
    using enum NoiseHandshake::Token;
    const NoiseHandshake::PatternRow& row = NoiseHandshake::row_of(pattern);
    // The payload of every message of these patterns is encrypted.
    std::size_t bytes = tag_bytes_max;
    for (std::size_t i = 0; i < row.counts[message]; ++i) {
        if (row.tokens[message][i] == e) bytes += key_bytes;
        if (row.tokens[message][i] == s) bytes += key_bytes + tag_bytes_max;
    }
    return bytes;
}

NoiseHandshake::NoiseHandshake()
    : ciphers_{PacketKey(Suite::aes256_gcm, Key{}), PacketKey(Suite::chacha20_poly1305, Key{})} {
    // Chooses the fastest X25519 for this processor.
    RINGPOST_CHECK(sodium_init() >= 0);
}

NoiseHandshake::~NoiseHandshake() { forget(); }

void NoiseHandshake::forget() {
    const std::span<std::byte> secrets[] = {keys_.local.secret, keys_.psk, ephemeral_.secret, symmetric_.chaining_key,
                                            before_read_.chaining_key};
    for (const auto& secret : secrets) wipe(secret);
}

void NoiseHandshake::start(Pattern pattern, Suite suite, Role role, const NoiseKeys& keys,
                           std::span<const std::byte> prologue) {
    forget();
    pattern_ = pattern;
    suite_ = suite;
    role_ = role;
    keys_ = keys;
    messages_ = 0;
    symmetric_ = {};
    // A name of at most 32 bytes is its own digest, padded with zeros.
    NoiseNameSpace space;
    const std::string_view name = write_noise_name(pattern, suite, space);
    if (name.size() <= digest_bytes)
        std::memcpy(symmetric_.hash.data(), name.data(), name.size());
    else
        symmetric_.hash = sha256({as_bytes(name)});
    symmetric_.chaining_key = symmetric_.hash;
    mix_hash(prologue);
    if (row_of(pattern).responder_known) mix_hash(role == Role::responder ? keys_.local.public_key : keys_.remote);
}

std::expected<std::size_t, NoiseError> NoiseHandshake::write(const KeyPair& ephemeral,
                                                             std::span<const std::byte> payload,
                                                             std::span<std::byte> out) {
    RINGPOST_CHECK(messages_ == (role_ == Role::initiator ? 0 : 1));
    RINGPOST_CHECK(out.size() >= payload.size() + noise_overhead(pattern_, messages_));
    const PatternRow& row = row_of(pattern_);
    ephemeral_ = ephemeral;
    std::byte* at = out.data();
    for (std::size_t i = 0; i < row.counts[messages_]; ++i) {
        const Token token = row.tokens[messages_][i];
        switch (token) {
            case Token::e:
                at = std::ranges::copy(ephemeral_.public_key, at).out;
                mix_ephemeral(ephemeral_.public_key);
                break;
            case Token::s: at += encrypt_and_hash(keys_.local.public_key, at); break;
            case Token::psk: mix_key_and_hash(keys_.psk); break;
            default:
                if (!mix_shared(token)) return std::unexpected(NoiseError::weak_key);
        }
    }
    at += encrypt_and_hash(payload, at);
    ++messages_;
    return static_cast<std::size_t>(at - out.data());
}

std::expected<std::span<std::byte>, NoiseError> NoiseHandshake::read(std::span<std::byte> message) {
    RINGPOST_CHECK(messages_ == (role_ == Role::initiator ? 1 : 0));
    if (message.size() < noise_overhead(pattern_, messages_)) return std::unexpected(NoiseError::too_short);
    // Anybody can send a message that is not authentic: it must not end the wait for the one that is. The cipher's key
    // needs no copy: both messages of each pattern set a new one before it is used.
    before_read_ = symmetric_;
    const auto payload = read_tokens(message);
    ++messages_;
    if (!payload) unread();
    return payload;
}

void NoiseHandshake::unread() {
    RINGPOST_CHECK(messages_ == (role_ == Role::initiator ? 2 : 1));
    symmetric_ = before_read_;
    --messages_;
}

std::expected<std::span<std::byte>, NoiseError> NoiseHandshake::read_tokens(std::span<std::byte> message) {
    const PatternRow& row = row_of(pattern_);
    const auto take = [&message](std::size_t bytes) {
        const std::span<std::byte> taken = message.first(bytes);
        message = message.subspan(bytes);
        return taken;
    };
    for (std::size_t i = 0; i < row.counts[messages_]; ++i) {
        const Token token = row.tokens[messages_][i];
        switch (token) {
            case Token::e:
                std::ranges::copy(take(key_bytes), remote_ephemeral_.begin());
                mix_ephemeral(remote_ephemeral_);
                break;
            case Token::s: {
                const std::span<std::byte> sealed = take(key_bytes + tag_bytes_max);
                if (!decrypt_and_hash(sealed)) return std::unexpected(NoiseError::not_authentic);
                std::ranges::copy(sealed.first(key_bytes), keys_.remote.begin());
                break;
            }
            case Token::psk: mix_key_and_hash(keys_.psk); break;
            default:
                if (!mix_shared(token)) return std::unexpected(NoiseError::weak_key);
        }
    }
    if (!decrypt_and_hash(message)) return std::unexpected(NoiseError::not_authentic);
    return message.first(message.size() - tag_bytes_max);
}

NoiseHandshake::Split NoiseHandshake::split() const {
    RINGPOST_CHECK(messages_ == 2);
    Split out;
    const bool initiator = role_ == Role::initiator;
    Key& first = initiator ? out.send : out.receive;
    Key& second = initiator ? out.receive : out.send;
    hkdf(symmetric_.chaining_key, {}, {&first, &second});
    out.handshake_hash = symmetric_.hash;
    return out;
}

void NoiseHandshake::mix_hash(std::span<const std::byte> bytes) { symmetric_.hash = sha256({symmetric_.hash, bytes}); }

void NoiseHandshake::mix_key(std::span<const std::byte> material) {
    Key key;
    hkdf(symmetric_.chaining_key, material, {&symmetric_.chaining_key, &key});
    cipher().set_key(key);
    wipe(key);
    symmetric_.number = 0;
    symmetric_.keyed = true;
}

void NoiseHandshake::mix_key_and_hash(std::span<const std::byte> material) {
    Digest hash;
    Key key;
    hkdf(symmetric_.chaining_key, material, {&symmetric_.chaining_key, &hash, &key});
    mix_hash(hash);
    cipher().set_key(key);
    wipe(key);
    symmetric_.number = 0;
    symmetric_.keyed = true;
}

void NoiseHandshake::mix_ephemeral(const Key& public_key) {
    mix_hash(public_key);
    if (row_of(pattern_).with_psk) mix_key(public_key);
}

// The letters of a token are the initiator's key and the responder's: es is between the initiator's ephemeral and the
// responder's static key.
bool NoiseHandshake::mix_shared(Token token) {
    const bool initiator = role_ == Role::initiator;
    const bool initiator_static = token == Token::se || token == Token::ss;
    const bool responder_static = token == Token::es || token == Token::ss;
    const bool local_static = initiator ? initiator_static : responder_static;
    const bool remote_static = initiator ? responder_static : initiator_static;
    const Key& secret = local_static ? keys_.local.secret : ephemeral_.secret;
    const Key& other = remote_static ? keys_.remote : remote_ephemeral_;
    Key shared;
    const bool strong =
        crypto_scalarmult_curve25519(octets(shared.data()), octets(secret.data()), octets(other.data())) == 0;
    if (strong) mix_key(shared);
    wipe(shared);
    return strong;
}

std::size_t NoiseHandshake::encrypt_and_hash(std::span<const std::byte> plain, std::byte* out) {
    RINGPOST_CHECK(symmetric_.keyed);
    std::ranges::copy(plain, out);
    const std::span<std::byte> sealed(out, plain.size() + tag_bytes_max);
    cipher().seal(symmetric_.hash, sealed, symmetric_.number++);
    mix_hash(sealed);
    return sealed.size();
}

bool NoiseHandshake::decrypt_and_hash(std::span<std::byte> sealed) {
    RINGPOST_CHECK(symmetric_.keyed);
    // The hash covers what was sent, which opening in place destroys.
    const Digest before = symmetric_.hash;
    mix_hash(sealed);
    return cipher().open(before, sealed, symmetric_.number++);
}

}  // namespace ringpost::crypto
