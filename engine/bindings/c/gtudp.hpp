#pragma once

#include <string_view>

#include <ringpost/ringpost.h>
#include <ringpost/gtudp.hpp>

#include "engine/bindings/c/events.hpp"

namespace ringpost::c {

/// A gtUDP message as its endpoint takes it.
struct GtudpMessage {
    Address peer;
    std::span<const std::byte> bytes;
    Instant deadline = never;
    bool raw = false;
};
/// RP_OK, or why the message cannot be. Without a peer it goes to `connected`.
std::int32_t read(std::string_view call, const rp_message& given, const Address& connected, GtudpMessage& out);

std::int32_t fail(std::string_view call, gtudp::Refusal refusal);
std::int32_t fail(std::string_view call, gtudp::SendRefusal refusal);
std::int32_t code_of(gtudp::SendRefusal refusal);
std::int32_t code_of(gtudp::Outcome outcome);

/// What differs between the two handles.
struct GtudpChoice {
    gtudp::OpenOptions options;
    int socket = -1;
    bool reports_outcomes = true, traces = false;
};
std::int32_t open_polled(std::string_view call, const GtudpChoice& choice, rp_handle** out);
std::int32_t open_threaded(std::string_view call, const GtudpChoice& choice, rp_handle** out);

}  // namespace ringpost::c
