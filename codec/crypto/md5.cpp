#include "codec/crypto/md5.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "codec/base/bytes.hpp"

namespace ringpost {
namespace {

/// RFC 1321, 3.4: the integer part of 2^32 * abs(sin(i)), i in radians.
const std::array<std::uint32_t, 64>& sines() {
    static const auto table = [] {
        std::array<std::uint32_t, 64> out{};
        for (std::size_t i = 0; i < out.size(); ++i)
            out[i] = static_cast<std::uint32_t>(std::fabs(std::sin(static_cast<double>(i + 1))) * 0x1p32);
        return out;
    }();
    return table;
}

constexpr int rotations[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

}  // namespace

Md5& Md5::add(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const std::size_t held = bytes_ % pending_.size();
        const std::size_t taken = std::min(bytes.size(), pending_.size() - held);
        std::memcpy(&pending_[held], bytes.data(), taken);
        bytes_ += taken;
        bytes = bytes.subspan(taken);
        if (held + taken == pending_.size()) add_block(pending_.data());
    }
    return *this;
}

Md5Digest Md5::digest() {
    const std::uint64_t bits = bytes_ * 8;
    constexpr std::array<std::byte, 64> padding{std::byte{0x80}};
    constexpr std::size_t length_at = 56;
    const std::size_t held = bytes_ % padding.size();
    add(std::span(padding).first((held < length_at ? length_at : length_at + padding.size()) - held));
    std::byte length[8];
    store_le<std::uint64_t>(length, bits);
    add(length);
    Md5Digest out;
    for (std::size_t i = 0; i < state_.size(); ++i) store_le<std::uint32_t>(&out[4 * i], state_[i]);
    return out;
}

void Md5::add_block(const std::byte* block) {
    auto [a, b, c, d] = state_;
    for (std::size_t i = 0; i < 64; ++i) {
        const std::size_t round = i / 16;
        const std::uint32_t mixed = round == 0   ? (b & c) | (~b & d)
                                    : round == 1 ? (d & b) | (~d & c)
                                    : round == 2 ? b ^ c ^ d
                                                 : c ^ (b | ~d);
        const std::size_t word = round == 0 ? i : round == 1 ? 5 * i + 1 : round == 2 ? 3 * i + 5 : 7 * i;
        const std::uint32_t sum = a + mixed + sines()[i] + load_le<std::uint32_t>(block + 4 * (word % 16));
        a = d;
        d = c;
        c = b;
        b += std::rotl(sum, rotations[round][i % 4]);
    }
    state_[0] += a;
    state_[1] += b;
    state_[2] += c;
    state_[3] += d;
}

Md5Digest hmac_md5(std::span<const std::byte> key, std::span<const std::byte> bytes) {
    std::array<std::byte, 64> inner{}, outer{};
    Md5Digest hashed;
    if (key.size() > inner.size()) {
        hashed = Md5().add(key).digest();
        key = hashed;
    }
    std::ranges::copy(key, inner.begin());
    outer = inner;
    for (std::byte& byte : inner) byte ^= std::byte{0x36};
    for (std::byte& byte : outer) byte ^= std::byte{0x5c};
    return Md5().add(outer).add(Md5().add(inner).add(bytes).digest()).digest();
}

}  // namespace ringpost
