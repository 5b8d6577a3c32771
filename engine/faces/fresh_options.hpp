#pragma once

// Options of endpoints: those of the user, with keys, seeds and identities from getrandom(2).

#include <utility>

#include <ringpost/beacon.hpp>
#include <ringpost/confirmed.hpp>
#include <ringpost/devices.hpp>
#include <ringpost/gtudp.hpp>
#include "codec/beacon/endpoint.hpp"
#include "codec/confirmed/options.hpp"
#include "codec/devices/options.hpp"
#include "codec/gtudp/options.hpp"
#include "engine/os/random.hpp"

namespace ringpost {

inline gtudp::Options fresh_options(const gtudp::ProtocolOptions& chosen, gtudp::Codec codec) {
    gtudp::Options out;
    static_cast<gtudp::ProtocolOptions&>(out) = chosen;
    out.codec = std::move(codec);
    out.first_identity = random_value<gtudp::Identity>();
    out.seed = random_value<std::uint64_t>();
    out.key = random_value<SipKey>();
    return out;
}

inline confirmed::Options fresh_options(const confirmed::ProtocolOptions& chosen) {
    confirmed::Options out;
    static_cast<confirmed::ProtocolOptions&>(out) = chosen;
    out.key = random_value<SipKey>();
    return out;
}

inline devices::Options fresh_options(const devices::ProtocolOptions& chosen) {
    devices::Options out;
    static_cast<devices::ProtocolOptions&>(out) = chosen;
    out.seed = random_value<std::uint64_t>();
    out.key = random_value<SipKey>();
    return out;
}

inline beacon::Options fresh_options(const beacon::ProtocolOptions& chosen) {
    beacon::Options out;
    static_cast<beacon::ProtocolOptions&>(out) = chosen;
    out.key = random_value<SipKey>();
    return out;
}

}  // namespace ringpost
