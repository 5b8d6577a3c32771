// Replies as bytes, written from the RFCs.

#include "codec/traffic/answers.hpp"

#include <gtest/gtest.h>

#include <string>

#include "codec/traffic/presets.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

/// The status and whether it is an error: `REFUSED!`, or "" for what is not a reply.
std::string status_of(const AnswerCheck& check, const Bytes& reply) {
    const auto status = check.inspect(reply);
    if (!status) return "";
    const AnswerCheck::Status& row = check.statuses()[*status];
    return std::string(row.name) + (row.error ? "!" : "");
}

AnswerCheck preset_check(std::string_view text) {
    const auto preset = parse_preset(text);
    EXPECT_TRUE(preset) << text;
    return preset ? preset->dialect.check : AnswerCheck{};
}

TEST(AnswerCheck, checks_nothing_by_default) {
    const AnswerCheck none;
    EXPECT_FALSE(none.any());
    EXPECT_TRUE(none.statuses().empty());
    EXPECT_FALSE(none.inspect(bytes_of("anything")));
}

// RFC 1035, 4.1.1: id, QR OPCODE AA TC RD RA Z RCODE, and the numbers of records; then the question.
const std::string question =
    "0761626361626361"  // "abcabca", 7 letters
    "03636f6d"
    "00"
    "0001"
    "0001";
const std::string records = "c00c00010001000000050004c0000201";  // A 192.0.2.1, its name a pointer to the question

std::string dns_reply(const std::string& flags, const std::string& rest = question) {
    return "1234" + flags + "0001" + "0000" + "0000" + "0000" + rest;
}

TEST(AnswerCheck, dns_response_codes) {
    const AnswerCheck check = preset_check("dns:abcabca.com");
    EXPECT_EQ(status_of(check, bytes_from_hex("1234"
                                              "8180"
                                              "0001"
                                              "0001"
                                              "0000"
                                              "0000" +
                                              question + records)),
              "NOERROR");
    const char* const names[] = {"NOERROR",   "FORMERR!",  "SERVFAIL!", "NXDOMAIN!", "NOTIMP!",  "REFUSED!",
                                 "YXDOMAIN!", "YXRRSET!",  "NXRRSET!",  "NOTAUTH!",  "NOTZONE!", "DSOTYPENI!",
                                 "rcode 12!", "rcode 13!", "rcode 14!", "rcode 15!"};
    for (std::size_t code = 0; code < 16; ++code)
        EXPECT_EQ(status_of(check, bytes_from_hex(dns_reply(std::string("818") + "0123456789abcdef"[code]))),
                  names[code]);
}

TEST(AnswerCheck, dns_truncation) {
    const AnswerCheck check = preset_check("dns:abcabca.com");
    EXPECT_EQ(status_of(check, bytes_from_hex(dns_reply("8380"))), "truncated!");
    EXPECT_EQ(status_of(check, bytes_from_hex(dns_reply("8200"))), "truncated!");
    EXPECT_EQ(status_of(check, bytes_from_hex(dns_reply("8385"))), "REFUSED!") << "the code has more bits";
}

TEST(AnswerCheck, dns_replies_have_the_question) {
    const AnswerCheck check = preset_check("dns:abcabca.com");
    EXPECT_EQ(status_of(check, bytes_from_hex(dns_reply("8180",
                                                        "0741624361426361"
                                                        "03434f4d"
                                                        "00"
                                                        "0001"
                                                        "0001"))),
              "NOERROR")
        << "in another case";
    EXPECT_EQ(status_of(check, bytes_from_hex(dns_reply("0100"))), "") << "the query itself";
    EXPECT_EQ(status_of(check, bytes_from_hex(dns_reply("9000"))), "") << "a status response";
    EXPECT_EQ(status_of(check, bytes_from_hex(dns_reply("8180",
                                                        "0761626361626362"
                                                        "03636f6d"
                                                        "00"
                                                        "0001"
                                                        "0001"))),
              "")
        << "another name";
    EXPECT_EQ(status_of(check, bytes_from_hex(dns_reply("8180",
                                                        "0761626361626361"
                                                        "03636f6d"
                                                        "00"
                                                        "001c"
                                                        "0001"))),
              "")
        << "another type";
    EXPECT_EQ(status_of(check, bytes_from_hex(dns_reply("8180",
                                                        "0761626361626361"
                                                        "03636f6d"
                                                        "00"
                                                        "0001"
                                                        "0003"))),
              "")
        << "another class";
    EXPECT_EQ(status_of(check, bytes_from_hex("1234"
                                              "8180"
                                              "0000"
                                              "0000"
                                              "0000"
                                              "0000")),
              "")
        << "no question";
    EXPECT_EQ(status_of(check, bytes_from_hex("1234"
                                              "8181"
                                              "0000"
                                              "0000"
                                              "0000"
                                              "0000")),
              "FORMERR!")
        << "errors may lack it";
    EXPECT_EQ(status_of(check, bytes_from_hex("1234"
                                              "8180"
                                              "0002"
                                              "0000"
                                              "0000"
                                              "0000" +
                                              question + question)),
              "");
    const Bytes whole = bytes_from_hex(dns_reply("8180"));
    for (std::size_t size = 0; size < whole.size(); ++size)
        EXPECT_EQ(status_of(check, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))), "");
}

