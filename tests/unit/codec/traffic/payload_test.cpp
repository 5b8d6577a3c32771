#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "codec/traffic/payload.hpp"
#include "codec/traffic/presets.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

constexpr std::uint64_t seed = 42;

Bytes written(const Payload& payload, std::uint64_t sequence, Instant due = 0, std::uint64_t of_seed = seed) {
    Bytes out(payload.bytes_max() + 1, std::byte{0xee});
    const std::size_t size =
        payload.write(out, {.sequence = sequence, .in_flow = sequence, .due = due, .seed = of_seed});
    EXPECT_EQ(out.back(), std::byte{0xee}) << "wrote beyond its longest payload";
    out.resize(size);
    return out;
}

Bytes written(std::string_view text, std::uint64_t sequence, Instant due = 0) {
    Payload payload;
    EXPECT_TRUE(payload.add_text(text)) << text;
    return written(payload, sequence, due);
}

PayloadError error_of(std::string_view text) {
    Payload payload;
    const auto added = payload.add_text(text);
    EXPECT_FALSE(added) << text;
    EXPECT_EQ(payload.count(), 0u) << "an error changes nothing";
    return added ? PayloadError{} : added.error();
}

TEST(ProbePayload, literal_bytes_stand_for_themselves) {
    EXPECT_EQ(written("get key", 5), bytes_of("get key"));
    EXPECT_EQ(written(R"(a\x00\xfF\\\n\r\tz)", 5), bytes_from_hex("6100ff5c0a0d097a"));
    EXPECT_EQ(written(R"(a\"b)", 5), bytes_of("a\"b"));
    EXPECT_EQ(written(R"({{"id": 1})", 5), bytes_of(R"({"id": 1})"));
    EXPECT_EQ(written("{{seq:u8}", 5), bytes_of("{seq:u8}"));
    EXPECT_EQ(written("\xc3\xa9}", 5), bytes_from_hex("c3a97d"));
}

TEST(ProbePayload, integers_in_every_width_and_byte_order) {
    constexpr std::uint64_t value = 0x0102030405060708;
    const std::pair<const char*, const char*> widths[] = {{"u8", "08"},
                                                          {"u16be", "0708"},
                                                          {"u16le", "0807"},
                                                          {"u32be", "05060708"},
                                                          {"u32le", "08070605"},
                                                          {"u64be", "0102030405060708"},
                                                          {"u64le", "0807060504030201"}};
    for (const auto& [width, hex] : widths) {
        Bytes expected = bytes_from_hex(std::string("3c") + hex + "3e");
        EXPECT_EQ(written(std::string("<{seq:") + width + "}>", value), expected) << width;
        EXPECT_EQ(written(std::string("<{time:") + width + "}>", 1, static_cast<Instant>(value)), expected) << width;
    }
}

