#include "codec/devices/advert.hpp"

#include <gtest/gtest.h>

#include "tests/unit/helpers.hpp"
#include "tests/unit/vectors.hpp"

namespace ringpost::devices {
namespace {

std::string encoded(const Advert& advert) {
    Bytes out(limits::devices_advert_bytes_max);
    out.resize(encode_advert(advert, out));
    return {reinterpret_cast<const char*>(out.data()), out.size()};
}

TEST(DevicesAdvert, vectors_in_both_directions) {
    const Json all = vectors("devices_advert");
    ASSERT_FALSE(all.empty());
    for (const Json& vector : all) {
        const auto text = vector.at("text").get<std::string>(), name = vector.at("name").get<std::string>();
        const Advert advert{vector.at("kind") == "hello" ? AdvertKind::hello : AdvertKind::alive, name};
        EXPECT_EQ(encoded(advert), text);
        const Bytes bytes = bytes_of(text);
        const auto decoded = decode_advert(bytes);
        ASSERT_TRUE(decoded) << text;
        EXPECT_EQ(*decoded, advert);
    }
}

TEST(DevicesAdvert, the_longest_name_fits_and_a_longer_one_does_not) {
    const std::string longest(limits::devices_name_bytes_max, 'n');
    EXPECT_EQ(encoded({AdvertKind::alive, longest}).size(), 256u);
    EXPECT_EQ(decode_advert(bytes_of("hello:,:" + longest))->name, longest);
    EXPECT_EQ(decode_advert(bytes_of("hello:,:" + longest + "n")).error(), AdvertError::too_long);
    EXPECT_EQ(check_name(longest + "n"), NameError::too_long);
}

TEST(DevicesAdvert, invalid_adverts) {
    const auto error = [](std::string_view text) { return decode_advert(bytes_of(text)).error(); };
    for (const char* text : {"", "hello", "hello:,", "Hello:,:a", "bye:,:a", " hello:,:a", "alive:;:a", ":,:a"})
        EXPECT_EQ(error(text), AdvertError::kind) << text;
    for (const char* text : {"hello:,:", "alive:,:a:,:b", "alive:,:a/EOL", "alive:,:\xff", "alive:,:PiNg"})
        EXPECT_EQ(error(text), AdvertError::name) << text;
}

TEST(DevicesAdvert, invalid_names) {
    EXPECT_EQ(check_name(""), NameError::empty);
    EXPECT_EQ(check_name("a:,:b"), NameError::has_mark);
    EXPECT_EQ(check_name("/EOL"), NameError::has_mark);
    EXPECT_EQ(check_name("\xc0\x80"), NameError::not_utf8);
    EXPECT_EQ(check_name("a:,:b\xff"), NameError::not_utf8);
    EXPECT_EQ(check_name("PiNg"), NameError::reserved);
    EXPECT_EQ(check_name("quitQUITquit"), NameError::reserved);
    for (const char* name : {"a", ":,", ",:", "/EO", "EOL", "Čapek", "PiNg2", "a name with spaces", "/EO:,"})
        EXPECT_EQ(check_name(name), std::nullopt) << name;
}

}  // namespace
}  // namespace ringpost::devices
