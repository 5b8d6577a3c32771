#include "codec/crypto/noise.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "tests/unit/helpers.hpp"

namespace ringpost::crypto {
namespace {

/// Debian's golang-github-flynn-noise-dev.
constexpr const char* noise_vectors_path = "/usr/share/gocode/src/github.com/flynn/noise/vectors.txt";

std::string noise_name(Pattern pattern, Suite suite) {
    NoiseNameSpace space;
    return std::string(write_noise_name(pattern, suite, space));
}

using NoiseVector = std::map<std::string, std::string>;

/// Blocks of lines `name=value`, separated by empty lines.
std::vector<NoiseVector> read_noise_vectors(std::istream& in) {
    std::vector<NoiseVector> out(1);
    for (std::string line; std::getline(in, line);) {
        const std::size_t equals = line.find('=');
        if (equals == std::string::npos)
            out.emplace_back();
        else
            out.back()[line.substr(0, equals)] = line.substr(equals + 1);
    }
    return out;
}

Key noise_key(const std::string& hex) {
    const Bytes bytes = bytes_from_hex(hex);
    Key key{};
    std::copy_n(bytes.begin(), std::min(bytes.size(), key.size()), key.begin());
    return key;
}

Key random_noise_key(Random& random) {
    Key key;
    for (std::byte& byte : key) byte = static_cast<std::byte>(random());
    return key;
}

/// Both sides of a handshake and what they send.
struct NoisePair {
    NoiseHandshake initiator, responder;
    KeyPair initiator_ephemeral, responder_ephemeral;

