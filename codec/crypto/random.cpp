// Output is taken from a block of key stream, and wiped there. When the block is used up, a new one is made with the
// current key and a nonce of zeros: each key makes one block.

#include "codec/crypto/random.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "codec/crypto/hash.hpp"
#include "codec/crypto/octets.hpp"

namespace ringpost::crypto {

RandomStream::~RandomStream() {
    wipe(key_);
    wipe(block_);
}

void RandomStream::fill(std::span<std::byte> out) {
    while (!out.empty()) {
        if (used_ == block_.size()) refill();
        const std::size_t taken = std::min(out.size(), block_.size() - used_);
        std::memcpy(out.data(), &block_[used_], taken);
        wipe(std::span(block_).subspan(used_, taken));
        used_ += taken;
        out = out.subspan(taken);
    }
}

void RandomStream::refill() {
    constexpr unsigned char nonce[crypto_stream_chacha20_NONCEBYTES] = {};
    crypto_stream_chacha20(octets(block_.data()), block_.size(), nonce, octets(key_.data()));
    std::memcpy(key_.data(), block_.data(), key_.size());
    wipe(std::span(block_).first(key_.size()));
    used_ = key_.size();
}

}  // namespace ringpost::crypto
