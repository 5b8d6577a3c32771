#pragma once

// Servers that can be measured by name:
//
//     dns:NAME[,TYPE]      a recursive query in class IN (RFC 1035, 4.1), matched by its id; TYPE: A (default), AAAA,
//                          NS, MX, TXT, SOA, PTR, ANY or a number
//
//     memcached-get:KEY    "get KEY" behind the UDP frame header of memcached's doc/protocol.txt, matched by its
//                          request id, so of an answer of several datagrams the first one counts
//
//     ntp                  a client's request, version 4 (RFC 5905, 7.3): the server returns its transmit timestamp as
//                          the origin timestamp
//
// Ids of 16 bits come again after 65,536 probes: one that is still waiting then is given up.

#include <cstdint>
#include <expected>
#include <string_view>

#include "codec/traffic/match.hpp"

namespace ringpost::traffic {

struct Preset {
    Dialect dialect;
    std::uint16_t port = 0;  ///< where such servers usually listen
};

struct PresetError {
    const char* reason = "";   ///< for people, never null
    std::size_t position = 0;  ///< in the text: of what is wrong
};

std::expected<Preset, PresetError> parse_preset(std::string_view text);

}  // namespace ringpost::traffic