TEST(AnswerCheck, dns_types_are_compared_exactly) {
    const AnswerCheck check = preset_check("dns:.,65");  // 0x41, the letter A
    EXPECT_EQ(status_of(check, bytes_from_hex(dns_reply("8180",
                                                        "00"
                                                        "0041"
                                                        "0001"))),
              "NOERROR");
    EXPECT_EQ(status_of(check, bytes_from_hex(dns_reply("8180",
                                                        "00"
                                                        "0061"
                                                        "0001"))),
              "");
}

// RFC 5905, 7.3: leap indicator, version and mode; stratum, poll, precision; root delay, root dispersion, reference id;
// reference, origin, receive and transmit timestamp.
Bytes ntp_reply(const std::string& first, const std::string& stratum, const std::string& id,
                const std::string& transmit = "e000000000000001") {
    return bytes_from_hex(first + stratum + "06ec" + "00000000" + "00000000" + id + "e000000000000000" +
                          "1111111111111111" + "e000000000000000" + transmit);
}

TEST(AnswerCheck, ntp_servers) {
    const AnswerCheck check = preset_check("ntp");
    EXPECT_EQ(status_of(check, ntp_reply("24", "01", "47505300")), "synchronized");
    EXPECT_EQ(status_of(check, ntp_reply("24", "0f", "0a000001")), "synchronized");
    EXPECT_EQ(status_of(check, ntp_reply("64", "02", "0a000001")), "synchronized") << "a leap second today";
    EXPECT_EQ(status_of(check, ntp_reply("1c", "02", "0a000001")), "synchronized") << "version 3";
    EXPECT_EQ(status_of(check, ntp_reply("e4", "02", "0a000001")), "unsynchronized!") << "leap indicator: unknown";
    EXPECT_EQ(status_of(check, ntp_reply("24", "10", "0a000001")), "unsynchronized!") << "stratum 16";
    EXPECT_EQ(status_of(check, ntp_reply("24", "ff", "0a000001")), "unsynchronized!");
    EXPECT_EQ(status_of(check, ntp_reply("24", "02", "0a000001", "0000000000000000")), "unsynchronized!");
}

TEST(AnswerCheck, ntp_kisses_of_death) {
    const AnswerCheck check = preset_check("ntp");
    EXPECT_EQ(status_of(check, ntp_reply("e4", "00", "52415445")), "kiss-o'-death RATE!");
    EXPECT_EQ(status_of(check, ntp_reply("24", "00", "44454e59")), "kiss-o'-death DENY!");
    EXPECT_EQ(status_of(check, ntp_reply("e4", "00", "494e4954")), "kiss-o'-death INIT!");
    EXPECT_EQ(status_of(check, ntp_reply("e4", "00", "4e54534e")), "kiss-o'-death NTSN!");
    for (const char* unknown : {"00000000", "58595a31", "65617468", "2d6f272d"})
        EXPECT_EQ(status_of(check, ntp_reply("e4", "00", unknown)), "kiss-o'-death!") << unknown;
}

