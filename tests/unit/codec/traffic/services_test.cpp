// Requests and replies of the presets in presets_of_services.cpp. Bytes are those that the documents print, or are
// written by hand from them.

#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "codec/traffic/presets.hpp"
#include "codec/traffic/prober.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost::traffic {
namespace {

Preset service(std::string_view text) {
    auto parsed = parse_preset(text);
    EXPECT_TRUE(parsed) << text << ": " << (parsed ? "" : parsed.error().reason);
    return parsed ? std::move(*parsed) : Preset{};
}

Bytes probe_of(const Payload& payload, std::uint64_t number, Instant due = 0) {
    Bytes out(payload.bytes_max());
    out.resize(payload.write(out, {.sequence = number, .in_flow = number, .due = due, .seed = 1}));
    return out;
}

std::string request_text(const Payload& payload, std::uint64_t number, Instant due = 0) {
    const Bytes bytes = probe_of(payload, number, due);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// `REFUSED!` for an error, `challenge...` for a step, "" for what is not a reply.
std::string status_text(const AnswerCheck& check, const Bytes& reply) {
    const auto status = check.inspect(reply);
    if (!status) return "";
    const AnswerCheck::Status& row = check.statuses()[*status];
    return std::string(row.name) + (row.error ? "!" : "") + (row.step ? "..." : "");
}

/// Whether the reply is matched to the request by the preset's rule.
bool matches(const Dialect& dialect, const Bytes& sent, const Bytes& reply) {
    Matcher matcher(dialect.match, SipKey{}, 16, second);
    matcher.sent(0, 0, 0, sent);
    return matcher.answer(dialect.check.matched_part(reply)).kind == Reply::Kind::answer;
}

TEST(ServicePreset, statsd_counters) {
    const Preset made = service("statsd:a.b{c}");
    EXPECT_EQ(made.port, 8125);
    EXPECT_FALSE(made.replies);
    EXPECT_EQ(request_text(made.dialect.payload, 5), "a.b{c}:1|c");
}

// RFC 5424, 6: HEADER, STRUCTURED-DATA, MSG
TEST(ServicePreset, syslog_messages) {
    constexpr Instant due = 1'764'534'289'123'456'789;
    const Preset made = service("syslog:user {seq} of {pick:x|x}");
    EXPECT_EQ(made.port, 514);
    EXPECT_FALSE(made.replies);
    EXPECT_EQ(request_text(made.dialect.payload, 12, due),
              "<13>1 2025-11-30T20:24:49.123456Z - ringpost - - - user 12 of x");
    EXPECT_EQ(request_text(service("syslog").dialect.payload, 0, due),
              "<13>1 2025-11-30T20:24:49.123456Z - ringpost - - - message 0");
}

// RFC 3416, 3, in BER.
TEST(ServicePreset, snmp_requests) {
    const Preset made = service("snmp-get:1.3.6.1.2.1.1.3.0");
    EXPECT_EQ(made.port, 161);
    const Bytes sent = probe_of(made.dialect.payload, 0x1234);
    Bytes expected = bytes_from_hex(
        "3029020101"
        "04067075626c6963"
        "a01c"
        "02044e001234"
        "020100020100"
        "300e300c06082b060102010103000500");
    ASSERT_EQ(sent.size(), expected.size());
    expected[18] = sent[18];  // random
    EXPECT_EQ(sent, expected);
}

TEST(ServicePreset, snmp_arcs_and_lengths) {
    const auto tail = [](std::string_view text, std::size_t count) {
        const Bytes bytes = probe_of(service(text).dialect.payload, 0);
        return Bytes(bytes.end() - static_cast<std::ptrdiff_t>(count), bytes.end());
    };
    EXPECT_EQ(tail("snmp-get:.1.3.6.1.4.1.8072.1", 12), bytes_from_hex("06082b06010401bf08010500"));
    EXPECT_EQ(tail("snmp-get:2.999.3", 7), bytes_from_hex("06038837030500")) << "X.690, 8.19.5";
    const Preset longer = service("snmp-get:1.3.6,community" + std::string(200, 'x'));
    const Bytes sent = probe_of(longer.dialect.payload, 7);
    EXPECT_EQ(Bytes(sent.begin(), sent.begin() + 3), bytes_from_hex("3081ef"));
    EXPECT_TRUE(matches(longer.dialect, sent, [&] {
        Bytes reply = sent;
        for (std::size_t i = 200; i < reply.size(); ++i)
            if (reply[i] == std::byte{0xa0}) {
                reply[i] = std::byte{0xa2};
                break;
            }
        return reply;
    }()));
}

TEST(ServicePreset, snmp_replies) {
    const Dialect dialect = service("snmp-get:1.3.6.1.2.1.1.3.0").dialect;
    const Bytes sent = probe_of(dialect.payload, 0x1234);
    const auto reply = [&](const std::string& status, const std::string& value, const std::string& community) {
        return bytes_from_hex("3029020101" + community + "a21c02044e001234" + status +
                              "020100300e300c06082b06010201010300" + value);
    };
    Bytes good = reply("020100", "0500", "04067075626c6963");
    good[18] = sent[18];
    EXPECT_EQ(status_text(dialect.check, good), "noError");
    EXPECT_TRUE(matches(dialect, sent, good));
    good[17] = std::byte{0x4f};
    EXPECT_FALSE(matches(dialect, sent, good));
    EXPECT_EQ(status_text(dialect.check, reply("020102", "0500", "04067075626c6963")), "noSuchName!");
    EXPECT_EQ(status_text(dialect.check, reply("020112", "0500", "04067075626c6963")), "inconsistentName!");
    EXPECT_EQ(status_text(dialect.check, reply("020113", "0500", "04067075626c6963")), "unexpected content!");
    EXPECT_EQ(status_text(dialect.check, reply("020100", "8000", "04067075626c6963")), "noSuchObject!");
    EXPECT_EQ(status_text(dialect.check, reply("020100", "8200", "04067075626c6963")), "endOfMibView!");
    EXPECT_EQ(status_text(dialect.check, sent), "") << "a request";
    for (std::size_t cut = 0; cut < good.size(); ++cut)
        EXPECT_EQ(status_text(dialect.check, Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(cut))), "");
}

// RFC 7252, 3 and figure 16: Uri-Path "temperature" is 0xbb and the text.
TEST(ServicePreset, coap) {
    const Preset made = service("coap-get:/temperature");
    EXPECT_EQ(made.port, 5683);
    const Bytes sent = probe_of(made.dialect.payload, 0x10203);
    EXPECT_EQ(sent, bytes_from_hex("54010203"
                                   "00010203"
                                   "bb74656d7065726174757265"));
    EXPECT_EQ(probe_of(service("coap-get:.well-known/core?rt=x&a").dialect.payload, 0),
              bytes_from_hex("5401000000000000"
                             "bb2e77656c6c2d6b6e6f776e"
                             "04636f7265"
                             "4472743d78"
                             "0161"));
    const std::string segment(20, 's');
    EXPECT_EQ(probe_of(service("coap-get:" + segment).dialect.payload, 0).size(), 8u + 2 + 20);
    const Dialect& dialect = made.dialect;
    const Bytes good = bytes_from_hex("5445abcd00010203ff32322e332043");
    EXPECT_EQ(status_text(dialect.check, good), "2.05");
    EXPECT_TRUE(matches(dialect, sent, good));
    EXPECT_FALSE(matches(dialect, sent, bytes_from_hex("5445abcd00010204ff32")));
    EXPECT_EQ(status_text(dialect.check, bytes_from_hex("6484abcd00010203")), "4.04!");
    EXPECT_EQ(status_text(dialect.check, bytes_from_hex("64bfabcd00010203")), "another code!");
    EXPECT_EQ(status_text(dialect.check, sent), "") << "a request";
    EXPECT_EQ(status_text(dialect.check, bytes_from_hex("60000203")), "") << "an empty confirmation";
}

// RFC 5997, 6.1 and RFC 2865, 7.1: packets as printed there, with the secret xyzzy5461.
TEST(ServicePreset, radius_packets_of_the_rfcs) {
    const std::string secret = "xyzzy5461";
    const Bytes status = bytes_from_hex(
        "0cda00268a54f4686fb394c52866e302185d0623"
        "50125a665e2e1e8411f3e243822097c84fa3");
    Bytes sealed = status;
    std::fill(sealed.begin() + 22, sealed.end(), std::byte{});
    RadiusSeal{.secret = secret, .password = "", .password_at = 0, .authenticator_at = 22}.apply(sealed);
    EXPECT_EQ(sealed, status);
    const Bytes access = bytes_from_hex(
        "010000380f403f9473978057bd83d5cb98f4227a"
        "01066e656d6f02120dbe708d93d413ce3196e43f782a0aee"
        "0406c0a80110050600000003");
    sealed = access;
    std::fill(sealed.begin() + 28, sealed.begin() + 44, std::byte{});
    RadiusSeal{.secret = secret, .password = "arctangent", .password_at = 28, .authenticator_at = 0}.apply(sealed);
    EXPECT_EQ(sealed, access);
}

TEST(ServicePreset, radius) {
    const Preset status = service("radius:xyzzy5461");
    EXPECT_EQ(status.port, 1812);
    const Bytes first = probe_of(status.dialect.payload, 218), second = probe_of(status.dialect.payload, 219);
    ASSERT_EQ(first.size(), 38u);
    EXPECT_EQ(Bytes(first.begin(), first.begin() + 4), bytes_from_hex("0cda0026"));
    EXPECT_EQ(Bytes(first.begin() + 20, first.begin() + 22), bytes_from_hex("5012"));
    EXPECT_FALSE(std::equal(first.begin() + 4, first.begin() + 20, second.begin() + 4)) << "authenticators differ";
    Bytes sealed = first;
    RadiusSeal{.secret = "xyzzy5461", .password = "", .password_at = 0, .authenticator_at = 22}.apply(sealed);
    EXPECT_EQ(sealed, first);
    const Bytes access = probe_of(service("radius:s,nemo," + std::string(17, 'p')).dialect.payload, 1);
    EXPECT_EQ(access.size(), 20u + 18 + 6 + 34 + 10);
    EXPECT_EQ(access[0], std::byte{1});
    const Dialect& dialect = status.dialect;
    const Bytes accept = bytes_from_hex("02da0014ef0d552a4bf2d693ec2b6fe8b5411d66");  // RFC 5997, 6.1
    EXPECT_EQ(status_text(dialect.check, accept), "Access-Accept");
    EXPECT_TRUE(matches(dialect, first, accept));
    EXPECT_FALSE(matches(dialect, second, accept));
    EXPECT_EQ(status_text(dialect.check, bytes_from_hex("03da0014ef0d552a4bf2d693ec2b6fe8b5411d66")), "Access-Reject!");
    EXPECT_EQ(status_text(dialect.check, first), "") << "a request";
    EXPECT_EQ(status_text(dialect.check, bytes_from_hex("02da0015ef0d552a4bf2d693ec2b6fe8b5411d66")), "") << "cut";
}

// RFC 3261, 11.1 and 11.2.
TEST(ServicePreset, sip) {
    const Preset made = service("sip-options:sip:carol@chicago.com");
    EXPECT_EQ(made.port, 5060);
    const std::string sent = request_text(made.dialect.payload, 0xabc);
    EXPECT_TRUE(
        sent.starts_with("OPTIONS sip:carol@chicago.com SIP/2.0\r\n"
                         "Via: SIP/2.0/UDP ringpost.invalid;branch=z9hG4bK00000abc"))
        << sent;
    EXPECT_TRUE(sent.ends_with("\r\nContent-Length: 0\r\n\r\n"));
    EXPECT_NE(sent.find("\r\nTo: <sip:carol@chicago.com>\r\n"), std::string::npos);
    const auto reply = [&](const std::string& status) {
        return bytes_of("SIP/2.0 " + status + "\r\n" + sent.substr(sent.find("Via:")));
    };
    const Dialect& dialect = made.dialect;
    EXPECT_EQ(status_text(dialect.check, reply("200 OK")), "200");
    EXPECT_TRUE(matches(dialect, bytes_of(sent), reply("200 OK")));
    EXPECT_TRUE(matches(dialect, bytes_of(sent), reply("483 Too Many Hops")));
    EXPECT_FALSE(matches(dialect, probe_of(dialect.payload, 0xabd), reply("200 OK")));
    const std::pair<const char*, const char*> statuses[] = {{"202 Accepted", "another 2xx"},
                                                            {"302 Moved Temporarily", "3xx!"},
                                                            {"404 Not Found", "404!"},
                                                            {"499 x", "another 4xx!"},
                                                            {"599 x", "another 5xx!"},
                                                            {"603 Decline", "6xx!"},
                                                            {"100 Trying", ""},
                                                            {"abc", "unexpected content!"},
                                                            {"099 x", "unexpected content!"}};
    for (const auto& [line, status] : statuses) EXPECT_EQ(status_text(dialect.check, reply(line)), status) << line;
    EXPECT_EQ(status_text(dialect.check, bytes_of(sent)), "") << "a request";
    EXPECT_TRUE(
        request_text(service("sip-options").dialect.payload, 0).starts_with("OPTIONS sip:localhost SIP/2.0\r\n"));
}

// RFC 9000, 17.2.1.
TEST(ServicePreset, quic_version_negotiation) {
    const Preset made = service("quic-vn");
    EXPECT_EQ(made.port, 443);
    const Bytes sent = probe_of(made.dialect.payload, 0x01020304);
    EXPECT_EQ(sent.size(), 1'200u);
    EXPECT_EQ(Bytes(sent.begin(), sent.begin() + 6), bytes_from_hex("c01a2a3a4a08"));
    EXPECT_EQ(sent[14], std::byte{8});
    EXPECT_EQ(Bytes(sent.begin() + 19, sent.begin() + 23), bytes_from_hex("01020304"));
    Bytes reply = bytes_from_hex("c000000000");
    reply.insert(reply.end(), sent.begin() + 14, sent.begin() + 23);  // our source connection id
    reply.insert(reply.end(), sent.begin() + 5, sent.begin() + 14);
    const Dialect& dialect = made.dialect;
    EXPECT_EQ(status_text(dialect.check, reply), "no version!");
    for (const std::byte byte : bytes_from_hex("000000016b3343cf")) reply.push_back(byte);
    EXPECT_EQ(status_text(dialect.check, reply), "versions");
    EXPECT_TRUE(matches(dialect, sent, reply));
    EXPECT_FALSE(matches(dialect, probe_of(dialect.payload, 5), reply));
    EXPECT_EQ(status_text(dialect.check, sent), "") << "a request";
    EXPECT_EQ(status_text(dialect.check, {}), "");
}

const std::string a2s_query = "ffffffff54536f7572636520456e67696e6520517565727900";

TEST(ServicePreset, a2s_carries_the_challenge) {
    const Preset made = service("game:a2s");
    EXPECT_EQ(made.port, 27015);
    Prober prober({.start = second, .dialect = &made.dialect, .flows = 2});
    Outbox outbox;
    const auto ask = [&](Instant now) {
        auto sent = outbox.drain(prober, now);
        EXPECT_EQ(sent.size(), 1u);
        return std::move(sent.front());
    };
    const auto answer = [&](Instant now, const Sent& to, const std::string& hex) {
        const Bytes reply = bytes_from_hex(hex);
        prober.handle(now, {{}, to.transmit.socket, reply});
    };
    Sent probe = ask(second);
    EXPECT_EQ(probe.bytes, bytes_from_hex(a2s_query + "ffffffff"));
    answer(second + 10, probe, "ffffffff41aabbccdd");
    EXPECT_EQ(prober.response().count(), 0u) << "a step";
    probe = ask(second + 10);
    EXPECT_EQ(probe.bytes, bytes_from_hex(a2s_query + "ffffffff")) << "the other flow";
    answer(second + 20, probe, "ffffffff4111223344");
    probe = ask(second + 20);
    EXPECT_EQ(probe.bytes, bytes_from_hex(a2s_query + "aabbccdd"));
    answer(second + 25, probe, "ffffffff4911");
    EXPECT_EQ(prober.response().count(), 1u);
    probe = ask(second + 25);
    EXPECT_EQ(probe.bytes, bytes_from_hex(a2s_query + "11223344"));
    answer(second + 30, probe, "ffffffff00");
    EXPECT_EQ(prober.counters().errors, 0u);
    answer(second + 30, probe, "ffffffff0000");
    EXPECT_EQ(prober.counters().errors, 1u);
    EXPECT_EQ(prober.counters().lost(), 0u);
}

// RFC 1035, 5.1, as dnsperf reads it.
TEST(ServicePreset, lines_of_dns_queries) {
    const auto query = [](std::string_view line) {
        const auto made = parse_dns_line(line);
        EXPECT_TRUE(made) << line;
        return made ? *made : Bytes{};
    };
    const std::string header = "000001000001000000000000";
    EXPECT_EQ(query("example.com A"), bytes_from_hex(header + "076578616d706c6503636f6d0000010001"));
    EXPECT_EQ(query("example.com.\tAAAA  "), bytes_from_hex(header + "076578616d706c6503636f6d00001c0001"));
    EXPECT_EQ(query(". TYPE257"), bytes_from_hex(header + "0001010001"));
    EXPECT_EQ(query("a\\.b.*.c/d https"), bytes_from_hex(header + "03612e62012a03632f640000410001"));
    EXPECT_EQ(query("\\000\\255 1"), bytes_from_hex(header + "0200ff0000010001"));
    for (const auto* wrong : {"", "example.com", " A", "a..b A", "a NOSUCH", "a\\", "a\\256 A", "a TYPE65536"})
        EXPECT_FALSE(parse_dns_line(wrong)) << wrong;
    EXPECT_FALSE(parse_dns_line(std::string(64, 'x') + " A"));
    std::string longest;
    for (int i = 0; i < 127; ++i) longest += "x.";
    EXPECT_TRUE(parse_dns_line(longest + " A"));
    EXPECT_FALSE(parse_dns_line(longest + "x. A"));
}

TEST(ServicePreset, errors_have_a_position) {
    const std::pair<std::string, std::size_t> wrong[] = {{"statsd", 6},
                                                         {"statsd:", 7},
                                                         {"statsd:a b", 8},
                                                         {"statsd:a:b", 8},
                                                         {"syslog:a{b}", 8},
                                                         {"sip-options:", 12},
                                                         {"sip-options:sip:a b", 17},
                                                         {"sip-options:<sip:a>", 12},
                                                         {"snmp-get", 8},
                                                         {"snmp-get:1", 9},
                                                         {"snmp-get:1..3", 9},
                                                         {"snmp-get:3.1", 9},
                                                         {"snmp-get:1.40", 9},
                                                         {"snmp-get:1.3.4294967296", 9},
                                                         {"snmp-get:1.3,", 13},
                                                         {"coap-get:", 9},
                                                         {"coap-get:/" + std::string(256, 'x'), 9},
                                                         {"radius:", 7},
                                                         {"radius:s,u", 8},
                                                         {"radius:s,,p", 8},
                                                         {"radius:s,u," + std::string(129, 'x'), 7},
                                                         {"quic-vn:", 0},
                                                         {"game", 0},
                                                         {"game:x", 0}};
    for (const auto& [text, position] : wrong) {
        const auto parsed = parse_preset(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().position, position) << text << ": " << parsed.error().reason;
        EXPECT_STRNE(parsed.error().reason, "");
    }
}

}  // namespace
}  // namespace ringpost::traffic
