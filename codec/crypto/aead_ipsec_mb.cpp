// AES-256-GCM and ChaCha20-Poly1305 by libipsec-mb, through its direct calls, which take one packet each.
//
// The library's manager is a table of functions for one instruction set. The direct calls use nothing else of it and
// keep their state in what they are passed, so one manager serves all threads. There is one for each instruction set
// that is asked for and that this processor has, AES instructions included: without them the library emulates them,
// slower than OpenSSL.
//
// The expanded key must be aligned to 64 bytes; the library's header promises that only if LINUX is defined. The
// library checks no arguments here: a null pointer is read.

#include "codec/crypto/aead_implementation.hpp"

#ifdef RINGPOST_IPSEC_MB
#include <intel-ipsec-mb.h>
#include <sodium.h>

#include <memory>
#endif

namespace ringpost::crypto {

#ifdef RINGPOST_IPSEC_MB
namespace {

constexpr std::size_t instruction_sets = 4;

struct InstructionSetRow {
    std::uint64_t features;
    void (*initialise)(IMB_MGR*);
    const char* name;
};

// In the order of InstructionSet.
constexpr std::array<InstructionSetRow, instruction_sets> instruction_set_rows{{
    {IMB_CPUFLAGS_SSE, init_mb_mgr_sse, "ipsec-mb sse"},
    {IMB_CPUFLAGS_AVX, init_mb_mgr_avx, "ipsec-mb avx"},
    {IMB_CPUFLAGS_AVX2, init_mb_mgr_avx2, "ipsec-mb avx2"},
    {IMB_CPUFLAGS_AVX512, init_mb_mgr_avx512, "ipsec-mb avx512"},
}};

constexpr const InstructionSetRow& row_of(InstructionSet set) {
    return instruction_set_rows[static_cast<std::size_t>(set)];
}

struct FreeManager {
    void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};
using Manager = std::unique_ptr<IMB_MGR, FreeManager>;

// Null where the processor lacks the instruction set, or the library's test of itself fails.
Manager make_manager(const InstructionSetRow& row) {
    Manager manager(alloc_mb_mgr(0));
    if (manager == nullptr || (manager->features & row.features) != row.features) return nullptr;
    row.initialise(manager.get());
    if (imb_get_errno(manager.get()) != 0 || (manager->features & IMB_FEATURE_SELF_TEST_PASS) == 0) return nullptr;
    return manager;
}

template <InstructionSet set>
const IMB_MGR* manager_of() {
    static const Manager manager = make_manager(row_of(set));
    return manager.get();
}

template <InstructionSet set>
class alignas(64) IpsecMbGcm {
  public:
    IpsecMbGcm() = default;
    ~IpsecMbGcm() { sodium_memzero(&expanded_, sizeof expanded_ + sizeof context_); }
    IpsecMbGcm(const IpsecMbGcm&) = delete;

    void expand(const Key& key) { IMB_AES256_GCM_PRE(manager_, key.data(), &expanded_); }
    void seal(std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number) {
        const Nonce nonce = gcm_nonce(number);
        const std::size_t bytes = text.size() - tag_bytes_max;
        IMB_AES256_GCM_ENC(manager_, &expanded_, &context_, octets(text.data()), octets(text.data()), bytes,
                           octets(nonce.data()), octets(associated.data()), associated.size(),
                           octets(text.data() + bytes), tag_bytes_max);
    }
    bool open(std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number) {
        const Nonce nonce = gcm_nonce(number);
        const std::size_t bytes = text.size() - tag_bytes_max;
        std::array<std::byte, tag_bytes_max> tag;
        IMB_AES256_GCM_DEC(manager_, &expanded_, &context_, octets(text.data()), octets(text.data()), bytes,
                           octets(nonce.data()), octets(associated.data()), associated.size(), octets(tag.data()),
                           tag_bytes_max);
        return sodium_memcmp(tag.data(), text.data() + bytes, tag_bytes_max) == 0;
    }

  private:
    gcm_key_data expanded_;
    gcm_context_data context_;
    const IMB_MGR* manager_ = manager_of<set>();
};

template <InstructionSet set>
class IpsecMbChacha {
  public:
    IpsecMbChacha() = default;
    ~IpsecMbChacha() {
        sodium_memzero(&context_, sizeof context_);
        sodium_memzero(key_.data(), key_.size());
    }
    IpsecMbChacha(const IpsecMbChacha&) = delete;

    void expand(const Key& key) { key_ = key; }
    void seal(std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number) {
        const std::size_t bytes = text.size() - tag_bytes_max;
        begin(associated, number);
        IMB_CHACHA20_POLY1305_ENC_UPDATE(manager_, key_.data(), &context_, text.data(), text.data(), bytes);
        IMB_CHACHA20_POLY1305_ENC_FINALIZE(manager_, &context_, text.data() + bytes, tag_bytes_max);
    }
    bool open(std::span<const std::byte> associated, std::span<std::byte> text, std::uint64_t number) {
        const std::size_t bytes = text.size() - tag_bytes_max;
        std::array<std::byte, tag_bytes_max> tag;
        begin(associated, number);
        IMB_CHACHA20_POLY1305_DEC_UPDATE(manager_, key_.data(), &context_, text.data(), text.data(), bytes);
        IMB_CHACHA20_POLY1305_DEC_FINALIZE(manager_, &context_, tag.data(), tag_bytes_max);
        return sodium_memcmp(tag.data(), text.data() + bytes, tag_bytes_max) == 0;
    }

  private:
    void begin(std::span<const std::byte> associated, std::uint64_t number) {
        const Nonce nonce = chacha_nonce(number);
        IMB_CHACHA20_POLY1305_INIT(manager_, key_.data(), &context_, nonce.data(), associated.data(),
                                   associated.size());
    }

    Key key_;
    chacha20_poly1305_context_data context_;
    const IMB_MGR* manager_ = manager_of<set>();
};

}  // namespace

template <InstructionSet set>
FoundAead ipsec_mb_gcm() {
    if (manager_of<set>() == nullptr) return std::nullopt;
    return aead_of<IpsecMbGcm<set>>(row_of(set).name, Suite::aes256_gcm, tag_bytes_max);
}

template <InstructionSet set>
FoundAead ipsec_mb_chacha() {
    if (manager_of<set>() == nullptr) return std::nullopt;
    return aead_of<IpsecMbChacha<set>>(row_of(set).name, Suite::chacha20_poly1305, tag_bytes_max);
}
#else
template <InstructionSet set>
FoundAead ipsec_mb_gcm() {
    return std::nullopt;
}

template <InstructionSet set>
FoundAead ipsec_mb_chacha() {
    return std::nullopt;
}
#endif

template FoundAead ipsec_mb_gcm<InstructionSet::sse>();
template FoundAead ipsec_mb_gcm<InstructionSet::avx>();
template FoundAead ipsec_mb_gcm<InstructionSet::avx2>();
template FoundAead ipsec_mb_gcm<InstructionSet::avx512>();
template FoundAead ipsec_mb_chacha<InstructionSet::sse>();
template FoundAead ipsec_mb_chacha<InstructionSet::avx>();
template FoundAead ipsec_mb_chacha<InstructionSet::avx2>();
template FoundAead ipsec_mb_chacha<InstructionSet::avx512>();

}  // namespace ringpost::crypto