    std::expected<Bytes, NoiseError> sent(Role role, std::span<const std::byte> payload) {
        Bytes out(payload.size() + 200);
        NoiseHandshake& sender = role == Role::initiator ? initiator : responder;
        const auto size =
            sender.write(role == Role::initiator ? initiator_ephemeral : responder_ephemeral, payload, out);
        if (!size) return std::unexpected(size.error());
        out.resize(*size);
        return out;
    }
    std::expected<Bytes, NoiseError> read(Role role, Bytes message) {
        NoiseHandshake& receiver = role == Role::initiator ? initiator : responder;
        const auto payload = receiver.read(message);
        if (!payload) return std::unexpected(payload.error());
        return Bytes(payload->begin(), payload->end());
    }
};

void play_noise_vector(const NoiseVector& vector, Pattern pattern, Suite suite) {
    const auto field = [&vector](const std::string& name) {
        const auto found = vector.find(name);
        return found == vector.end() ? std::string() : found->second;
    };
    const Bytes prologue = bytes_from_hex(field("prologue"));
    NoisePair pair;
    pair.initiator_ephemeral = key_pair_of(noise_key(field("gen_init_ephemeral")));
    pair.responder_ephemeral = key_pair_of(noise_key(field("gen_resp_ephemeral")));
    const KeyPair initiator = key_pair_of(noise_key(field("init_static")));
    const KeyPair responder = key_pair_of(noise_key(field("resp_static")));
    const Key psk = noise_key(field("preshared_key"));
    pair.initiator.start(pattern, suite, Role::initiator, {initiator, responder.public_key, psk}, prologue);
    pair.responder.start(pattern, suite, Role::responder, {responder, {}, psk}, prologue);

    for (std::size_t i = 0; i < 2; ++i) {
        const Role from = i == 0 ? Role::initiator : Role::responder, to = i == 0 ? Role::responder : Role::initiator;
        const std::string name = "msg_" + std::to_string(i);
        const Bytes payload = bytes_from_hex(field(name + "_payload"));
        const auto message = pair.sent(from, payload);
        ASSERT_TRUE(message);
        EXPECT_EQ(*message, bytes_from_hex(field(name + "_ciphertext")));
        EXPECT_EQ(message->size(), payload.size() + noise_overhead(pattern, i));
        EXPECT_EQ(pair.read(to, *message), payload);
    }
    if (pattern == Pattern::ik || pattern == Pattern::ik_psk2) {
        EXPECT_EQ(pair.responder.remote(), initiator.public_key);
    }

    // The transport messages: the first of each side.
    const NoiseHandshake::Split ours = pair.initiator.split(), theirs = pair.responder.split();
    EXPECT_EQ(ours.send, theirs.receive);
    EXPECT_EQ(ours.receive, theirs.send);
    EXPECT_EQ(ours.handshake_hash, theirs.handshake_hash);
    for (std::size_t i = 2; i < 4; ++i) {
        const std::string name = "msg_" + std::to_string(i);
        PacketKey sender(suite, i == 2 ? ours.send : theirs.send);
        PacketKey receiver(suite, i == 2 ? theirs.receive : ours.receive);
        Bytes text = bytes_from_hex(field(name + "_payload"));
        const Bytes plain = text;
        text.resize(text.size() + tag_bytes_max);
        sender.seal(text, 0, 0);
        EXPECT_EQ(text, bytes_from_hex(field(name + "_ciphertext")));
        EXPECT_TRUE(receiver.open(text, 0, 0));
        EXPECT_TRUE(std::equal(plain.begin(), plain.end(), text.begin()));
    }
}

TEST(Noise, published_vectors) {
    std::ifstream in(noise_vectors_path);
    if (!in) GTEST_SKIP() << "no vectors: install golang-github-flynn-noise-dev";
    const std::vector<NoiseVector> all = read_noise_vectors(in);
    for (const Pattern pattern : all_patterns) {
        for (const Suite suite : {Suite::aes256_gcm, Suite::chacha20_poly1305}) {
            int played = 0;
            for (const NoiseVector& vector : all) {
                const auto name = vector.find("handshake");
                if (name == vector.end() || name->second != noise_name(pattern, suite)) continue;
                SCOPED_TRACE(name->second + " " + std::to_string(++played));
                play_noise_vector(vector, pattern, suite);
            }
            EXPECT_EQ(played, 4) << noise_name(pattern, suite);
        }
    }
}

/// A pair that is ready to begin, and the payload of both messages.
NoisePair random_noise_pair(Random& random, Pattern pattern, Suite suite, std::span<const std::byte> prologue = {},
                            std::span<const std::byte> other_prologue = {}) {
    NoisePair pair;
    pair.initiator_ephemeral = key_pair_of(random_noise_key(random));
    pair.responder_ephemeral = key_pair_of(random_noise_key(random));
    const KeyPair initiator = key_pair_of(random_noise_key(random)), responder = key_pair_of(random_noise_key(random));
    const Key psk = random_noise_key(random);
    pair.initiator.start(pattern, suite, Role::initiator, {initiator, responder.public_key, psk}, prologue);
    pair.responder.start(pattern, suite, Role::responder, {responder, {}, psk},
                         other_prologue.empty() ? prologue : other_prologue);
    return pair;
}

TEST(Noise, each_flipped_bit_and_each_cut_is_refused) {
    Random random(1);
    for (const Pattern pattern : all_patterns) {
        for (const Suite suite : {Suite::aes256_gcm, Suite::chacha20_poly1305}) {
            SCOPED_TRACE(noise_name(pattern, suite));
            const Bytes payload = random_bytes(random, 5);
            for (std::size_t step = 0;; step += 29) {
                NoisePair pair = random_noise_pair(random, pattern, suite);
                Bytes first = *pair.sent(Role::initiator, payload);
                const std::size_t size = first.size();
                if (step / 8 >= size) break;
                first[step / 8] ^= static_cast<std::byte>(1u << step % 8);
                // The top bit of a public key is ignored (RFC 7748, section 5), but hashed.
                ASSERT_EQ(pair.read(Role::responder, first).error(), NoiseError::not_authentic) << step;
                NoisePair cut = random_noise_pair(random, pattern, suite);
                Bytes part = *cut.sent(Role::initiator, payload);
                part.resize(step / 8);
                ASSERT_FALSE(cut.read(Role::responder, part)) << step;
            }
            for (std::size_t step = 0;; step += 19) {
                NoisePair pair = random_noise_pair(random, pattern, suite);
                ASSERT_TRUE(pair.read(Role::responder, *pair.sent(Role::initiator, payload)));
                Bytes second = *pair.sent(Role::responder, payload);
                if (step / 8 >= second.size()) break;
                second[step / 8] ^= static_cast<std::byte>(1u << step % 8);
                ASSERT_EQ(pair.read(Role::initiator, second).error(), NoiseError::not_authentic) << step;
            }
        }
    }
}

TEST(Noise, other_keys_and_another_prologue_are_refused) {
    Random random(2);
    for (const Pattern pattern : all_patterns) {
        SCOPED_TRACE(noise_name(pattern, Suite::aes256_gcm));
        NoisePair one = random_noise_pair(random, pattern, Suite::aes256_gcm);
        NoisePair other = random_noise_pair(random, pattern, Suite::aes256_gcm);
        EXPECT_EQ(other.read(Role::responder, *one.sent(Role::initiator, {})).error(), NoiseError::not_authentic);
        NoisePair disagreeing =
            random_noise_pair(random, pattern, Suite::aes256_gcm, bytes_of("version 1"), bytes_of("version 2"));
        EXPECT_EQ(disagreeing.read(Role::responder, *disagreeing.sent(Role::initiator, {})).error(),
                  NoiseError::not_authentic);
    }
}

TEST(Noise, weak_keys_are_refused) {
    Random random(3);
    NoisePair pair = random_noise_pair(random, Pattern::nk, Suite::chacha20_poly1305);
    // A message with an ephemeral key of zeros needs no secret.
    EXPECT_EQ(pair.read(Role::responder, Bytes(100)).error(), NoiseError::weak_key);
    NoiseHandshake initiator;
    initiator.start(Pattern::nk, Suite::chacha20_poly1305, Role::initiator, {}, {});
    Bytes out(200);
    EXPECT_EQ(initiator.write(key_pair_of(random_noise_key(random)), {}, out).error(), NoiseError::weak_key);
}

TEST(Noise, one_object_serves_many_handshakes) {
    Random random(4);
    NoisePair pair = random_noise_pair(random, Pattern::ik, Suite::aes256_gcm);
    for (const Suite suite : {Suite::chacha20_poly1305, Suite::aes256_gcm, Suite::insecure}) {
        for (const Pattern pattern : all_patterns) {
            const KeyPair responder = key_pair_of(random_noise_key(random));
            const NoiseKeys keys{key_pair_of(random_noise_key(random)), responder.public_key, random_noise_key(random)};
            pair.initiator.start(pattern, suite, Role::initiator, keys, {});
            pair.responder.start(pattern, suite, Role::responder, {responder, {}, keys.psk}, {});
            // One attempt that fails on the way.
            Bytes broken = *pair.sent(Role::initiator, {});
            broken.back() ^= std::byte{1};
            EXPECT_FALSE(pair.read(Role::responder, broken));

            pair.initiator.start(pattern, suite, Role::initiator, keys, {});
            pair.responder.start(pattern, suite, Role::responder, {responder, {}, keys.psk}, {});
            ASSERT_TRUE(pair.read(Role::responder, *pair.sent(Role::initiator, {})));
            ASSERT_TRUE(pair.read(Role::initiator, *pair.sent(Role::responder, {})));
            EXPECT_EQ(pair.initiator.split().send, pair.responder.split().receive);
        }
    }
}

TEST(Noise, a_forged_message_does_not_end_a_handshake) {
    Random random(6);
    for (const Pattern pattern : all_patterns) {
        for (const Suite suite : {Suite::aes256_gcm, Suite::chacha20_poly1305}) {
            SCOPED_TRACE(noise_name(pattern, suite));
            NoisePair pair = random_noise_pair(random, pattern, suite);
            const Bytes first = *pair.sent(Role::initiator, {});
            Bytes forged = first;
            forged.back() ^= std::byte{1};
            EXPECT_FALSE(pair.read(Role::responder, forged));
            ASSERT_TRUE(pair.read(Role::responder, first));
            const Bytes second = *pair.sent(Role::responder, {});
            for (std::size_t at = 0; at < second.size(); ++at) {
                forged = second;
                forged[at] ^= std::byte{0x10};
                EXPECT_FALSE(pair.read(Role::initiator, forged)) << at;
            }
            EXPECT_FALSE(pair.read(Role::initiator, Bytes(second.size())));
            ASSERT_TRUE(pair.read(Role::initiator, second));
            EXPECT_EQ(pair.initiator.split().send, pair.responder.split().receive);
        }
    }
}

TEST(Noise, key_pairs_are_those_of_rfc_7748) {
    // Section 6.1.
    const KeyPair bob = key_pair_of(noise_key("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
    EXPECT_EQ(bob.public_key, noise_key("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
}

TEST(Noise, rekey_is_that_of_the_specification) {
    Random random(5);
    for (const Suite suite : {Suite::aes256_gcm, Suite::chacha20_poly1305}) {
        const Key key = random_noise_key(random);
        PacketKey plain(suite, key), renewed(suite, key);
        Bytes zeros(key_bytes + tag_bytes_max);
        plain.seal(zeros, 0, UINT64_MAX);
        Key next;
        std::copy_n(zeros.begin(), next.size(), next.begin());
        renewed.rekey();
        PacketKey expected(suite, next);
        Bytes packet = random_bytes(random, 100), other = packet;
        renewed.seal(packet, 12, 7);
        expected.seal(other, 12, 7);
        EXPECT_EQ(packet, other);
        EXPECT_FALSE(plain.open(packet, 12, 7));
    }
}

}  // namespace
}  // namespace ringpost::crypto
