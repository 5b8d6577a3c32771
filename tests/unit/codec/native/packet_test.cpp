#include "codec/native/packet.hpp"

#include <gtest/gtest.h>

#include "codec/native/limits.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::native {
namespace {

ShortHeader sample_short_header() {
    return {{7, {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}, std::byte{5}, std::byte{6}}},
            0x89abcdef,
            true,
            0x15};
}

TEST(Packet, short_header_has_the_documented_bytes) {
    Bytes out(short_header_bytes);
    write_short_header(out.data(), sample_short_header());
    EXPECT_EQ(out, bytes_from_hex("7507010203040506efcdab89"));
    EXPECT_EQ(parse_short_header(out), sample_short_header());
    ShortHeader plain = sample_short_header();
    plain.key_phase = false;
    plain.random = 0xff;
    write_short_header(out.data(), plain);
    EXPECT_EQ(out[0], std::byte{0x5f}) << "more than five random bits";
}

TEST(Packet, short_header_is_not_found_in_less_or_in_other_forms) {
    Bytes out(short_header_bytes + 30);
    write_short_header(out.data(), sample_short_header());
    for (std::size_t size = 0; size <= out.size(); ++size)
        EXPECT_EQ(parse_short_header(std::span(out).first(size)).has_value(), size >= short_header_bytes) << size;
    for (int first = 0; first < 256; ++first) {
        out[0] = static_cast<std::byte>(first);
        const Form form = first < 64    ? Form::foreign
                          : first < 128 ? Form::short_packet
                          : first < 192 ? Form::foreign
                                        : Form::long_packet;
        EXPECT_EQ(form_of(out), form) << first;
        EXPECT_EQ(parse_short_header(out).has_value(), form == Form::short_packet) << first;
    }
    EXPECT_EQ(form_of({}), Form::foreign);
}

