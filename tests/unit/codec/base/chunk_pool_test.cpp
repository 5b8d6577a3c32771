#include "codec/base/chunk_pool.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/helpers.hpp"

namespace ringpost {
namespace {

constexpr std::size_t chunk = ChunkPool::chunk_bytes;

Bytes copied(const ChunkPool& pool, ChunkPool::Chunk first, std::size_t bytes) {
    Bytes out(bytes);
    pool.copy(first, out);
    return out;
}

TEST(ChunkPool, stores_strings_of_lengths_around_the_chunk_size) {
    Random random(1);
    ChunkPool pool(100 * chunk);
    for (const std::size_t size :
         {std::size_t{1}, chunk - 1, chunk, chunk + 1, 3 * chunk - 1, 3 * chunk, 100 * chunk}) {
        const Bytes bytes = random_bytes(random, size);
        const auto first = pool.keep(bytes);
        ASSERT_TRUE(first) << size;
        EXPECT_EQ(pool.free_bytes(), (100 - (size + chunk - 1) / chunk) * chunk) << size;
        EXPECT_EQ(copied(pool, *first, size), bytes) << size;
        pool.release(*first);
        EXPECT_EQ(pool.free_bytes(), 100 * chunk) << size;
    }
}

TEST(ChunkPool, an_empty_string_takes_no_space_and_fits_a_full_pool) {
    ChunkPool pool(chunk);
    ASSERT_TRUE(pool.keep(Bytes(chunk)));
    EXPECT_TRUE(pool.has_room(0));
    EXPECT_EQ(pool.keep({}), ChunkPool::nothing);
    EXPECT_TRUE(copied(pool, ChunkPool::nothing, 0).empty());
    pool.release(ChunkPool::nothing);
    EXPECT_EQ(pool.free_bytes(), 0u);
}

TEST(ChunkPool, a_full_pool_refuses_and_stores_nothing) {
    ChunkPool pool(3 * chunk);
    const auto first = pool.keep(Bytes(chunk + 1));
    ASSERT_TRUE(first);
    EXPECT_TRUE(pool.has_room(chunk));
    EXPECT_FALSE(pool.has_room(chunk + 1));
    EXPECT_FALSE(pool.keep(Bytes(chunk + 1)));
    EXPECT_EQ(pool.free_bytes(), chunk);
    EXPECT_TRUE(pool.keep(Bytes(chunk)));
    EXPECT_FALSE(pool.keep(Bytes(1)));
    pool.release(*first);
    EXPECT_TRUE(pool.keep(Bytes(2 * chunk)));
}

TEST(ChunkPool, capacity_is_whole_chunks) {
    EXPECT_EQ(ChunkPool(2 * chunk - 1).free_bytes(), chunk);
    for (const std::size_t capacity : {std::size_t{0}, chunk - 1}) {
        ChunkPool pool(capacity);
        EXPECT_EQ(pool.free_bytes(), 0u);
        EXPECT_FALSE(pool.keep(Bytes(1)));
        EXPECT_EQ(pool.keep({}), ChunkPool::nothing);
    }
}

TEST(ChunkPool, agrees_with_a_model) {
    struct Kept {
        ChunkPool::Chunk first;
        Bytes bytes;
    };
    constexpr std::size_t capacity = 40 * chunk;
    Random random(2);
    ChunkPool pool(capacity);
    std::vector<Kept> kept;
    std::size_t used = 0;
    for (int step = 0; step < 20'000; ++step) {
        if (kept.empty() || random() % 2 == 0) {
            Bytes bytes = random_bytes(random, random() % (5 * chunk));
            const std::size_t need = (bytes.size() + chunk - 1) / chunk * chunk;
            const auto first = pool.keep(bytes);
            ASSERT_EQ(first.has_value(), used + need <= capacity);
            if (!first) continue;
            used += need;
            kept.push_back({*first, std::move(bytes)});
        } else {
            std::swap(kept[random() % kept.size()], kept.back());
            const Kept& leaving = kept.back();
            ASSERT_EQ(copied(pool, leaving.first, leaving.bytes.size()), leaving.bytes);
            pool.release(leaving.first);
            used -= (leaving.bytes.size() + chunk - 1) / chunk * chunk;
            kept.pop_back();
        }
        ASSERT_EQ(pool.free_bytes(), capacity - used);
    }
    for (const Kept& still : kept) EXPECT_EQ(copied(pool, still.first, still.bytes.size()), still.bytes);
}

}  // namespace
}  // namespace ringpost
