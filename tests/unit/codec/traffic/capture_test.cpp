#include "codec/traffic/capture.hpp"

#include <gtest/gtest.h>

#include <string>

#include "codec/base/bytes.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

const std::string udp =
    "1111"
    "2222"
    "000b"
    "0000"
    "616263";  // "abc"
const std::string v4_head =
    "4500"
    "001f"
    "0000"
    "4000"
    "4011"
    "0000"
    "0a000001"
    "0a000002";
const std::string addresses = std::string(64, '0');
const std::string v6_head =
    "60000000"
    "000b"
    "11"
    "40" +
    addresses;
const std::string macs = std::string(24, '7');

std::string payload_of(Link link, const std::string& hex) {
    const Bytes packet = bytes_from_hex(hex);
    const auto found = udp_datagram(link, packet);
    if (!found) {
        return std::string("skipped: ") + describe(found.error());
    }
    return {reinterpret_cast<const char*>(found->payload.data()), found->payload.size()};
}

TEST(Capture, every_link_type_and_both_families) {
    for (const auto& [type, ip] : {std::pair{"0800", v4_head + udp}, std::pair{"86dd", v6_head + udp}}) {
        EXPECT_EQ(payload_of(Link::raw, ip), "abc");
        EXPECT_EQ(payload_of(Link::ethernet, macs + type + ip), "abc");
        EXPECT_EQ(payload_of(Link::ethernet, macs + type + ip + "000000"), "abc") << "padding is not payload";
        EXPECT_EQ(payload_of(Link::ethernet, macs + "81000001" + type + ip), "abc");
        EXPECT_EQ(payload_of(Link::ethernet, macs +
                                                 "88a80001"
                                                 "81000002" +
                                                 type + ip),
                  "abc");
        EXPECT_EQ(payload_of(Link::linux_cooked, std::string(28, '0') + type + ip), "abc");
        EXPECT_EQ(payload_of(Link::linux_cooked_2, type + std::string(36, '0') + ip), "abc");
        EXPECT_EQ(payload_of(Link::loopback, "02000000" + ip), "abc") << "whatever the family's number";
    }
}

TEST(Capture, source_and_destination) {
    const Bytes v4 = bytes_from_hex(v4_head + udp);
    auto found = udp_datagram(Link::raw, v4);
    ASSERT_TRUE(found);
    const auto port = [&](std::size_t at) { return static_cast<std::uint16_t>(load_be<std::uint16_t>(&v4[20 + at])); };
    EXPECT_EQ(found->source, Address::v4(10, 0, 0, 1, port(0)));
    EXPECT_EQ(found->destination, Address::v4(10, 0, 0, 2, port(2)));
    Bytes v6 = bytes_from_hex(v6_head + udp);
    v6[24] = std::byte{0xfd};
    v6[39] = std::byte{7};
    found = udp_datagram(Link::raw, v6);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->destination.family, Family::v6);
    EXPECT_EQ(found->destination.ip[0], 0xfd);
    EXPECT_EQ(found->destination.ip[15], 7);
    EXPECT_EQ(found->destination.port, port(2));
}

TEST(Capture, options_and_extensions_are_skipped) {
    EXPECT_EQ(payload_of(Link::raw,
                         "4600"
                         "0023"
                         "00000000"
                         "4011"
                         "0000"
                         "0a0000010a000002"
                         "01010101" +
                             udp),
              "abc");
    EXPECT_EQ(payload_of(Link::raw,
                         "60000000"
                         "0023"
                         "00"
                         "40" +
                             addresses +
                             "2b00000000000000"
                             "3c00000000000000" +
                             "1100000000000000" + udp),
              "abc");
    EXPECT_EQ(payload_of(Link::raw,
                         "60000000"
                         "0013"
                         "2c"
                         "40" +
                             addresses + "1100000000000001" + udp),
              "abc")
        << "an atomic fragment is the whole (RFC 6946)";
}

TEST(Capture, fragments) {
    for (const char* flags : {"2000", "0001", "3fff"})
        EXPECT_EQ(payload_of(Link::raw,
                             "4500"
                             "001f"
                             "0000" +
                                 std::string(flags) +
                                 "4011"
                                 "0000"
                                 "0a0000010a000002" +
                                 udp),
                  "skipped: fragmented");
    for (const char* offset : {"0001", "0008"})
        EXPECT_EQ(payload_of(Link::raw,
                             "60000000"
                             "0013"
                             "2c"
                             "40" +
                                 addresses + "1100" + offset + "00000001" + udp),
                  "skipped: fragmented");
}