std::string text_of(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

TEST(ProbePayload, numbers_in_digits) {
    EXPECT_EQ(text_of(written("a{seq}b{seq:dec}c", 0)), "a0b0c");
    EXPECT_EQ(text_of(written("a{seq}b{seq:dec}c", 1'234)), "a1234b1234c");
    EXPECT_EQ(text_of(written("{seq}", UINT64_MAX)), "18446744073709551615");
    EXPECT_EQ(text_of(written("<{seq:hex}>", 0x123456789abcdef0)), "<9abcdef0>");
    EXPECT_EQ(text_of(written("{seq}{seq:u8}", 65)), "65A");
    Payload payload;
    ASSERT_TRUE(payload.add_text("x{seq}"));
    EXPECT_EQ(payload.bytes_min(), 2u);
    EXPECT_EQ(payload.bytes_max(), 21u);
    EXPECT_TRUE(payload.has_varying());
}

TEST(ProbePayload, times_of_day) {
    // date -u -d @1764534289
    constexpr Instant due = 1'764'534'289'123'456'789;
    EXPECT_EQ(text_of(written("{time:rfc3339}", 0, due)), "2025-11-30T20:24:49.123456Z");
    EXPECT_EQ(text_of(written("{time:unix}", 0, due)), "1764534289");
    EXPECT_EQ(text_of(written("{time:rfc3339}", 0, 951'782'400 * second)), "2000-02-29T00:00:00.000000Z");
    Payload payload;
    ASSERT_TRUE(payload.add_text("{time:unix}"));
    Bytes out(10);
    payload.write(out, {.due = 5 * second, .unix_offset = 1'000'000'000 * second});
    EXPECT_EQ(text_of(out), "1000000005");
}

TEST(ProbePayload, picks_are_random_and_repeatable) {
    Payload payload;
    ASSERT_TRUE(payload.add_text("-{pick:get|delete||x}-"));
    EXPECT_EQ(payload.bytes_min(), 2u);
    EXPECT_EQ(payload.bytes_max(), 8u);
    std::map<std::string, int> seen;
    for (std::uint64_t i = 0; i < 1'000; ++i) {
        const Bytes bytes = written(payload, i);
        EXPECT_EQ(bytes, written(payload, i));
        EXPECT_EQ(bytes.size(), payload.size_of({.sequence = i, .in_flow = i, .seed = seed}));
        ++seen[text_of(bytes)];
    }
    EXPECT_EQ(seen.size(), 4u);
    for (const char* text : {"-get-", "-delete-", "--", "-x-"}) EXPECT_GT(seen[text], 150) << text;
    Payload equal;
    ASSERT_TRUE(equal.add_text("{pick:a|b}{pick:c|d}"));
    EXPECT_FALSE(equal.has_varying());
    std::set<std::string> pairs;
    for (std::uint64_t i = 0; i < 100; ++i) pairs.insert(text_of(written(equal, i)));
    EXPECT_EQ(pairs.size(), 4u) << "fields are independent";
}

TEST(ProbePayload, lines_with_the_same_fields_share_them) {
    Payload payload;
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(payload.add_numbered(bytes_of("__" + std::to_string(i))));
    ASSERT_TRUE(payload.add_text("{pick:a|b}"));
    ASSERT_TRUE(payload.add_text("{pick:c|d}"));
    EXPECT_EQ(written(payload, 2), bytes_from_hex("000232"));
    EXPECT_TRUE(text_of(written(payload, 4)) == "c" || text_of(written(payload, 4)) == "d");
    EXPECT_FALSE(payload.add_text("{pick:e|f}{pick:g}"));
    ASSERT_TRUE(payload.add_text("{pick:h|i}"));
    EXPECT_TRUE(text_of(written(payload, 5)) == "h" || text_of(written(payload, 5)) == "i");
}

TEST(ProbePayload, random_bytes_depend_on_seed_and_sequence_alone) {
    Payload payload;
    ASSERT_TRUE(payload.add_text("{random:11}-{random:11}"));
    const Bytes first = written(payload, 7);
    EXPECT_EQ(first.size(), 23u);
    EXPECT_EQ(first, written(payload, 7));
    EXPECT_NE(first, written(payload, 8));
    EXPECT_NE(first, written(payload, 7, 0, seed + 1));
    EXPECT_FALSE(std::equal(first.begin(), first.begin() + 11, first.begin() + 12)) << "fields are independent";
    // Over many probes each byte takes almost every value, so none keeps its initial value.
    std::vector<std::vector<bool>> seen(23, std::vector<bool>(256));
    for (std::uint64_t i = 0; i < 4'096; ++i) {
        const Bytes bytes = written(payload, i);
        for (std::size_t at = 0; at < 23; ++at) seen[at][static_cast<std::size_t>(bytes[at])] = true;
    }
    for (std::size_t at = 0; at < 23; ++at)
        if (at != 11) {
            EXPECT_GT(std::ranges::count(seen[at], true), 250) << at;
        }
}

TEST(ProbePayload, several_payloads_are_used_in_turn) {
    Payload payload;
    ASSERT_TRUE(payload.add_text("{seq:u8}"));
    ASSERT_TRUE(payload.add_hex("AA bb\tcc\n"));
    ASSERT_TRUE(payload.add_bytes(bytes_of("{seq:u8}")));
    EXPECT_EQ(payload.count(), 3u);
    EXPECT_EQ(payload.bytes_min(), 1u);
    EXPECT_EQ(payload.bytes_max(), 8u);
    for (std::uint64_t round = 0; round < 9; round += 3) {
        EXPECT_EQ(written(payload, round), Bytes{static_cast<std::byte>(round)});
        EXPECT_EQ(written(payload, round + 1), bytes_from_hex("aabbcc"));
        EXPECT_EQ(written(payload, round + 2), bytes_of("{seq:u8}")) << "raw bytes have no fields";
    }
}

TEST(ProbePayload, errors_have_a_position) {
    const std::tuple<const char*, PayloadError::Kind, std::size_t> wrong[] = {
        {"", PayloadError::Kind::empty, 0},
        {"ab\\", PayloadError::Kind::bad_escape, 2},
        {"ab\\q", PayloadError::Kind::bad_escape, 2},
        {"\\x1", PayloadError::Kind::bad_escape, 0},
        {"\\x1g", PayloadError::Kind::bad_escape, 0},
        {"a{seq:u8", PayloadError::Kind::open_brace, 1},
        {"a{", PayloadError::Kind::open_brace, 1},
        {"a{{{", PayloadError::Kind::open_brace, 3},
        {"{}", PayloadError::Kind::unknown_field, 0},
        {"{time}", PayloadError::Kind::unknown_field, 0},
        {"{time:dec}", PayloadError::Kind::bad_width, 0},
        {"{seq:unix}", PayloadError::Kind::bad_width, 0},
        {"{pick:a}", PayloadError::Kind::bad_pick, 0},
        {"{pick:}", PayloadError::Kind::bad_pick, 0},
        {"{pick:|}", PayloadError::Kind::bad_pick, 0},
        {"{Seq:u8}", PayloadError::Kind::unknown_field, 0},
        {"{ seq:u8}", PayloadError::Kind::unknown_field, 0},
        {"{seq:u8}{count:u8}", PayloadError::Kind::unknown_field, 8},
        {"{seq:}", PayloadError::Kind::bad_width, 0},
        {"{seq:u16}", PayloadError::Kind::bad_width, 0},
        {"{seq:u8be}", PayloadError::Kind::bad_width, 0},
        {"{time:U8}", PayloadError::Kind::bad_width, 0},
        {"{random:}", PayloadError::Kind::bad_count, 0},
        {"{random:0}", PayloadError::Kind::bad_count, 0},
        {"{random:-1}", PayloadError::Kind::bad_count, 0},
        {"{random:65508}", PayloadError::Kind::bad_count, 0},
        {"{random:99999999999999999999}", PayloadError::Kind::bad_count, 0},
        {"xx{random:65507}", PayloadError::Kind::too_long, 2},
    };
    for (const auto& [text, kind, position] : wrong) {
        EXPECT_EQ(error_of(text), (PayloadError{kind, position})) << text;
        EXPECT_STRNE(describe(kind), "");
    }
    Payload payload;
    EXPECT_EQ(payload.add_hex("12 3").error(), (PayloadError{PayloadError::Kind::bad_hex, 3}));
    EXPECT_EQ(payload.add_hex("1 2").error(), (PayloadError{PayloadError::Kind::bad_hex, 0}));
    EXPECT_EQ(payload.add_hex("12xy").error(), (PayloadError{PayloadError::Kind::bad_hex, 2}));
    EXPECT_EQ(payload.add_hex(" ").error(), (PayloadError{PayloadError::Kind::empty, 0}));
}

TEST(ProbePayload, limits_are_enforced) {
    const Bytes longest(limits::datagram_bytes_max), longer(limits::datagram_bytes_max + 1);
    Payload payload;
    EXPECT_EQ(payload.add_bytes(longer).error().kind, PayloadError::Kind::too_long);
    EXPECT_EQ(payload.add_hex(std::string(2 * longer.size(), '0')).error(),
              (PayloadError{PayloadError::Kind::too_long, 2 * longest.size()}));
    std::string fields;
    for (std::size_t i = 0; i < limits::payload_fields_max; ++i) fields += "{seq:u8}";
    EXPECT_TRUE(payload.add_text(fields));
    EXPECT_EQ(payload.add_text(fields + "{seq:u8}").error(),
              (PayloadError{PayloadError::Kind::too_many_fields, fields.size()}));
    Payload crowd;
    const Bytes x = bytes_of("x");
    while (crowd.count() < limits::payloads_max && crowd.add_bytes(x)) {
    }
    EXPECT_EQ(crowd.count(), limits::payloads_max);
    EXPECT_EQ(crowd.add_text("x").error().kind, PayloadError::Kind::too_many);
}

TEST(ProbePayload, several_flows_number_their_own_probes_and_share_the_payloads) {
    Payload payload;
    ASSERT_TRUE(payload.add_text("a{seq:u16be}"));
    ASSERT_TRUE(payload.add_text("b{seq:u16be}"));
    Bytes out(payload.bytes_max());
    payload.write(out, {.sequence = 5, .in_flow = 0x0203, .seed = seed});
    EXPECT_EQ(out, bytes_from_hex("620203"));
}

std::uint64_t distinct(std::string_view text, std::size_t offset, std::size_t count) {
    Payload payload;
    EXPECT_TRUE(payload.add_text(text)) << text;
    return payload.distinct(offset, count);
}

TEST(ProbePayload, how_many_probes_have_different_bytes) {
    EXPECT_EQ(distinct("{seq:u8}abc", 0, 1), 256u);
    EXPECT_EQ(distinct("{seq:u8}abc", 0, 4), 256u);
    EXPECT_EQ(distinct("{seq:u8}abc", 1, 3), 1u);
    EXPECT_EQ(distinct("{seq:u16be}", 0, 2), 65'536u);
    EXPECT_EQ(distinct("{seq:u16be}", 0, 1), 1u) << "the high byte";
    EXPECT_EQ(distinct("{seq:u16be}", 1, 1), 256u);
    EXPECT_EQ(distinct("{seq:u16le}", 0, 1), 256u);
    EXPECT_EQ(distinct("{seq:u32le}", 1, 3), 1u);
    EXPECT_EQ(distinct("{seq:u64be}", 0, 8), std::uint64_t{1} << 63);
    EXPECT_EQ(distinct("{random:3}", 1, 9), 65'536u);
    EXPECT_EQ(distinct("{time:u64le}", 0, 8), 1u) << "times may repeat in their low bytes";
    EXPECT_EQ(distinct("abc", 0, limits::datagram_bytes_max), 1u);
    EXPECT_EQ(distinct("{seq:hex}", 4, 4), 65'536u);
    EXPECT_EQ(distinct("{seq:hex}", 0, 4), 1u) << "the high digits";
    EXPECT_EQ(distinct("{seq}", 0, 3), 1'000u);
    EXPECT_EQ(distinct("{seq}", 0, limits::datagram_bytes_max), std::uint64_t{1} << 63);
    EXPECT_EQ(distinct("{pick:a|bc}{seq:u16be}", 0, 3), 1u) << "its place varies";
    EXPECT_EQ(distinct("{pick:a|bc}{seq:u16be}", 0, limits::datagram_bytes_max), 65'536u);
    Payload two;
    ASSERT_TRUE(two.add_text("{seq:u32be}"));
    ASSERT_TRUE(two.add_text("xx{seq:u8}x"));
    EXPECT_EQ(two.distinct(0, 4), 256u) << "the one that repeats first";
}

Preset preset(std::string_view text) {
    auto parsed = parse_preset(text);
    EXPECT_TRUE(parsed) << text << ": " << (parsed ? "" : parsed.error().reason);
    return parsed ? std::move(*parsed) : Preset{};
}

// Written by hand from RFC 1035: header, question.
TEST(ProbePreset, dns_queries) {
    const Preset made = preset("dns:Example.com");
    EXPECT_EQ(made.port, 53);
    EXPECT_EQ(made.dialect.match, *MatchRule::parse("0:2"));
    EXPECT_EQ(written(made.dialect.payload, 0x1234), bytes_from_hex("12340100000100000000000007"
                                                                    "4578616d706c65"
                                                                    "03"
                                                                    "636f6d"
                                                                    "00"
                                                                    "0001"
                                                                    "0001"));
    const std::pair<const char*, const char*> types[] = {
        {"A", "0001"},   {"aaaa", "001c"}, {"NS", "0002"},  {"MX", "000f"},  {"TXT", "0010"},
        {"SOA", "0006"}, {"PTR", "000c"},  {"ANY", "00ff"}, {"257", "0101"}, {"65535", "ffff"}};
    for (const auto& [type, hex] : types)
        EXPECT_EQ(written(preset(std::string("dns:a.,") + type).dialect.payload, 0),
                  bytes_from_hex(std::string("000001000001000000000000") +
                                 "0161"
                                 "00" +
                                 hex + "0001"))
            << type;
    EXPECT_EQ(written(preset("dns:.,NS").dialect.payload, 0), bytes_from_hex("000001000001000000000000"
                                                                             "00"
                                                                             "0002"
                                                                             "0001"))
        << "the root";
    const std::string label(63, 'x');
    preset("dns:" + label + "." + label + "." + label + "." + std::string(61, 'x'));
}

TEST(ProbePreset, memcached_gets) {
    const Preset made = preset("memcached-get:a{b");
    EXPECT_EQ(made.port, 11211);
    EXPECT_EQ(made.dialect.match, *MatchRule::parse("0:2"));
    EXPECT_EQ(written(made.dialect.payload, 0x10203), bytes_from_hex("0203000000010000676574206"
                                                                     "17b620d0a"));
    preset("memcached-get:" + std::string(250, 'k'));
}

TEST(ProbePreset, ntp_requests) {
    const Preset made = preset("ntp");
    EXPECT_EQ(made.port, 123);
    EXPECT_EQ(made.dialect.match, (MatchRule{MatchRule::Kind::bytes, 8, 40, 24}));
    const Bytes bytes = written(made.dialect.payload, 0x01020304);
    ASSERT_EQ(bytes.size(), 48u);
    EXPECT_EQ(bytes[0], std::byte{0x23});
    EXPECT_EQ(Bytes(bytes.begin() + 1, bytes.begin() + 40), Bytes(39));
    EXPECT_EQ(Bytes(bytes.begin() + 44, bytes.end()), bytes_from_hex("01020304"));
}

TEST(ProbePreset, errors_have_a_position) {
    const std::string label(63, 'x'), longest = label + "." + label + "." + label + "." + std::string(61, 'x');
    const std::pair<std::string, std::size_t> wrong[] = {{"", 0},
                                                         {"smtp", 0},
                                                         {"ntp:", 0},
                                                         {"dns", 3},
                                                         {"dns:", 4},
                                                         {"dns:,A", 4},
                                                         {"dns:..", 4},
                                                         {"dns:.a", 4},
                                                         {"dns:a..b", 6},
                                                         {"dns:a.b..", 6},
                                                         {"dns:ab.c d", 8},
                                                         {"dns:a\\x", 5},
                                                         {"dns:{seq:u8}", 4},
                                                         {"dns:b." + label + "x", 6},
                                                         {"dns:" + longest + "x", 4},
                                                         {"dns:a,", 6},
                                                         {"dns:a,AXFR", 6},
                                                         {"dns:a,0", 6},
                                                         {"dns:a,65536", 6},
                                                         {"memcached-get", 13},
                                                         {"memcached-get:", 14},
                                                         {"memcached-get:a b", 15},
                                                         {"memcached-get:a\n", 15},
                                                         {"memcached-get:" + std::string(251, 'k'), 14}};
    for (const auto& [text, position] : wrong) {
        const auto parsed = parse_preset(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().position, position) << text << ": " << parsed.error().reason;
    }
}

}  // namespace
}  // namespace ringpost::traffic
