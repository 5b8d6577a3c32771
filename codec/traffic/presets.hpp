#pragma once

// Protocols that can be measured by name. Their replies are checked as answers.hpp describes.
//
//     dns:NAME[,TYPE]      a recursive query in class IN (RFC 1035, 4.1), matched by its id. TYPE is A (default),
//                          AAAA, NS, MX, TXT, SOA, PTR, ANY or a number
//
//     memcached-get:KEY    "get KEY" with the UDP frame header of memcached's doc/protocol.txt, matched by its
//                          request id; if the reply spans several datagrams, the first one counts
//
//     ntp                  a client request, version 4 (RFC 5905, 7.3), matched by its transmit timestamp, which the
//                          server returns as the origin timestamp
//
// 16-bit ids repeat after 65,536 probes of a flow; a probe that is still waiting then is given up, and replies to it
// cannot be distinguished from those to the newer one.

#include <cstdint>
#include <expected>
#include <string_view>

#include "codec/traffic/match.hpp"

namespace ringpost::traffic {

struct Preset {
    Dialect dialect;
    std::uint16_t port = 0;  ///< default port of such servers
};

struct PresetError {
    const char* reason = "";   ///< for users; never null
    std::size_t position = 0;  ///< of the error, in the text
};

std::expected<Preset, PresetError> parse_preset(std::string_view text);

}  // namespace ringpost::traffic