TEST(AnswerCheck, ntp_packets_that_are_no_reply) {
    const AnswerCheck check = preset_check("ntp");
    for (const char* first : {"23", "21", "22", "25", "26", "27", "20"})
        EXPECT_EQ(status_of(check, ntp_reply(first, "01", "47505300")), "") << first;
    Bytes shorter = ntp_reply("24", "01", "47505300");
    shorter.pop_back();
    EXPECT_EQ(status_of(check, shorter), "");
    EXPECT_EQ(status_of(check, {}), "");
}

// doc/protocol.txt: request id, sequence number, total number of datagrams, reserved.
Bytes memcached_reply(std::string_view text, const std::string& frame = "0001000000010000") {
    Bytes out = bytes_from_hex(frame);
    const Bytes body = bytes_of(text);
    out.insert(out.end(), body.begin(), body.end());
    return out;
}

TEST(AnswerCheck, memcached_hits_and_misses) {
    const AnswerCheck check = preset_check("memcached-get:key");
    EXPECT_EQ(status_of(check, memcached_reply("VALUE key 0 5\r\nvalue\r\nEND\r\n")), "hit");
    EXPECT_EQ(status_of(check, memcached_reply("VALUE key 0 9000\r\nxxx", "0001000000070000")), "hit");
    EXPECT_EQ(status_of(check, memcached_reply("xxxxxx", "0001000300070000")), "hit") << "a later datagram of one";
    EXPECT_EQ(status_of(check, memcached_reply("END\r\n")), "miss!");
}

TEST(AnswerCheck, memcached_errors) {
    const AnswerCheck check = preset_check("memcached-get:key");
    EXPECT_EQ(status_of(check, memcached_reply("ERROR\r\n")), "ERROR!");
    EXPECT_EQ(status_of(check, memcached_reply("CLIENT_ERROR line format\r\n")), "CLIENT_ERROR!");
    EXPECT_EQ(status_of(check, memcached_reply("SERVER_ERROR out of memory\r\n")), "SERVER_ERROR!");
    for (const char* text :
         {"", "VALUE", "VALUE ", "VALUE key", "VALUE keys 0 1\r\nx\r\nEND\r\n", "value key 0 1", "END", "STORED\r\n"})
        EXPECT_EQ(status_of(check, memcached_reply(text)), "unexpected content!") << text;
}

TEST(AnswerCheck, memcached_datagrams_that_are_no_reply) {
    const AnswerCheck check = preset_check("memcached-get:key");
    EXPECT_EQ(status_of(check, memcached_reply("get key\r\n")), "") << "the request itself";
    EXPECT_EQ(status_of(check, memcached_reply("END\r\n", "0001000000000000")), "") << "0 of 0";
    EXPECT_EQ(status_of(check, memcached_reply("END\r\n", "0001000200020000")), "");
    EXPECT_EQ(status_of(check, bytes_from_hex("00010000000100")), "") << "a cut frame";
}

TEST(AnswerCheck, expected_size_and_bytes) {
    Expectation wanted;
    EXPECT_FALSE(wanted.any());
    wanted.size_min = 4;
    wanted.size_max = 8;
    wanted.parts.push_back({2, bytes_of("ok")});
    wanted.texts.push_back(bytes_of("a"));
    EXPECT_TRUE(wanted.any());
    const AnswerCheck check = AnswerCheck::expected(wanted);
    EXPECT_EQ(status_of(check, bytes_of("a ok")), "expected");
    EXPECT_EQ(status_of(check, bytes_of("..okxxxa")), "expected");
    EXPECT_EQ(status_of(check, bytes_of("aok")), "unexpected size!");
    EXPECT_EQ(status_of(check, bytes_of("a ok56789")), "unexpected size!");
    EXPECT_EQ(status_of(check, {}), "unexpected size!");
    EXPECT_EQ(status_of(check, bytes_of("a  ok")), "unexpected content!");
    EXPECT_EQ(status_of(check, bytes_of("..ok")), "unexpected content!");
}

TEST(AnswerCheck, a_part_beyond_the_reply_is_unexpected) {
    Expectation wanted;
    wanted.parts.push_back({3, bytes_of("x")});
    const AnswerCheck check = AnswerCheck::expected(wanted);
    EXPECT_EQ(status_of(check, bytes_of("abc")), "unexpected content!");
    EXPECT_EQ(status_of(check, {}), "unexpected content!");
    EXPECT_EQ(status_of(check, bytes_of("abcx")), "expected");
}

}  // namespace
}  // namespace ringpost::traffic
