#include "codec/devices/frame.hpp"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/helpers.hpp"
#include "tests/unit/vectors.hpp"

namespace ringpost::devices {
namespace {

std::string encoded(const Frame& frame) {
    Bytes out(frame_bytes(frame));
    EXPECT_EQ(encode_frame(frame, out), out.size());
    return {reinterpret_cast<const char*>(out.data()), out.size()};
}

TEST(DevicesFrame, vectors_in_both_directions) {
    const std::map<std::string, FrameKind> kinds = {{"name", FrameKind::name},         {"message", FrameKind::message},
                                                    {"question", FrameKind::question}, {"answer", FrameKind::answer},
                                                    {"ping", FrameKind::ping},         {"quit", FrameKind::quit}};
    const Json all = vectors("devices_frames");
    ASSERT_FALSE(all.empty());
    for (const Json& vector : all) {
        const auto text = vector.at("text").get<std::string>();
        const std::string body = vector.value("body", vector.value("name", ""));
        const Frame frame{kinds.at(vector.at("kind")), vector.value("key", std::uint64_t{0}), body};
        EXPECT_EQ(encoded(frame), text);
        ASSERT_TRUE(text.ends_with(terminator));
        const std::string_view without = std::string_view(text).substr(0, text.size() - terminator.size());
        const auto decoded = frame.kind == FrameKind::name ? decode_name(without) : decode_frame(without);
        ASSERT_TRUE(decoded) << text;
        EXPECT_EQ(*decoded, frame);
    }
}

TEST(DevicesFrame, keys_have_one_spelling) {
    for (const std::uint64_t key : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{9'999}, UINT64_MAX}) {
        const Frame frame{FrameKind::answer, key, "x"};
        const std::string text = encoded(frame);
        EXPECT_EQ(*decode_frame(std::string_view(text).substr(0, text.size() - 4)), frame);
    }
    for (const char* key : {"", "01", "00", "-1", "+1", " 1", "1 ", "1x", "0x1", "18446744073709551616"}) {
        const auto decoded = decode_frame("QuEsTiOn:,:" + std::string(key) + ":,:text");
        ASSERT_FALSE(decoded) << key;
        EXPECT_EQ(decoded.error(), FrameError::key) << key;
    }
    EXPECT_EQ(decode_frame("AnSwEr:,:1").error(), FrameError::key);
}

TEST(DevicesFrame, invalid_frames) {
    for (const char* text : {"", "message:,:x", "MeSsAgE", "MeSsAgE:,x", "PiNg:,:", "PiNg ", "quitQUITquitx", "name"})
        EXPECT_EQ(decode_frame(text).error(), FrameError::tag) << text;
    EXPECT_EQ(decode_frame("MeSsAgE:,:a:,:b").error(), FrameError::text);
    EXPECT_EQ(decode_frame("AnSwEr:,:1:,:a:,:b").error(), FrameError::text);
    EXPECT_EQ(decode_frame("MeSsAgE:,:\xff").error(), FrameError::not_utf8);
    EXPECT_EQ(decode_name("a:,:b").error(), FrameError::name);
    EXPECT_EQ(decode_name("").error(), FrameError::name);
}

TEST(DevicesFrame, valid_and_invalid_texts) {
    using namespace std::string_view_literals;
    for (const auto text : {""sv, "plain"sv, "::,,::,"sv, "/EO/EO"sv, "//EO L"sv, "\0"sv, "„Guten Tag“"sv})
        EXPECT_TRUE(can_carry(text)) << text;
    for (const auto text : {":,:"sv, "a:,:b"sv, "::,:"sv, "/EOL"sv, "//EOL"sv, "a/EOL b"sv, "\xff"sv})
        EXPECT_FALSE(can_carry(text)) << text;
}

TEST(DevicesSplitter, splits_frames_however_the_bytes_arrive) {
    const std::vector<std::string> frames = {
        "name", "", "/", "/E/EO", "EOL/EO", "MeSsAgE:,:x", std::string(3'000, '/')};
    std::string stream;
    for (const std::string& frame : frames) stream += frame + "/EOL";
    Random random(1);
    for (std::size_t pieces = 1; pieces < 40; ++pieces) {
        Splitter splitter;
        std::vector<std::string> found;
        for (std::size_t at = 0; at < stream.size();) {
            const std::size_t count = std::min<std::size_t>(stream.size() - at, 1 + random() % pieces);
            splitter.append(std::as_bytes(std::span(stream).subspan(at, count)));
            at += count;
            while (const auto frame = splitter.front()) {
                EXPECT_EQ(splitter.front(), frame) << "unchanged until pop()";
                found.emplace_back(*frame);
                splitter.pop();
            }
        }
        EXPECT_EQ(found, frames);
        EXPECT_EQ(splitter.unread_bytes(), 0u);
    }
}

TEST(DevicesSplitter, a_front_remains_valid_while_bytes_are_appended) {
    Splitter splitter;
    splitter.append(bytes_of("one/EOLtw"));
    EXPECT_EQ(splitter.front(), "one");
    EXPECT_FALSE(splitter.whole());
    for (int i = 0; i < 1'000; ++i) splitter.append(bytes_of("o"));
    splitter.append(bytes_of("/EOL"));
    EXPECT_EQ(splitter.front(), "one");
    EXPECT_TRUE(splitter.whole());
    splitter.pop();
    EXPECT_EQ(splitter.front()->size(), 1'002u);
    splitter.pop();
    EXPECT_FALSE(splitter.front());
    splitter.free_if_empty();
    splitter.append(bytes_of("again/EOL"));
    EXPECT_EQ(splitter.front(), "again");
}

TEST(DevicesSplitter, a_long_partial_frame_is_not_searched_again) {
    // Half a megabyte of slashes, byte by byte: searching from the front each time would take hours.
    Splitter splitter;
    const Bytes slash = bytes_of("/");
    for (int i = 0; i < 500'000; ++i) {
        splitter.append(slash);
        ASSERT_FALSE(splitter.front());
    }
    splitter.append(bytes_of("EOL"));
    EXPECT_EQ(splitter.front()->size(), 499'999u);
}

}  // namespace
}  // namespace ringpost::devices
