#include "codec/native/send_log.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

namespace ringpost::native {
namespace {

std::vector<std::byte> message_of(std::uint64_t number, std::size_t bytes) {
    std::vector<std::byte> out(bytes);
    for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<std::byte>(number * 31 + i);
    return out;
}

/// Reads the message at `position` and moves it behind.
std::vector<std::byte> read_message(const SendLog& log, std::uint64_t& position) {
    std::uint32_t prefix = 0;
    std::vector<std::byte> out(log.length_at(position, prefix));
    log.copy(position + prefix, out);
    position += prefix + out.size();
    return out;
}

TEST(NativeSendLog, is_the_wire_form) {
    SendLog log(1'024);
    EXPECT_TRUE(log.append(message_of(1, 3)));
    EXPECT_TRUE(log.append({}));
    EXPECT_TRUE(log.append(message_of(2, 300)));
    EXPECT_EQ(log.head(), 4u + 1 + 303);
    EXPECT_EQ(log[0], std::byte{3});
    EXPECT_EQ(log[4], std::byte{0});
    EXPECT_EQ(log[5], std::byte{252});
    std::uint64_t position = 0;
    EXPECT_EQ(read_message(log, position), message_of(1, 3));
    EXPECT_EQ(read_message(log, position), message_of(0, 0));
    EXPECT_EQ(read_message(log, position), message_of(2, 300));
    EXPECT_EQ(position, log.head());
}

TEST(NativeSendLog, messages_written_in_place_are_like_copies) {
    SendLog log(1'024);
    std::mt19937_64 random(1);
    std::uint64_t written = 0, read = 0, position = 0;
    std::vector<std::size_t> sizes;
    std::size_t none = 0;
    for (int turn = 0; turn < 2'000; ++turn) {
        const std::size_t bytes = random() % 4 == 0 ? random() % 400 : 64;
        const Reserved space = log.reserve(bytes, 1 + random() % 5);
        const std::size_t used = space.count - random() % (space.count + 1);
        for (std::size_t i = 0; i < space.count; ++i)
            std::ranges::copy(message_of(written + i, bytes), space.at + i * space.stride);
        log.commit(used);
        written += used;
        sizes.insert(sizes.end(), used, bytes);
        none += space.count == 0;
        if (space.count == 0 && log.append(message_of(written, bytes))) {
            ++written;
            sizes.push_back(bytes);
        }
        while (read < written && random() % 3 != 0) {
            ASSERT_EQ(read_message(log, position), message_of(read, sizes[read]));
            ++read;
            log.free_up_to(position);
        }
    }
    EXPECT_GT(written, 1'000u);
    EXPECT_GT(none, 0u);
}

TEST(NativeSendLog, no_more_than_was_reserved) {
    SendLog log(1'024);
    EXPECT_EQ(log.reserve(64, 3).count, 3u);
    log.commit(1);
    EXPECT_DEATH(log.commit(1), "reserved_");
}

TEST(NativeSendLog, is_full_to_the_last_byte) {
    SendLog log(256);
    EXPECT_FALSE(log.append(message_of(0, 254)));
    EXPECT_TRUE(log.append(message_of(0, 253)));  // with three bytes of length
    EXPECT_EQ(log.free_bytes(), 0u);
    EXPECT_FALSE(log.append({}));
    log.free_up_to(256);
    EXPECT_EQ(log.free_bytes(), 256u);
    EXPECT_TRUE(log.append({}));
}

// Every position of every size at the end of the ring.
TEST(NativeSendLog, wraps_anywhere) {
    for (std::size_t start = 0; start < 300; ++start) {
        for (const std::size_t bytes : {0u, 1u, 64u, 251u, 252u, 400u}) {
            SendLog log(1'024);
            std::uint64_t position = 0;
            ASSERT_TRUE(log.append(message_of(0, 1'021 - start)));
            position = log.head();
            log.free_up_to(position);
            ASSERT_TRUE(log.append(message_of(7, bytes)));
            ASSERT_EQ(read_message(log, position), message_of(7, bytes));
        }
    }
}

TEST(NativeSendLog, many_at_once) {
    SendLog log(256);
    std::vector<std::byte> three;
    for (std::uint64_t i = 0; i < 3; ++i) {
        const auto one = message_of(i, 100);
        three.insert(three.end(), one.begin(), one.end());
    }
    EXPECT_EQ(log.append_many(three.data(), 100, 3), 2u);
    std::uint64_t position = 0;
    EXPECT_EQ(read_message(log, position), message_of(0, 100));
    EXPECT_EQ(read_message(log, position), message_of(1, 100));
}

// One thread appends, one reads and frees.
TEST(NativeSendLog, two_threads) {
    SendLog log(4'096);
    constexpr std::uint64_t messages = 20'000;
    std::thread producer([&] {
        std::mt19937 random(1);
        for (std::uint64_t i = 0; i < messages; ++i) {
            const auto message = message_of(i, random() % 400);
            while (!log.append(message)) std::this_thread::yield();
        }
    });
    std::mt19937 random(1);
    std::uint64_t position = 0;
    bool equal = true;
    for (std::uint64_t i = 0; i < messages; ++i) {
        while (log.head() == position) std::this_thread::yield();
        equal = equal && read_message(log, position) == message_of(i, random() % 400);
        log.free_up_to(position);
    }
    producer.join();
    EXPECT_TRUE(equal);
}

}  // namespace
}  // namespace ringpost::native
