// AES-256-GCM and ChaCha20-Poly1305 by libipsec-mb, through its direct calls, which take one packet each.
//
// The library's manager is a table of functions for one instruction set. The direct calls use nothing else of it and
// keep their state in what they are passed, so one manager serves all threads. There is one for each instruction set
// that this processor has, best first: the first is used, the others exist for tests. A manager is made only where the
// processor has AES instructions; without them the library emulates them, slower than OpenSSL.
//
// The expanded key must be aligned to 64 bytes; the library's header promises that only if LINUX is defined. The
// library checks no arguments here: a null pointer is read.

#include "codec/crypto/aead_implementation.hpp"

#ifdef RINGPOST_IPSEC_MB
#include <intel-ipsec-mb.h>
#include <sodium.h>

#include "codec/base/check.hpp"
#endif

namespace ringpost::crypto {

#ifdef RINGPOST_IPSEC_MB
namespace {

enum class InstructionSet : std::uint8_t { avx512, avx2, avx, sse };
constexpr std::size_t instruction_sets = 4;

struct InstructionSetRow {
    std::uint64_t features;
    void (*initialise)(IMB_MGR*);
    const char* name;
};

constexpr std::array<InstructionSetRow, instruction_sets> instruction_set_rows{{
    {IMB_CPUFLAGS_AVX512, init_mb_mgr_avx512, "ipsec-mb avx512"},
    {IMB_CPUFLAGS_AVX2, init_mb_mgr_avx2, "ipsec-mb avx2"},
    {IMB_CPUFLAGS_AVX, init_mb_mgr_avx, "ipsec-mb avx"},
    {IMB_CPUFLAGS_SSE, init_mb_mgr_sse, "ipsec-mb sse"},
}};

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

const IMB_MGR* manager_of(InstructionSet set) {
    static const std::array<Manager, instruction_sets> managers = {
        make_manager(instruction_set_rows[0]), make_manager(instruction_set_rows[1]),
        make_manager(instruction_set_rows[2]), make_manager(instruction_set_rows[3])};
    return managers[static_cast<std::size_t>(set)].get();
}

template <InstructionSet set>
class alignas(64) IpsecMbGcm {
  public:
    explicit IpsecMbGcm(const Key& key) : manager_(manager_of(set)) {
        IMB_AES256_GCM_PRE(manager_, key.data(), &expanded_);
    }
    ~IpsecMbGcm() { sodium_memzero(&expanded_, sizeof expanded_ + sizeof context_); }
    IpsecMbGcm(const IpsecMbGcm&) = delete;

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
    const IMB_MGR* manager_;
};

template <InstructionSet set>
class IpsecMbChacha {
  public:
    explicit IpsecMbChacha(const Key& key) : key_(key), manager_(manager_of(set)) {}
    ~IpsecMbChacha() {
        sodium_memzero(&context_, sizeof context_);
        sodium_memzero(key_.data(), key_.size());
    }
    IpsecMbChacha(const IpsecMbChacha&) = delete;

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
    const IMB_MGR* manager_;
};

template <InstructionSet set>
void add_gcm(std::vector<AeadImplementation>& all) {
    if (manager_of(set) == nullptr) return;
    const char* name = instruction_set_rows[static_cast<std::size_t>(set)].name;
    all.push_back(aead_of<IpsecMbGcm<set>>(name, Suite::aes256_gcm, tag_bytes_max));
}

template <InstructionSet set>
void add_chacha(std::vector<AeadImplementation>& all) {
    if (manager_of(set) == nullptr) return;
    const char* name = instruction_set_rows[static_cast<std::size_t>(set)].name;
    all.push_back(aead_of<IpsecMbChacha<set>>(name, Suite::chacha20_poly1305, tag_bytes_max));
}

}  // namespace

void add_ipsec_mb_gcm(std::vector<AeadImplementation>& all) {
    add_gcm<InstructionSet::avx512>(all);
    add_gcm<InstructionSet::avx2>(all);
    add_gcm<InstructionSet::avx>(all);
    add_gcm<InstructionSet::sse>(all);
}

void add_ipsec_mb_chacha(std::vector<AeadImplementation>& all) {
    add_chacha<InstructionSet::avx512>(all);
    add_chacha<InstructionSet::avx2>(all);
    add_chacha<InstructionSet::avx>(all);
    add_chacha<InstructionSet::sse>(all);
}
#else
void add_ipsec_mb_gcm(std::vector<AeadImplementation>&) {}
void add_ipsec_mb_chacha(std::vector<AeadImplementation>&) {}
#endif

}  // namespace ringpost::crypto
