// Each protocol has a table of statuses. inspect() finds the row of a reply from a few bytes at fixed offsets, so that
// a check costs little beside the reply itself.

#include "codec/traffic/answers.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "codec/base/bytes.hpp"

namespace ringpost::traffic {
namespace {

using Bytes = std::span<const std::byte>;
using Status = AnswerCheck::Status;

// By response code (RFC 1035, 4.1.1; RFC 2136, 2.2; RFC 8490, 5.1), then the truncated response.
constexpr Status dns_statuses[] = {{"NOERROR", false}, {"FORMERR", true},  {"SERVFAIL", true}, {"NXDOMAIN", true},
                                   {"NOTIMP", true},   {"REFUSED", true},  {"YXDOMAIN", true}, {"YXRRSET", true},
                                   {"NXRRSET", true},  {"NOTAUTH", true},  {"NOTZONE", true},  {"DSOTYPENI", true},
                                   {"rcode 12", true}, {"rcode 13", true}, {"rcode 14", true}, {"rcode 15", true},
                                   {"truncated", true}};
constexpr std::uint8_t dns_truncated = 16;

// Kiss codes of RFC 5905, 7.4, and of RFC 8915, 5.7.
constexpr Status ntp_statuses[] = {
    {"synchronized", false},      {"unsynchronized", true},     {"kiss-o'-death", true},  // with an unknown code
    {"kiss-o'-death ACST", true}, {"kiss-o'-death AUTH", true}, {"kiss-o'-death AUTO", true},
    {"kiss-o'-death BCST", true}, {"kiss-o'-death CRYP", true}, {"kiss-o'-death DENY", true},
    {"kiss-o'-death DROP", true}, {"kiss-o'-death RSTR", true}, {"kiss-o'-death INIT", true},
    {"kiss-o'-death MCST", true}, {"kiss-o'-death NKEY", true}, {"kiss-o'-death NTSN", true},
    {"kiss-o'-death RATE", true}, {"kiss-o'-death RMOT", true}, {"kiss-o'-death STEP", true}};
constexpr std::uint8_t ntp_unsynchronized = 1, ntp_kiss = 2;

constexpr Status memcached_statuses[] = {{"hit", false},         {"miss", true},         {"ERROR", true},
                                         {"CLIENT_ERROR", true}, {"SERVER_ERROR", true}, {"unexpected content", true}};
constexpr std::uint8_t memcached_hit = 0, memcached_miss = 1, memcached_unexpected = 5;

constexpr Status expected_statuses[] = {{"expected", false}, {"unexpected size", true}, {"unexpected content", true}};

std::uint8_t octet(Bytes bytes, std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); }

std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::vector<std::byte> copy_of(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

/// Of letters; the length octets of a name are smaller.
std::uint8_t lower_case(std::byte byte) {
    const auto value = static_cast<std::uint8_t>(byte);
    return value >= 'A' && value <= 'Z' ? value | 0x20 : value;
}

/// Names are compared without regard to case (RFC 1035, 2.3.3), types and classes exactly.
bool same_question(Bytes a, Bytes b) {
    constexpr std::size_t type_and_class_bytes = 4;
    const std::size_t name_bytes = b.size() - type_and_class_bytes;
    return a.size() >= b.size() &&
           std::ranges::equal(a.first(name_bytes), b.first(name_bytes), {}, lower_case, lower_case) &&
           std::ranges::equal(a.subspan(name_bytes, type_and_class_bytes), b.subspan(name_bytes));
}

std::optional<std::uint8_t> inspect_ntp(const AnswerCheck&, Bytes reply) {
    constexpr std::size_t header_bytes = 48, reference_id_at = 12, transmit_at = 40;
    constexpr std::uint8_t server = 4, leap_unknown = 3, stratum_unsynchronized = 16;
    if (reply.size() < header_bytes || (octet(reply, 0) & 7) != server) return std::nullopt;
    const std::uint8_t stratum = octet(reply, 1);
    if (stratum == 0) {
        const std::string_view code = as_text(reply.subspan(reference_id_at, 4));
        for (std::size_t i = ntp_kiss + 1; i < std::size(ntp_statuses); ++i)
            if (std::string_view(ntp_statuses[i].name).ends_with(code)) return static_cast<std::uint8_t>(i);
        return ntp_kiss;
    }
    const bool synchronized = octet(reply, 0) >> 6 != leap_unknown && stratum < stratum_unsynchronized &&
                              load_be<std::uint64_t>(&reply[transmit_at]) != 0;
    return synchronized ? std::uint8_t{0} : ntp_unsynchronized;
}

std::optional<std::uint8_t> inspect_dns(const AnswerCheck& check, Bytes reply) {
    constexpr std::size_t header_bytes = 12;
    constexpr std::uint16_t response = 0x8000, opcode = 0x7800, truncation = 0x0200;
    if (reply.size() < header_bytes) return std::nullopt;
    const auto flags = load_be<std::uint16_t>(&reply[2]), questions = load_be<std::uint16_t>(&reply[4]);
    if ((flags & response) == 0 || (flags & opcode) != 0) return std::nullopt;
    const auto code = static_cast<std::uint8_t>(flags & 15);
    const bool fits = questions == 1
                          ? check.asked().empty() || same_question(reply.subspan(header_bytes), check.asked())
                          : questions == 0 && code != 0;
    if (!fits) return std::nullopt;
    return code == 0 && (flags & truncation) != 0 ? dns_truncated : code;
}

std::optional<std::uint8_t> inspect_memcached_get(const AnswerCheck& check, Bytes reply) {
    constexpr std::size_t frame_bytes = 8;
    if (reply.size() < frame_bytes) return std::nullopt;
    const auto number = load_be<std::uint16_t>(&reply[2]), datagrams = load_be<std::uint16_t>(&reply[4]);
    if (number >= datagrams) return std::nullopt;
    if (number > 0) return memcached_hit;
    std::string_view text = as_text(reply.subspan(frame_bytes));
    if (text.starts_with("get ")) return std::nullopt;  // a request
    for (std::uint8_t i = memcached_miss + 1; i < memcached_unexpected; ++i)
        if (text.starts_with(memcached_statuses[i].name)) return i;
    if (text == "END\r\n") return memcached_miss;
    constexpr std::string_view value = "VALUE ";
    if (!text.starts_with(value)) return memcached_unexpected;
    text.remove_prefix(value.size());
    const std::string_view key = as_text(check.asked());
    const bool ours = text.starts_with(key) && text.size() > key.size() && text[key.size()] == ' ';
    return ours ? memcached_hit : memcached_unexpected;
}

std::optional<std::uint8_t> inspect_expected(const AnswerCheck& check, Bytes reply) {
    constexpr std::uint8_t good = 0, other_size = 1, other_content = 2;
    if (reply.size() < check.expectation().size_min || reply.size() > check.expectation().size_max) return other_size;
    for (const Expectation::Part& part : check.expectation().parts)
        if (part.offset + part.bytes.size() > reply.size() ||
            !std::ranges::equal(reply.subspan(part.offset, part.bytes.size()), part.bytes))
            return other_content;
    for (const auto& text : check.expectation().texts)
        // Unlike std::string_view, it does not compare the whole text again at each byte of a hostile reply.
        if (reply.size() < text.size() || memmem(reply.data(), reply.size(), text.data(), text.size()) == nullptr)
            return other_content;
    return good;
}

constexpr AnswerCheck::Protocol dns_protocol{dns_statuses, inspect_dns}, ntp_protocol{ntp_statuses, inspect_ntp},
    memcached_protocol{memcached_statuses, inspect_memcached_get},
    expected_protocol{expected_statuses, inspect_expected};

}  // namespace

AnswerCheck AnswerCheck::dns(Bytes question) {
    AnswerCheck check(dns_protocol);
    check.asked_ = copy_of(question);
    return check;
}

AnswerCheck AnswerCheck::ntp() { return AnswerCheck(ntp_protocol); }

AnswerCheck AnswerCheck::memcached_get(std::string_view key) {
    AnswerCheck check(memcached_protocol);
    check.asked_ = copy_of(std::as_bytes(std::span(key)));
    return check;
}

AnswerCheck AnswerCheck::expected(Expectation expectation) {
    AnswerCheck check(expected_protocol);
    check.expectation_ = std::move(expectation);
    return check;
}

}  // namespace ringpost::traffic