TEST(Packet, full_number_is_the_closest) {
    // The example of RFC 9000, A.3, with 32 bits.
    EXPECT_EQ(full_number(0xa82f30eb, 0xa82f9b32), 0xa82f9b32u);
    constexpr std::uint64_t period = std::uint64_t{1} << 32;
    for (const std::uint64_t expected :
         {std::uint64_t{0}, std::uint64_t{1}, period / 2, period - 1, period, 5 * period + 17, UINT64_MAX - period}) {
        for (const std::int64_t distance :
             {std::int64_t{0}, std::int64_t{1}, std::int64_t{-1}, std::int64_t{65'536}, std::int64_t{-65'536},
              std::int64_t{0x7fff'ffff}, std::int64_t{-0x7fff'ffff}}) {
            if (distance < 0 && expected < static_cast<std::uint64_t>(-distance)) continue;
            const std::uint64_t number = expected + static_cast<std::uint64_t>(distance);
            EXPECT_EQ(full_number(expected, static_cast<std::uint32_t>(number)), number) << expected << ' ' << distance;
        }
    }
    EXPECT_EQ(full_number(0, 0xffff'ffff), 0xffff'ffffu) << "no number below zero";
    EXPECT_EQ(full_number(UINT64_MAX, 3), UINT64_MAX - 0xffff'ffff + 3) << "no number past 2^64";
}

template <std::size_t size>
std::array<std::byte, size> counted_bytes(int first) {
    std::array<std::byte, size> out;
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>(first + static_cast<int>(i));
    return out;
}

LongHeader sample_long_header() { return {version_1, 3, 1, counted_bytes<4>(0x21), {9, counted_bytes<6>(0x31)}}; }

/// One of each type, with its bytes.
std::vector<std::pair<LongPacket, Bytes>> sample_long_packets(std::span<const std::byte> noise) {
    const LongHeader header = sample_long_header();
    const Id other{8, counted_bytes<6>(0x41)};
    std::vector<std::pair<LongPacket, Bytes>> out;
    const auto add = [&out](const LongPacket& packet, std::size_t size) {
        Bytes bytes(init_bytes, std::byte{0xee});
        const std::size_t written = std::visit(
            [&bytes]<class Packet>(const Packet& each) {
                if constexpr (std::is_same_v<Packet, InitPacket>) return write_init(bytes, each);
                if constexpr (std::is_same_v<Packet, ResponsePacket>) return write_response(bytes, each);
                if constexpr (std::is_same_v<Packet, CookiePacket>) return write_cookie(bytes, each);
                if constexpr (std::is_same_v<Packet, VersionsPacket>) return write_versions(bytes, each);
                if constexpr (std::is_same_v<Packet, ResetPacket>) return write_reset(bytes, each, 40);
            },
            packet);
        EXPECT_EQ(written, size);
        bytes.resize(written);
        out.emplace_back(packet, bytes);
    };
    add(InitPacket{header, counted_bytes<8>(0x51), counted_bytes<16>(0x61), {}, noise}, init_bytes);
    add(ResponsePacket{header, other, noise}, 26 + noise.size());
    add(CookiePacket{header, other, counted_bytes<16>(0x71), {}}, cookie_packet_bytes);
    add(VersionsPacket{header, other, {1, 0xfa}, 2, {}}, versions_packet_bytes);
    add(ResetPacket{header, other, counted_bytes<16>(0x81)}, 40);
    for (auto& [packet, bytes] : out)
        if (!std::holds_alternative<ResponsePacket>(packet) && !std::holds_alternative<ResetPacket>(packet))
            write_mac(bytes, counted_bytes<16>(0x91));
    return out;
}

TEST(Packet, long_packets_have_the_documented_bytes) {
    const Bytes noise = bytes_from_hex("aabbcc");
    const auto all = sample_long_packets(noise);
    const std::string rest = "010301212223240931323334353600", other = "0841424344454600";
    const std::string mac = "9192939495969798999a9b9c9d9e9fa0";
    const std::string zeros(2 * (init_bytes - 61), '0');
    EXPECT_EQ(all[0].second, bytes_from_hex("c1" + rest + "5152535455565758" + "6162636465666768696a6b6c6d6e6f70" +
                                            mac + "0300aabbcc" + zeros));
    EXPECT_EQ(all[1].second, bytes_from_hex("c2" + rest + other + "0300aabbcc"));
    EXPECT_EQ(all[2].second, bytes_from_hex("c3" + rest + other + "7172737475767778797a7b7c7d7e7f80" + mac));
    EXPECT_EQ(all[3].second, bytes_from_hex("c4" + rest + other + "0201fa" + std::string(26, '0') + mac));
    EXPECT_EQ(all[4].second, bytes_from_hex("c5" + rest + other + "8182838485868788898a8b8c8d8e8f90"));
}

TEST(Packet, long_packets_are_read_as_written) {
    const Bytes noise = bytes_from_hex("aabbcc");
    const auto all = sample_long_packets(noise);
    const auto init = std::get<InitPacket>(*parse_long(all[0].second));
    EXPECT_EQ(init.header, sample_long_header());
    EXPECT_EQ(init.key_id, counted_bytes<8>(0x51));
    EXPECT_EQ(init.cookie, counted_bytes<16>(0x61));
    EXPECT_EQ(init.mac, counted_bytes<16>(0x91));
    EXPECT_EQ(Bytes(init.noise.begin(), init.noise.end()), noise);
    const auto response = std::get<ResponsePacket>(*parse_long(all[1].second));
    EXPECT_EQ(response.destination, std::get<ResponsePacket>(all[1].first).destination);
    EXPECT_EQ(Bytes(response.noise.begin(), response.noise.end()), noise);
    const auto cookie = std::get<CookiePacket>(*parse_long(all[2].second));
    EXPECT_EQ(cookie.cookie, counted_bytes<16>(0x71));
    EXPECT_EQ(cookie.mac, counted_bytes<16>(0x91));
    const auto versions = std::get<VersionsPacket>(*parse_long(all[3].second));
    EXPECT_EQ(versions.count, 2);
    EXPECT_EQ(versions.versions[1], 0xfa);
    EXPECT_EQ(versions.mac, counted_bytes<16>(0x91));
    EXPECT_EQ(std::get<ResetPacket>(*parse_long(all[4].second)).token, counted_bytes<16>(0x81));
    for (const auto& [packet, bytes] : all) {
        const Id* const destination = destination_of(packet);
        ASSERT_EQ(destination == nullptr, std::holds_alternative<InitPacket>(packet));
        if (destination != nullptr) {
            EXPECT_EQ(*destination, response.destination);
        }
    }
}

TEST(Packet, long_packets_of_other_sizes_are_refused) {
    const Bytes noise(100, std::byte{7});
    for (const auto& [packet, bytes] : sample_long_packets(noise)) {
        for (std::size_t size = 0; size < bytes.size(); ++size)
            EXPECT_FALSE(parse_long(std::span(bytes).first(size))) << int(bytes[0]) << ' ' << size;
        Bytes longer = bytes;
        longer.resize(bytes.size() + 24);
        EXPECT_FALSE(parse_long(longer)) << int(bytes[0]);
    }
}

TEST(Packet, each_fault_of_a_long_packet_is_named) {
    const Bytes noise(100, std::byte{7});
    const auto all = sample_long_packets(noise);
    const auto changed = [&all](std::size_t which, std::size_t at, int value) {
        Bytes bytes = all[which].second;
        bytes[at] = static_cast<std::byte>(value);
        const auto parsed = parse_long(bytes);
        return parsed ? std::optional<PacketError>() : parsed.error();
    };
    for (std::size_t which = 0; which < all.size(); ++which) {
        EXPECT_EQ(changed(which, 15, 1), PacketError::not_zero);
        for (const int type : {0xc0, 0xc6, 0xff, 0x41, 0x81, 0x00})
            EXPECT_EQ(changed(which, 0, type), PacketError::unknown_type);
        if (which > 0) {
            EXPECT_EQ(changed(which, 23, 1), PacketError::not_zero);
        }
        const bool in_any_version = which == 0 || which == 3;
        EXPECT_EQ(changed(which, 1, 2), in_any_version ? std::nullopt : std::optional(PacketError::unknown_version));
    }
    EXPECT_EQ(changed(0, 57, 5), PacketError::bad_length);
    EXPECT_EQ(changed(0, 56, 0), PacketError::bad_length);
    EXPECT_EQ(changed(0, 56, 99), PacketError::not_zero) << "the last byte of the message is taken for padding";
    EXPECT_EQ(changed(0, 1'199, 1), PacketError::not_zero);
    EXPECT_EQ(changed(1, 24, 99), PacketError::bad_length);
    EXPECT_EQ(changed(3, 24, 0), PacketError::bad_count);
    EXPECT_EQ(changed(3, 24, 16), PacketError::bad_count);
    EXPECT_EQ(changed(3, 27, 1), PacketError::not_zero);
    EXPECT_EQ(parse_long({}).error(), PacketError::unknown_type);
}

}  // namespace
}  // namespace ringpost::native
