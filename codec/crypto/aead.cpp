// A PacketKey is the state of one implementation and its table of functions. Which one is preferred is found once, at
// the first key of the process, from what the processor has. The order of preference follows bench/micro_crypto:
// libipsec-mb is first with any instruction set, as it handles a whole packet in one call or in three, while OpenSSL's
// cost for a small packet is mostly that of its calls. libsodium is last, as a reference.
//
// The checksum of `insecure` is the CRC-32C of header and text, combined with the high half of the number, which no
// packet carries, and with the first four bytes of the key, so that packets of another connection are refused, too.

#include "codec/crypto/aead.hpp"

#include <cstdlib>
#include <vector>

#include "codec/base/check.hpp"
#include "codec/base/crc32c.hpp"
#include "codec/crypto/aead_implementation.hpp"
#include "codec/crypto/hash.hpp"

namespace ringpost::crypto {
namespace {

class ChecksumKey {
  public:
    static constexpr std::size_t checksum_bytes = 4;

    void expand(const Key& key) { key_word_ = load_le<std::uint32_t>(key.data()); }

    void seal(std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number) const {
        const auto plain = text.first(text.size() - checksum_bytes);
        store_le(plain.data() + plain.size(), checksum(associated, plain, number));
    }
    bool open(std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number) const {
        const auto plain = text.first(text.size() - checksum_bytes);
        return load_le<std::uint32_t>(plain.data() + plain.size()) == checksum(associated, plain, number);
    }

  private:
    std::uint32_t checksum(std::span<const std::byte> associated, std::span<const std::byte> plain,
                           std::uint64_t number) const {
        const auto other = static_cast<std::uint32_t>(number >> 32) ^ key_word_;
        // Header and text of a packet are one piece.
        if (associated.data() + associated.size() == plain.data())
            return crc32c({associated.data(), associated.size() + plain.size()}) ^ other;
        return crc32c(associated) ^ std::rotl(crc32c(plain), 1) ^ other;
    }

    std::uint32_t key_word_ = 0;
};

FoundAead checksum() { return aead_of<ChecksumKey>("crc32c", Suite::insecure, ChecksumKey::checksum_bytes); }

struct AeadCandidate {
    Suite suite;
    FoundAead (*find)();
};

// In order of preference.
constexpr AeadCandidate aead_candidates[] = {
    {Suite::aes256_gcm, ipsec_mb_gcm<InstructionSet::avx512>},
    {Suite::aes256_gcm, ipsec_mb_gcm<InstructionSet::avx2>},
    {Suite::aes256_gcm, ipsec_mb_gcm<InstructionSet::avx>},
    {Suite::aes256_gcm, ipsec_mb_gcm<InstructionSet::sse>},
    {Suite::aes256_gcm, openssl_gcm},
    {Suite::aes256_gcm, sodium_gcm},
    {Suite::chacha20_poly1305, ipsec_mb_chacha<InstructionSet::avx512>},
    {Suite::chacha20_poly1305, ipsec_mb_chacha<InstructionSet::avx2>},
    {Suite::chacha20_poly1305, ipsec_mb_chacha<InstructionSet::avx>},
    {Suite::chacha20_poly1305, ipsec_mb_chacha<InstructionSet::sse>},
    {Suite::chacha20_poly1305, openssl_chacha},
    {Suite::chacha20_poly1305, sodium_chacha},
    {Suite::insecure, checksum},
};

AeadImplementation first_of(Suite suite) {
    for (const AeadCandidate& each : aead_candidates) {
        if (each.suite != suite) continue;
        if (const FoundAead found = each.find()) return *found;
    }
    // OpenSSL has both ciphers on every processor.
    std::abort();
}

std::vector<AeadImplementation> each_of_all_suites() {
    std::vector<AeadImplementation> all;
    for (const AeadCandidate& each : aead_candidates)
        if (const FoundAead found = each.find()) all.push_back(*found);
    return all;
}

}  // namespace

std::span<const AeadImplementation> aead_implementations() {
    static const std::vector<AeadImplementation> all = each_of_all_suites();
    return all;
}

const AeadImplementation& preferred_implementation(Suite suite) {
    static const AeadImplementation gcm = first_of(Suite::aes256_gcm);
    static const AeadImplementation chacha = first_of(Suite::chacha20_poly1305);
    static const AeadImplementation insecure = first_of(Suite::insecure);
    if (suite == Suite::insecure) return insecure;
    return suite == Suite::aes256_gcm ? gcm : chacha;
}

Suite preferred_suite() {
    // libsodium has it only where the processor has instructions for AES; without them ChaCha20 is faster.
    static const bool has_aes = sodium_gcm().has_value();
    return has_aes ? Suite::aes256_gcm : Suite::chacha20_poly1305;
}

void PacketKey::Free::operator()(void* state) const { implementation->free(state); }

PacketKey::PacketKey(Suite suite, const Key& key) : PacketKey(preferred_implementation(suite), key) {}

PacketKey::PacketKey(const AeadImplementation& implementation, const Key& key)
    : state_(implementation.make(key), Free{&implementation}), tag_bytes_(implementation.tag_bytes) {}

void PacketKey::seal(std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number) {
    RINGPOST_CHECK(text.size() >= tag_bytes_ && text.size() - tag_bytes_ <= text_bytes_max);
    state_.get_deleter().implementation->seal(state_.get(), associated, text, number);
}

bool PacketKey::open(std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number) {
    if (text.size() < tag_bytes_ || text.size() - tag_bytes_ > text_bytes_max) return false;
    return state_.get_deleter().implementation->open(state_.get(), associated, text, number);
}

void PacketKey::set_key(const Key& key) { state_.get_deleter().implementation->expand(state_.get(), key); }

void PacketKey::set_successor_of(PacketKey& other) {
    std::array<std::byte, key_bytes + tag_bytes_max> sealed{};
    other.seal({}, std::span(sealed).first(key_bytes + tag_bytes_), number_reserved);
    Key next;
    std::memcpy(next.data(), sealed.data(), next.size());
    set_key(next);
    wipe(sealed);
    wipe(next);
}

Suite PacketKey::suite() const { return state_.get_deleter().implementation->suite; }
std::string_view PacketKey::implementation() const { return state_.get_deleter().implementation->name; }

SecretKey::~SecretKey() { wipe(*this); }

}  // namespace ringpost::crypto
