#include "codec/crypto/keys.hpp"

#include <gtest/gtest.h>

namespace ringpost::crypto {
namespace {

const std::string zero_key_text = std::string(43, 'A') + "=";
constexpr const char* other_key_text = "r7uZ0ycxuEVwIvs5W5dDNfwyC8c8ZxCEaCYbvzF4pAY=";

std::string key_fault(std::string_view text) {
    const auto key = parse_key(text);
    return key ? "" : describe(key.error());
}

std::string list_fault(std::string_view text) {
    const auto peers = parse_allow_list(text);
    return peers ? "" : describe(peers.error());
}

TEST(Keys, a_key_file_is_one_line) {
    EXPECT_EQ(parse_key(zero_key_text), Key{});
    EXPECT_EQ(parse_key(zero_key_text + "\n"), Key{});
    EXPECT_EQ(parse_key("\xef\xbb\xbf# of the pump\r\n\r\n  " + zero_key_text + " \t\r\n#\n"), Key{});
    Key key{};
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(i * 9);
    EXPECT_EQ(parse_key(key_text(key)), key);
    EXPECT_EQ(key_text(key).size(), 44u);
}

TEST(Keys, each_fault_of_a_key_file_is_named) {
    EXPECT_EQ(key_fault(""), "has no key");
    EXPECT_EQ(key_fault("# only\n\n"), "has no key");
    EXPECT_EQ(key_fault("\nkey"), "line 2: the key is not base64");
    EXPECT_EQ(key_fault(zero_key_text + " pump"), "line 1: the key is not base64");
    EXPECT_EQ(key_fault("AAAA"), "line 1: the key does not have 32 bytes");
    EXPECT_EQ(key_fault(std::string(48, 'A')), "line 1: the key does not have 32 bytes");
    EXPECT_EQ(key_fault(std::string(42, 'A') + "B="), "line 1: the key is not base64") << "not the canonical encoding";
    EXPECT_EQ(key_fault(zero_key_text + "\n" + zero_key_text), "line 2: a second key");
    EXPECT_EQ(key_fault(zero_key_text + std::string("\0", 1)), "line 1: the key is not base64");
}

TEST(Keys, an_allow_list_has_names_and_rates) {
    const auto peers =
        parse_allow_list("# pumps\n" + zero_key_text + " pump-1\r\n" + other_key_text + "\tpump-2  250k  ");
    ASSERT_TRUE(peers);
    ASSERT_EQ(peers->size(), 2u);
    EXPECT_EQ((*peers)[0].name, "pump-1");
    EXPECT_EQ((*peers)[0].bytes_per_second_max, UINT64_MAX);
    EXPECT_EQ((*peers)[1].name, "pump-2");
    EXPECT_EQ((*peers)[1].bytes_per_second_max, 250'000u);
    EXPECT_EQ(key_text((*peers)[1].public_key), other_key_text);
    EXPECT_TRUE(parse_allow_list("")->empty());
}

TEST(Keys, each_fault_of_an_allow_list_is_named) {
    EXPECT_EQ(list_fault("pumps"), "line 1: the key is not base64");
    EXPECT_EQ(list_fault("AAAA pump"), "line 1: the key does not have 32 bytes");
    EXPECT_EQ(list_fault("#\n" + zero_key_text + " "), "line 2: a name must follow the key");
    EXPECT_EQ(list_fault(zero_key_text + " " + std::string(65, 'n')), "line 1: the name has more than 64 bytes");
    for (const char* rate : {"fast", "0", "-1", "1.5", "1kk", "99999999999999999999", "99999999999G", "+5"})
        EXPECT_EQ(list_fault(zero_key_text + " pump " + rate),
                  "line 1: the rate is not a number of bytes per second, such as 500k")
            << rate;
    EXPECT_EQ(list_fault(zero_key_text + " pump 5 more"), "line 1: more than key, name and rate");
    EXPECT_EQ(list_fault(zero_key_text + " a\n\n" + zero_key_text + " b"), "line 3: the key of line 1 again");
    EXPECT_EQ(list_fault(zero_key_text + " a\n" + other_key_text + " a"), "line 2: the name of line 1 again");
}

TEST(Keys, an_allow_list_finds_by_key) {
    AllowList none({}, {1, 2});
    EXPECT_EQ(none.find(Key{}), nullptr);
    std::vector<AllowedPeer> peers(1'000);
    for (std::size_t i = 0; i < peers.size(); ++i) {
        peers[i].public_key[3] = static_cast<std::byte>(i);
        peers[i].public_key[31] = static_cast<std::byte>(i >> 8);
        peers[i].name = std::to_string(i);
    }
    const AllowList list(peers, {1, 2});
    EXPECT_EQ(list.size(), peers.size());
    for (const AllowedPeer& peer : peers) {
        const AllowedPeer* const found = list.find(peer.public_key);
        ASSERT_NE(found, nullptr);
        EXPECT_EQ(found->name, peer.name);
    }
    Key stranger{};
    stranger[5] = std::byte{1};
    EXPECT_EQ(list.find(stranger), nullptr);
}

}  // namespace
}  // namespace ringpost::crypto
