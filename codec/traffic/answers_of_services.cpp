// SNMP is the only one whose reply has its id at a place that depends on lengths before it; SIP is text.

#include <algorithm>
#include <charconv>
#include <iterator>

#include "codec/base/bytes.hpp"
#include "codec/traffic/answers.hpp"

namespace ringpost::traffic {
namespace {

using ReplyBytes = std::span<const std::byte>;
using StatusFound = std::optional<std::uint8_t>;

std::uint8_t reply_byte(ReplyBytes reply, std::size_t at) { return static_cast<std::uint8_t>(reply[at]); }

std::string_view reply_text(ReplyBytes reply) { return {reinterpret_cast<const char*>(reply.data()), reply.size()}; }

/// The index of the status of this name, or the last one.
StatusFound status_named(std::span<const AnswerCheck::Status> statuses, std::string_view name) {
    const auto found = std::ranges::find(statuses, name, &AnswerCheck::Status::name);
    const auto index =
        found == statuses.end() ? statuses.size() - 1 : static_cast<std::size_t>(found - statuses.begin());
    return static_cast<std::uint8_t>(index);
}

// ---- QUIC -----------------------------------------------------------------------------------------

constexpr AnswerCheck::Status quic_statuses[] = {{"versions", false}, {"no version", true}};

StatusFound inspect_quic(const AnswerCheck&, ReplyBytes reply) {
    constexpr std::size_t version_at = 1, id_bytes_at = 5, id_bytes = 8, version_bytes = 4;
    constexpr std::size_t source_id_bytes_at = id_bytes_at + 1 + id_bytes;
    if (reply.size() <= source_id_bytes_at || (reply_byte(reply, 0) & 0x80) == 0) return std::nullopt;
    if (load_be<std::uint32_t>(&reply[version_at]) != 0 || reply_byte(reply, id_bytes_at) != id_bytes)
        return std::nullopt;
    const std::size_t versions_at = source_id_bytes_at + 1 + reply_byte(reply, source_id_bytes_at);
    return reply.size() >= versions_at + version_bytes ? std::uint8_t{0} : std::uint8_t{1};
}

// ---- SNMP -----------------------------------------------------------------------------------------

// By error-status (RFC 3416, 3), then the exceptions by tag, then what is none of them.
constexpr AnswerCheck::Status snmp_statuses[] = {{"noError", false},           {"tooBig", true},
                                                 {"noSuchName", true},         {"badValue", true},
                                                 {"readOnly", true},           {"genErr", true},
                                                 {"noAccess", true},           {"wrongType", true},
                                                 {"wrongLength", true},        {"wrongEncoding", true},
                                                 {"wrongValue", true},         {"noCreation", true},
                                                 {"inconsistentValue", true},  {"resourceUnavailable", true},
                                                 {"commitFailed", true},       {"undoFailed", true},
                                                 {"authorizationError", true}, {"notWritable", true},
                                                 {"inconsistentName", true},   {"noSuchObject", true},
                                                 {"noSuchInstance", true},     {"endOfMibView", true},
                                                 {"unexpected content", true}};
constexpr std::uint8_t snmp_error_status_end = 19, snmp_unexpected = 22;
constexpr std::uint8_t tag_integer = 0x02, tag_octets = 0x04, tag_sequence = 0x30, tag_response = 0xa2;

/// Takes one value from the front of `rest` (BER: X.690, 8.1); nullopt if it has another tag or does not fit.
std::optional<ReplyBytes> take_ber(ReplyBytes& rest, std::optional<std::uint8_t> tag) {
    if (rest.size() < 2 || (tag && reply_byte(rest, 0) != *tag)) return std::nullopt;
    std::size_t length = reply_byte(rest, 1), header = 2;
    if (length >= 0x80) {
        const std::size_t octets = length & 0x7f;
        if (octets == 0 || octets > 4 || rest.size() < header + octets) return std::nullopt;
        length = 0;
        for (std::size_t i = 0; i < octets; ++i) length = length << 8 | reply_byte(rest, header + i);
        header += octets;
    }
    if (rest.size() - header < length) return std::nullopt;
    const ReplyBytes value = rest.subspan(header, length);
    rest = rest.subspan(header + length);
    return value;
}

/// The contents of the Response-PDU, from the request-id on.
std::optional<ReplyBytes> response_pdu(ReplyBytes reply) {
    auto message = take_ber(reply, tag_sequence);
    if (!message || !take_ber(*message, tag_integer) || !take_ber(*message, tag_octets)) return std::nullopt;
    return take_ber(*message, tag_response);
}

ReplyBytes request_id(ReplyBytes reply) {
    auto pdu = response_pdu(reply);
    return pdu ? take_ber(*pdu, tag_integer).value_or(ReplyBytes{}) : ReplyBytes{};
}

StatusFound inspect_snmp(const AnswerCheck&, ReplyBytes reply) {
    auto pdu = response_pdu(reply);
    if (!pdu || !take_ber(*pdu, tag_integer)) return std::nullopt;
    const auto status = take_ber(*pdu, tag_integer);
    if (!status || status->size() != 1 || reply_byte(*status, 0) >= snmp_error_status_end) return snmp_unexpected;
    if (reply_byte(*status, 0) != 0) return reply_byte(*status, 0);
    if (!take_ber(*pdu, tag_integer)) return snmp_unexpected;
    auto bindings = take_ber(*pdu, tag_sequence);
    auto first = bindings ? take_ber(*bindings, tag_sequence) : std::nullopt;
    if (!first || !take_ber(*first, std::nullopt) || first->empty()) return snmp_unexpected;
    constexpr std::uint8_t exceptions = 0x80;
    const std::uint8_t tag = reply_byte(*first, 0);
    return tag >= exceptions && tag < exceptions + 3
               ? static_cast<std::uint8_t>(snmp_error_status_end + tag - exceptions)
               : std::uint8_t{0};
}

// ---- CoAP -----------------------------------------------------------------------------------------

// RFC 7252, 12.1.2; RFC 7959, 2.9; RFC 8132, 6; RFC 8516.
constexpr AnswerCheck::Status coap_statuses[] = {
    {"2.01", false}, {"2.02", false}, {"2.03", false},       {"2.04", false}, {"2.05", false}, {"2.31", false},
    {"4.00", true},  {"4.01", true},  {"4.02", true},        {"4.03", true},  {"4.04", true},  {"4.05", true},
    {"4.06", true},  {"4.08", true},  {"4.09", true},        {"4.12", true},  {"4.13", true},  {"4.15", true},
    {"4.22", true},  {"4.29", true},  {"5.00", true},        {"5.01", true},  {"5.02", true},  {"5.03", true},
    {"5.04", true},  {"5.05", true},  {"another code", true}};

StatusFound inspect_coap(const AnswerCheck&, ReplyBytes reply) {
    constexpr std::size_t header_bytes = 4, token_bytes = 4;
    if (reply.size() < header_bytes + token_bytes) return std::nullopt;
    const std::uint8_t first = reply_byte(reply, 0), code = reply_byte(reply, 1);
    constexpr std::uint8_t version_1 = 1, response = 2;
    if (first >> 6 != version_1 || (first & 15) != token_bytes || code >> 5 < response) return std::nullopt;
    const char name[] = {static_cast<char>('0' + (code >> 5)), '.', static_cast<char>('0' + (code & 31) / 10),
                         static_cast<char>('0' + (code & 31) % 10)};
    return status_named(coap_statuses, {name, sizeof name});
}

// ---- RADIUS ---------------------------------------------------------------------------------------

constexpr AnswerCheck::Status radius_statuses[] = {
    {"Access-Accept", false}, {"Access-Reject", true}, {"Access-Challenge", true}};

StatusFound inspect_radius(const AnswerCheck&, ReplyBytes reply) {
    constexpr std::size_t header_bytes = 20;
    if (reply.size() < header_bytes) return std::nullopt;
    const std::size_t length = load_be<std::uint16_t>(&reply[2]);
    if (length < header_bytes || length > reply.size()) return std::nullopt;
    switch (reply_byte(reply, 0)) {
        case 2: return std::uint8_t{0};
        case 3: return std::uint8_t{1};
        case 11: return std::uint8_t{2};
        default: return std::nullopt;
    }
}

// ---- SIP ------------------------------------------------------------------------------------------

constexpr AnswerCheck::Status sip_statuses[] = {{"200", false},
                                                {"another 2xx", false},
                                                {"3xx", true},
                                                {"400", true},
                                                {"401", true},
                                                {"403", true},
                                                {"404", true},
                                                {"405", true},
                                                {"407", true},
                                                {"408", true},
                                                {"420", true},
                                                {"480", true},
                                                {"481", true},
                                                {"483", true},
                                                {"484", true},
                                                {"486", true},
                                                {"500", true},
                                                {"501", true},
                                                {"503", true},
                                                {"another 4xx", true},
                                                {"another 5xx", true},
                                                {"6xx", true},
                                                {"unexpected content", true}};

StatusFound inspect_sip(const AnswerCheck&, ReplyBytes reply) {
    constexpr std::string_view version = "SIP/2.0 ";
    const std::string_view text = reply_text(reply);
    if (!text.starts_with(version) || text.size() < version.size() + 3) return std::nullopt;
    const std::string_view code = text.substr(version.size(), 3);
    if (!std::ranges::all_of(code, [](char c) { return c >= '0' && c <= '9'; }) || code[0] == '0')
        return status_named(sip_statuses, "unexpected content");
    if (code[0] == '1') return std::nullopt;
    if (const auto exactly = status_named(sip_statuses, code); *exactly + 1u < std::size(sip_statuses)) return exactly;
    switch (code[0]) {
        case '2': return status_named(sip_statuses, "another 2xx");
        case '3': return status_named(sip_statuses, "3xx");
        case '4': return status_named(sip_statuses, "another 4xx");
        case '5': return status_named(sip_statuses, "another 5xx");
        default: return status_named(sip_statuses, "6xx");
    }
}

/// What follows the magic cookie of the first branch, which is that of our Via (RFC 3261, 8.1.1.7).
ReplyBytes branch_key(ReplyBytes reply) {
    constexpr std::string_view cookie = "branch=z9hG4bK";
    const std::size_t at = reply_text(reply).find(cookie);
    return at == std::string_view::npos ? ReplyBytes{} : reply.subspan(at + cookie.size());
}

// ---- A2S ------------------------------------------------------------------------------------------

constexpr AnswerCheck::Status a2s_statuses[] = {
    {"info", false}, {"challenge", false, true}, {"unexpected content", true}};
constexpr std::string_view a2s_whole = "\xff\xff\xff\xff", a2s_part = "\xfe\xff\xff\xff";

StatusFound inspect_a2s(const AnswerCheck&, ReplyBytes reply) {
    const std::string_view text = reply_text(reply);
    if (text.starts_with(a2s_part)) return std::uint8_t{0};
    if (!text.starts_with(a2s_whole) || text.size() < 6) return std::nullopt;
    constexpr char info = 'I', info_of_goldsource = 'm', challenge = 'A', query = 'T';
    if (text[4] == query) return std::nullopt;
    if (text[4] == challenge) return std::uint8_t{1};
    return text[4] == info || text[4] == info_of_goldsource ? std::uint8_t{0} : std::uint8_t{2};
}

ReplyBytes a2s_token(ReplyBytes reply) {
    constexpr std::size_t challenge_at = 5, challenge_bytes = 4;
    if (!reply_text(reply).starts_with("\xff\xff\xff\xff"
                                       "A") ||
        reply.size() < challenge_at + challenge_bytes)
        return {};
    return reply.subspan(challenge_at, challenge_bytes);
}

constexpr AnswerCheck::Protocol quic_protocol{quic_statuses, inspect_quic}, coap_protocol{coap_statuses, inspect_coap},
    radius_protocol{radius_statuses, inspect_radius}, snmp_protocol{snmp_statuses, inspect_snmp, request_id},
    sip_protocol{sip_statuses, inspect_sip, branch_key}, a2s_protocol{a2s_statuses, inspect_a2s, nullptr, a2s_token};

}  // namespace

AnswerCheck AnswerCheck::quic() { return AnswerCheck(quic_protocol); }
AnswerCheck AnswerCheck::snmp() { return AnswerCheck(snmp_protocol); }
AnswerCheck AnswerCheck::coap() { return AnswerCheck(coap_protocol); }
AnswerCheck AnswerCheck::radius() { return AnswerCheck(radius_protocol); }
AnswerCheck AnswerCheck::sip() { return AnswerCheck(sip_protocol); }
AnswerCheck AnswerCheck::a2s() { return AnswerCheck(a2s_protocol); }

}  // namespace ringpost::traffic
