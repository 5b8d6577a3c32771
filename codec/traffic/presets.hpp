#pragma once

// Protocols that can be measured or loaded by name. Their replies are checked as answers.hpp describes.
//
//     dns:NAME[,TYPE]      a recursive query in class IN (RFC 1035, 4.1), matched by its id. TYPE is A (default),
//                          another name of a type such as AAAA or MX, TYPE257 or 257
//
//     memcached-get:KEY    "get KEY" with the UDP frame header of memcached's doc/protocol.txt, matched by its
//                          request id; if the reply spans several datagrams, the first one counts
//
//     ntp                  a client request, version 4 (RFC 5905, 7.3), matched by its transmit timestamp, which the
//                          server returns as the origin timestamp
//
//     snmp-get:OID[,COMMUNITY]  a GetRequest of SNMPv2c (RFC 3416; community `public`), matched by its request-id
//
//     coap-get:PATH        a non-confirmable GET (RFC 7252), matched by its token. PATH may have a query: /a/b?c&d
//
//     radius:SECRET        Status-Server (RFC 5997); radius:SECRET,USER,PASSWORD an Access-Request (RFC 2865) with
//                          Message-Authenticator (RFC 3579); both matched by their identifier
//
//     sip-options[:URI]    OPTIONS (RFC 3261, 11) of sip:localhost, matched by the branch of its Via
//
//     quic-vn              a packet of 1,200 bytes of a reserved version (RFC 9000, 6 and 15), which any QUIC server
//                          answers with its versions; matched by the connection id
//
//     game:a2s             A2S_INFO of Valve's Server queries, with the challenge that the server has sent last;
//                          replies carry no id and are matched by order
//
// Without replies:
//
//     statsd:NAME          one count of that counter: NAME:1|c
//
//     syslog[:TEXT]        a message of RFC 5424: user.notice, time of day, application ringpost; TEXT may have the
//                          fields of payload.hpp
//
// 16-bit ids repeat after 65,536 probes of a flow; a probe that is still waiting then is given up, and replies to it
// cannot be distinguished from those to the newer one.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "codec/traffic/match.hpp"

namespace ringpost::traffic {

struct Preset {
    Dialect dialect;
    std::uint16_t port = 0;  ///< default port of such servers
    bool replies = true;     ///< false: nothing is answered
};

struct PresetError {
    const char* reason = "";   ///< for users; never null
    std::size_t position = 0;  ///< of the error, in the text
};

using ParsedPreset = std::expected<Preset, PresetError>;

ParsedPreset parse_preset(std::string_view text);

/// A query as dns:NAME,TYPE makes it, with zeros in place of its id. `line` is "name type" as in a file of dnsperf:
/// names may have any characters, with a backslash in front of a character or three decimal digits (RFC 1035, 5.1).
std::expected<std::vector<std::byte>, PresetError> parse_dns_line(std::string_view line);

/// The presets in presets_of_services.cpp, by name; nullopt if it is none of them. `rest` is what follows the colon, at
/// `position` of the text.
std::optional<ParsedPreset> parse_service_preset(std::string_view name, std::optional<std::string_view> rest,
                                                 std::size_t position);

/// Of a preset's own text: `payload` in the syntax of payload.hpp, which must be right, and `match` in that of
/// MatchRule.
Preset make_preset(std::string_view payload, std::string_view match, std::uint16_t port);
/// Appends \xNN.
void append_escaped(std::string& out, std::size_t byte);

}  // namespace ringpost::traffic
