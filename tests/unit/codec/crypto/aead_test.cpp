#include "codec/crypto/aead.hpp"

#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <cstdlib>
#include <string>

#include "codec/crypto/aead_implementation.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::crypto {
namespace {

// Counts what OpenSSL allocates. Must be set before its first allocation, hence before main().
std::size_t openssl_allocations = 0;
void* counted_malloc(std::size_t bytes, const char*, int) {
    ++openssl_allocations;
    return std::malloc(bytes);
}
void* counted_realloc(void* at, std::size_t bytes, const char*, int) {
    ++openssl_allocations;
    return std::realloc(at, bytes);
}
void uncounted_free(void* at, const char*, int) { std::free(at); }
const bool openssl_counted = CRYPTO_set_mem_functions(counted_malloc, counted_realloc, uncounted_free) == 1;

Key key_from(const Bytes& bytes) {
    Key key{};
    std::copy(bytes.begin(), bytes.end(), key.begin());
    return key;
}

Key random_key(Random& random) { return key_from(random_bytes(random, key_bytes)); }

std::vector<const AeadImplementation*> all_of(Suite suite) {
    std::vector<const AeadImplementation*> out;
    for (const AeadImplementation& each : aead_implementations())
        if (each.suite == suite) out.push_back(&each);
    return out;
}

struct SealedVector {
    Suite suite;
    std::string key, number, associated, start, sealed;  // `start`: of the plain text
};

// AES-256-GCM: test cases 13 and 14 of "The Galois/Counter Mode of Operation" (McGrew and Viega), whose nonce is that
// of number 0.
const std::vector<SealedVector>& sealed_vectors() {
    static const std::vector<SealedVector> all = {
        {Suite::aes256_gcm, std::string(64, '0'), "0", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
        {Suite::aes256_gcm, std::string(64, '0'), "0", "", std::string(32, '0'),
         "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
        {Suite::chacha20_poly1305, "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0",
         "578437695752307201", "f33388860000000000004e91", "496e7465726e65742d44726166747320617265206472616674",
         "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0"
         "bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855"
         "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e9"
         "9040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a"
         "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130"
         "305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709beead9d67890cbb22392336fea1851f38"},
    };
    return all;
}

TEST(Aead, has_an_implementation_of_each_suite) {
    for (const Suite suite : {Suite::aes256_gcm, Suite::chacha20_poly1305, Suite::insecure}) {
        ASSERT_FALSE(all_of(suite).empty());
        PacketKey key(suite, Key{});
        EXPECT_EQ(key.implementation(), all_of(suite).front()->name);
        EXPECT_EQ(key.tag_bytes(), suite == Suite::insecure ? 4u : 16u);
        std::string names;
        for (const AeadImplementation* each : all_of(suite)) names += std::string(each->name) + "; ";
        std::printf("suite %d: %s\n", static_cast<int>(suite), names.c_str());
    }
    EXPECT_GE(all_of(Suite::chacha20_poly1305).size(), 2u);
}

TEST(Aead, known_answers) {
    for (const SealedVector& vector : sealed_vectors()) {
        for (const AeadImplementation* each : all_of(vector.suite)) {
            PacketKey key(*each, key_from(bytes_from_hex(vector.key)));
            const Bytes associated = bytes_from_hex(vector.associated);
            const std::uint64_t number = std::stoull(vector.number);
            const Bytes start = bytes_from_hex(vector.start);
            Bytes text = bytes_from_hex(vector.sealed);
            EXPECT_TRUE(key.open(associated, text, number)) << each->name;
            EXPECT_TRUE(std::equal(start.begin(), start.end(), text.begin())) << each->name;
            std::fill(text.end() - tag_bytes_max, text.end(), std::byte{0});
            key.seal(associated, text, number);
            EXPECT_EQ(text, bytes_from_hex(vector.sealed)) << each->name;
        }
    }
}

// Each implementation against the first one.
TEST(Aead, implementations_agree_on_every_length) {
    constexpr std::size_t length_max = 2'048, header_bytes = 12;
    Random random(1);
    for (const Suite suite : {Suite::aes256_gcm, Suite::chacha20_poly1305}) {
        const Key raw = random_key(random);
        std::vector<PacketKey> keys;
        for (const AeadImplementation* each : all_of(suite)) keys.emplace_back(*each, raw);
        Bytes plain = random_bytes(random, header_bytes + length_max + tag_bytes_max);
        for (std::size_t length = 0; length <= length_max; ++length) {
            const std::size_t bytes = header_bytes + length + tag_bytes_max;
            const std::uint64_t number = random() >> (length % 60);
            Bytes sealed(plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(bytes));
            keys[0].seal(sealed, header_bytes, number);
            ASSERT_TRUE(std::equal(plain.begin(), plain.begin() + header_bytes, sealed.begin()));
            for (PacketKey& key : keys) {
                Bytes packet(plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(bytes));
                key.seal(packet, header_bytes, number);
                ASSERT_EQ(packet, sealed) << key.implementation() << ' ' << length;
                ASSERT_TRUE(key.open(packet, header_bytes, number)) << key.implementation() << ' ' << length;
                ASSERT_TRUE(std::equal(packet.begin(), packet.end() - tag_bytes_max, plain.begin()))
                    << key.implementation() << ' ' << length;
            }
        }
    }
}

TEST(Aead, implementations_agree_on_every_length_of_associated_data) {
    Random random(2);
    for (const Suite suite : {Suite::aes256_gcm, Suite::chacha20_poly1305}) {
        const Key raw = random_key(random);
        std::vector<PacketKey> keys;
        for (const AeadImplementation* each : all_of(suite)) keys.emplace_back(*each, raw);
        for (std::size_t length = 0; length <= 300; ++length) {
            const Bytes associated = random_bytes(random, length);
            const Bytes plain = random_bytes(random, random() % 40 + tag_bytes_max);
            Bytes sealed = plain;
            keys[0].seal(associated, sealed, length);
            for (PacketKey& key : keys) {
                Bytes text = plain;
                key.seal(associated, text, length);
                ASSERT_EQ(text, sealed) << key.implementation() << ' ' << length;
                ASSERT_TRUE(key.open(associated, text, length)) << key.implementation() << ' ' << length;
            }
        }
    }
}

TEST(Aead, implementations_agree_on_long_texts) {
    Random random(9);
    for (const Suite suite : {Suite::aes256_gcm, Suite::chacha20_poly1305}) {
        const Key raw = random_key(random);
        std::vector<PacketKey> keys;
        for (const AeadImplementation* each : all_of(suite)) keys.emplace_back(*each, raw);
        for (int i = 0; i < 40; ++i) {
            const std::size_t length = i == 0 ? text_bytes_max : random() % text_bytes_max;
            const Bytes plain = random_bytes(random, 12 + length + tag_bytes_max);
            Bytes sealed = plain;
            keys[0].seal(sealed, 12, static_cast<std::uint64_t>(i));
            for (PacketKey& key : keys) {
                Bytes packet = plain;
                key.seal(packet, 12, static_cast<std::uint64_t>(i));
                ASSERT_EQ(packet, sealed) << key.implementation() << ' ' << length;
                ASSERT_TRUE(key.open(packet, 12, static_cast<std::uint64_t>(i))) << key.implementation();
                ASSERT_TRUE(std::equal(plain.begin(), plain.end() - tag_bytes_max, packet.begin()));
            }
        }
    }
}

TEST(Aead, writes_nothing_outside_and_takes_any_alignment) {
    Random random(3);
    for (const AeadImplementation& each : aead_implementations()) {
        PacketKey key(each, random_key(random));
        for (std::size_t offset = 0; offset < 64; ++offset) {
            for (const std::size_t length : {0u, 1u, 15u, 16u, 17u, 64u, 255u, 1'445u}) {
                const std::size_t bytes = 12 + length + key.tag_bytes();
                const Bytes before = random_bytes(random, offset + bytes + 64);
                Bytes memory = before;
                const auto packet = std::span(memory).subspan(offset, bytes);
                key.seal(packet, 12, length);
                ASSERT_TRUE(key.open(packet, 12, length)) << each.name;
                std::copy(before.begin() + static_cast<std::ptrdiff_t>(offset + 12 + length),
                          before.begin() + static_cast<std::ptrdiff_t>(offset + bytes),
                          packet.begin() + static_cast<std::ptrdiff_t>(12 + length));
                ASSERT_EQ(memory, before) << each.name << ' ' << offset << ' ' << length;
            }
        }
    }
}

TEST(Aead, refuses_each_flipped_bit_and_another_number) {
    Random random(4);
    for (const AeadImplementation& each : aead_implementations()) {
        PacketKey key(each, random_key(random));
        for (const std::size_t length : {0u, 1u, 33u, 100u}) {
            Bytes packet = random_bytes(random, 12 + length + key.tag_bytes());
            key.seal(packet, 12, 99);
            for (std::size_t bit = 0; bit < packet.size() * 8; ++bit) {
                Bytes flipped = packet;
                flipped[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
                ASSERT_FALSE(key.open(flipped, 12, 99)) << each.name << ' ' << length << " bit " << bit;
            }
            for (const std::uint64_t number : {std::uint64_t{98}, 99 + (std::uint64_t{1} << 32)}) {
                // The low half of the number is in the header, which the checksum covers.
                if (each.suite == Suite::insecure && number < 99) continue;
                Bytes other = packet;
                ASSERT_FALSE(key.open(other, 12, number)) << each.name;
            }
            EXPECT_TRUE(key.open(packet, 12, 99)) << each.name;
        }
    }
}

TEST(Aead, refuses_another_key_and_what_is_too_short) {
    Random random(5);
    for (const AeadImplementation& each : aead_implementations()) {
        PacketKey key(each, random_key(random)), other(each, random_key(random));
        Bytes packet = random_bytes(random, 12 + 50 + key.tag_bytes());
        key.seal(packet, 12, 7);
        for (std::size_t size = 0; size < packet.size(); ++size) {
            Bytes cut(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size));
            EXPECT_FALSE(key.open(cut, 12, 7)) << each.name << ' ' << size;
        }
        Bytes copy = packet;
        EXPECT_FALSE(other.open(copy, 12, 7)) << each.name;
        Bytes extended = packet;
        extended.push_back(std::byte{0});
        EXPECT_FALSE(key.open(extended, 12, 7)) << each.name;
    }
}

TEST(Aead, associated_data_apart_is_the_same) {
    Random random(6);
    for (const AeadImplementation& each : aead_implementations()) {
        if (each.suite == Suite::insecure) continue;
        PacketKey key(each, random_key(random));
        Bytes whole = random_bytes(random, 12 + 80 + key.tag_bytes());
        const Bytes header(whole.begin(), whole.begin() + 12);
        Bytes text(whole.begin() + 12, whole.end());
        key.seal(whole, 12, 5);
        key.seal(header, text, 5);
        EXPECT_EQ(Bytes(whole.begin() + 12, whole.end()), text) << each.name;
    }
}

TEST(Aead, checksum_opens_with_associated_data_apart) {
    Random random(7);
    PacketKey key(Suite::insecure, random_key(random));
    const Bytes header = random_bytes(random, 32);
    Bytes text = random_bytes(random, 20);
    key.seal(header, text, 1);
    EXPECT_TRUE(key.open(header, text, 1));
    Bytes swapped = text;
    EXPECT_FALSE(key.open(random_bytes(random, 32), swapped, 1));
}

TEST(Aead, opens_packets_after_others_were_refused_and_sealed) {
    Random random(8);
    for (const AeadImplementation& each : aead_implementations()) {
        PacketKey key(each, random_key(random));
        for (std::uint64_t number = 0; number < 200; ++number) {
            const Bytes plain = random_bytes(random, 12 + random() % 200 + key.tag_bytes());
            Bytes packet = plain, forged = random_bytes(random, 12 + random() % 200 + key.tag_bytes());
            key.seal(packet, 12, number);
            ASSERT_FALSE(key.open(forged, 12, number)) << each.name;
            ASSERT_TRUE(key.open(packet, 12, number)) << each.name;
            const auto content = plain.size() - key.tag_bytes();
            ASSERT_TRUE(
                std::equal(plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(content), packet.begin()));
        }
    }
}

TEST(Aead, openssl_allocates_nothing_for_a_packet) {
    ASSERT_TRUE(openssl_counted);
    for (const AeadImplementation& each : aead_implementations()) {
        PacketKey key(each, Key{});
        Bytes packet(1'200);
        key.seal(packet, 12, 0);
        EXPECT_TRUE(key.open(packet, 12, 0));
        const std::size_t before = openssl_allocations;
        for (std::uint64_t number = 1; number < 10; ++number) {
            key.seal(packet, 12, number);
            EXPECT_TRUE(key.open(packet, 12, number));
            EXPECT_FALSE(key.open(packet, 12, number + (std::uint64_t{1} << 32)));
        }
        EXPECT_EQ(openssl_allocations, before) << each.name;
    }
    EXPECT_GT(openssl_allocations, 0u) << "the counter counts";
}

}  // namespace
}  // namespace ringpost::crypto
