// What strangers can send makes neither the server nor a waiting client allocate. Every allocation of this program by
// C++ is counted; those of OpenSSL are in aead_test.cpp.

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "tests/unit/codec/native/handshake_pair.hpp"

namespace {

std::size_t allocations = 0;

void* counted_allocation(std::size_t bytes, std::size_t alignment) {
    ++allocations;
    void* const memory = std::aligned_alloc(alignment, (bytes + alignment) / alignment * alignment);
    if (memory == nullptr) std::abort();
    return memory;
}

}  // namespace

void* operator new(std::size_t bytes) { return counted_allocation(bytes, alignof(std::max_align_t)); }
void* operator new[](std::size_t bytes) { return counted_allocation(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return counted_allocation(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace ringpost::native {
namespace {

TEST(Allocations, strangers_cause_none) {
    HandshakePair pair;
    pair.server_options.half_open_max = 16;
    pair.start_server();
    std::vector<Bytes> inits;
    for (int i = 0; i < 40; ++i) {
        pair.start_client();
        inits.push_back(pair.init());
    }
    inits.push_back(inits.back());
    inits.back().back() = std::byte{1};
    inits.push_back(inits.front());
    inits.back()[45] ^= std::byte{1};
    const Bytes short_one(100, std::byte{0x40});

    Bytes out(response_bytes_max);
    const std::size_t before = allocations;
    for (int round = 0; round < 3; ++round)
        for (const Bytes& init : inits) {
            std::size_t size = pair.server->handle(pair.now, handshake_client_address, init, out);
            ASSERT_LE(size * 4, init.size());
        }
    ASSERT_FALSE(pair.server->confirm(pair.now, short_one));
    ASSERT_GT(pair.server->reset(short_one, out), 0u);
    EXPECT_EQ(allocations, before);
    EXPECT_GT(pair.server->counters().answered, 0u);
    EXPECT_GT(pair.server->counters().cookies_sent, 0u);
}

TEST(Allocations, a_waiting_client_does_none) {
    HandshakePair pair;
    pair.start();
    const Bytes response = pair.answer(pair.init());
    Bytes forged = response;
    forged.back() ^= std::byte{1};
    Bytes out(init_bytes);
    const std::size_t before = allocations;
    EXPECT_FALSE(pair.client->handle(pair.now, forged));
    pair.now += second;
    EXPECT_GT(pair.client->transmit(pair.now, out), 0u);
    EXPECT_TRUE(pair.client->handle(pair.now, response));
    EXPECT_EQ(allocations, before);
    const Established client = pair.client->take();
    EXPECT_GT(allocations, before) << "the counter counts";
}

}  // namespace
}  // namespace ringpost::native
