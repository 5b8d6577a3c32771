// A PacketKey is the state of one implementation and its table of functions. Which implementations there are is found
// once, at the first key of the process: libraries are asked what this processor has. The order of preference follows
// bench/micro_crypto: for AES-256-GCM libipsec-mb, which handles a whole packet in one call, then OpenSSL, whose cost
// per packet is mostly fixed. libsodium is last, as a reference.
//
// The checksum of `insecure` is the CRC-32C of header and text, combined with the high half of the number, which no
// packet carries, and with the first four bytes of the key, so that packets of another connection are refused, too.

#include "codec/crypto/aead.hpp"

#include <algorithm>

#include "codec/base/check.hpp"
#include "codec/base/crc32c.hpp"
#include "codec/crypto/aead_implementation.hpp"

namespace ringpost::crypto {
namespace {

class ChecksumKey {
  public:
    static constexpr std::size_t checksum_bytes = 4;

    explicit ChecksumKey(const Key& key) : key_word_(load_le<std::uint32_t>(key.data())) {}

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

    std::uint32_t key_word_;
};

std::vector<AeadImplementation> found_implementations() {
    std::vector<AeadImplementation> all;
    add_ipsec_mb_gcm(all);
    add_openssl_gcm(all);
    add_ipsec_mb_chacha(all);
    add_openssl_chacha(all);
    add_sodium(all);
    add_checksum(all);
    return all;
}

const AeadImplementation& preferred(Suite suite) {
    const std::span<const AeadImplementation> all = aead_implementations();
    const auto found = std::ranges::find(all, suite, &AeadImplementation::suite);
    RINGPOST_CHECK(found != all.end());
    return *found;
}

}  // namespace

void add_checksum(std::vector<AeadImplementation>& all) {
    all.push_back(aead_of<ChecksumKey>("crc32c", Suite::insecure, ChecksumKey::checksum_bytes));
}

std::span<const AeadImplementation> aead_implementations() {
    static const std::vector<AeadImplementation> all = found_implementations();
    return all;
}

void PacketKey::Free::operator()(void* state) const { implementation->free(state); }

PacketKey::PacketKey(Suite suite, const Key& key) : PacketKey(preferred(suite), key) {}

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

std::string_view PacketKey::implementation() const { return state_.get_deleter().implementation->name; }

}  // namespace ringpost::crypto