TEST(Capture, frames_that_are_not_udp_are_named) {
    const std::string frame = v4_head + udp;
    const std::pair<const char*, const char*> types[] = {{"0806", "ARP"},
                                                         {"8847", "MPLS"},
                                                         {"8848", "MPLS"},
                                                         {"8863", "PPPoE without IP"},
                                                         {"05dc", "802.3 LLC"},
                                                         {"0026", "802.3 LLC"},
                                                         {"88cc", "of another frame type"},
                                                         {"05dd", "of another frame type"}};
    for (const auto& [type, name] : types)
        EXPECT_EQ(payload_of(Link::ethernet, macs + type + frame), std::string("skipped: ") + name) << type;
    const std::pair<const char*, const char*> protocols[] = {{"06", "TCP"},
                                                             {"01", "ICMP"},
                                                             {"3a", "ICMP"},
                                                             {"02", "of another IP protocol"},
                                                             {"2f", "of another IP protocol"}};
    for (const auto& [protocol, name] : protocols) {
        const std::string skipped = std::string("skipped: ") + name;
        EXPECT_EQ(payload_of(Link::raw, "4500001f0000000040" + std::string(protocol) + "00000a0000010a000002" + udp),
                  skipped);
        EXPECT_EQ(payload_of(Link::raw, "60000000000b" + std::string(protocol) + "40" + addresses + udp), skipped);
    }
    EXPECT_EQ(payload_of(Link::raw, std::string(80, '0')), "skipped: of another frame type");
}

TEST(Capture, vlan_tags_of_every_type_and_number) {
    for (const auto& [type, ip] : {std::pair{"0800", v4_head + udp}, std::pair{"86dd", v6_head + udp}})
        for (const char* outer : {"8100", "88a8", "9100", "9200", "9300"}) {
            EXPECT_EQ(payload_of(Link::ethernet, macs + outer + "0001" + type + ip), "abc") << outer;
            EXPECT_EQ(payload_of(Link::ethernet, macs + outer + "0001" + "8100" + "0002" + type + ip), "abc") << outer;
            EXPECT_EQ(payload_of(Link::ethernet, macs + outer + "0001" + "9100" + "0002" + "81000003" + type + ip),
                      "abc")
                << outer;
            EXPECT_EQ(payload_of(Link::ethernet, macs + outer + "0001" + "0806" + ip), "skipped: ARP") << outer;
        }
}

TEST(Capture, pppoe_sessions) {
    const std::string v4_session =
        "110000070021"
        "0021" +
        v4_head + udp;  // 2 + 31 bytes
    const std::string v6_session =
        "110000070035"
        "0057" +
        v6_head + udp;  // 2 + 51 bytes
    EXPECT_EQ(payload_of(Link::ethernet, macs + "8864" + v4_session), "abc");
    EXPECT_EQ(payload_of(Link::ethernet, macs + "8864" + v4_session + "0000"), "abc") << "padding";
    EXPECT_EQ(payload_of(Link::ethernet, macs + "8864" + v6_session), "abc");
    EXPECT_EQ(payload_of(Link::ethernet, macs + "81000007" + "8864" + v4_session), "abc");
    EXPECT_EQ(payload_of(Link::linux_cooked, std::string(28, '0') + "8864" + v4_session), "abc");
    EXPECT_EQ(payload_of(Link::ethernet, macs + "8864" +
                                             "110000070020"
                                             "21" +
                                             v4_head + udp),
              "abc")
        << "a compressed protocol field";
    EXPECT_EQ(payload_of(Link::ethernet, macs + "8864" +
                                             "11000007000a"
                                             "c021"
                                             "0901000800000000"),
              "skipped: PPPoE without IP")
        << "an LCP echo request";
    EXPECT_EQ(payload_of(Link::ethernet, macs + "8864" +
                                             "110000070010"
                                             "0021" +
                                             v4_head + udp),
              "skipped: cut off")
        << "a length shorter than the IP packet";
}

TEST(Capture, any_truncation_is_detected) {
    for (const std::string& whole : {macs + "0800" + v4_head + udp, macs + "86dd" + v6_head + udp,
                                     macs + "8864" + "110000070021" + "0021" + v4_head + udp,
                                     macs +
                                         "81000001"
                                         "86dd"
                                         "60000000"
                                         "0013"
                                         "00"
                                         "40" +
                                         addresses + "1100000000000000" + udp})
        for (std::size_t size = 0; size < whole.size(); size += 2)
            ASSERT_EQ(payload_of(Link::ethernet, whole.substr(0, size)), "skipped: cut off") << size / 2;
    EXPECT_EQ(payload_of(Link::raw, ""), "skipped: cut off");
}

TEST(Capture, inconsistent_lengths) {
    EXPECT_EQ(payload_of(Link::raw, v4_head + "11112222"
                                              "0007"
                                              "0000"
                                              "616263"),
              "skipped: cut off");
    EXPECT_EQ(payload_of(Link::raw, v4_head + "11112222"
                                              "000c"
                                              "0000"
                                              "616263"
                                              "64"),
              "skipped: cut off");
    EXPECT_EQ(payload_of(Link::raw,
                         "4400"
                         "001f"
                         "00000000"
                         "4011"
                         "0000"
                         "0a0000010a000002" +
                             udp),
              "skipped: cut off");
    EXPECT_EQ(payload_of(Link::raw,
                         "4500"
                         "0010"
                         "00000000"
                         "4011"
                         "0000"
                         "0a0000010a000002" +
                             udp),
              "skipped: cut off");
    EXPECT_EQ(payload_of(Link::raw, v4_head + "11112222"
                                              "0008"
                                              "0000"
                                              "616263"),
              "")
        << "an empty payload";
}

}  // namespace
}  // namespace ringpost::traffic
