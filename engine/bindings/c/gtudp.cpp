// Options of gtUDP, and what both of its handles share.

#include "engine/bindings/c/gtudp.hpp"

#include <fmt/format.h>

#include <utility>

#include "engine/bindings/c/options.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::c {
namespace {

rp_gtudp_options gtudp_defaults() {
    const gtudp::OpenOptions open;
    const gtudp::ProtocolOptions& protocol = open.protocol;
    rp_gtudp_options out{};
    out.engine = engine_defaults();
    out.socket = -1;
    out.report_outcomes = 1;
    out.data_sends_max = protocol.resending.data_sends_max;
    out.recv_sends_max = protocol.resending.recv_sends_max;
    out.timeout_initial_ns = protocol.resending.timeout_initial;
    out.timeout_min_ns = protocol.resending.timeout_min;
    out.timeout_max_ns = protocol.resending.timeout_max;
    out.patience_ns = -1;
    out.remembered_ns = protocol.remembered;
    out.sends_max = protocol.sends_max;
    out.receives_max = protocol.receives_max;
    out.peers_max = protocol.peers_max;
    out.queued_sends_max = open.sends_max;
    out.queued_receives_max = open.receives_max;
    out.payload_bytes = protocol.payload_bytes;
    out.event_bytes = protocol.event_bytes;
    return out;
}

std::vector<std::byte> bytes_of(const void* at, std::size_t size) {
    const auto* first = static_cast<const std::byte*>(at);
    return {first, first + size};
}

std::int32_t read_wire(std::string_view call, const rp_gtudp_options& given, gtudp::Wire& wire) {
    if (given.magic == nullptr && given.magic_size > 0) return fail(RP_EINVAL, call, "magic is NULL");
    if (given.magic_size > 0) wire.magic = bytes_of(given.magic, given.magic_size);
    for (std::size_t i = 0; i < wire.types.size() && given.type_size > 0; ++i) {
        if (given.types[i] == nullptr) return fail(RP_EINVAL, call, fmt::format("types[{}] is NULL", i));
        wire.types[i] = bytes_of(given.types[i], given.type_size);
    }
    wire.checked = given.checked != 0;
    return RP_OK;
}

void read_protocol(const rp_gtudp_options& given, gtudp::ProtocolOptions& out) {
    out.resending.data_sends_max = given.data_sends_max;
    out.resending.recv_sends_max = given.recv_sends_max;
    out.resending.timeout_initial = given.timeout_initial_ns;
    out.resending.timeout_min = given.timeout_min_ns;
    out.resending.timeout_max = given.timeout_max_ns;
    if (given.fixed_interval_ns != 0) out.resending.fixed_interval = given.fixed_interval_ns;
    if (given.patience_ns != -1) out.resending.patience = given.patience_ns;
    out.remembered = given.remembered_ns;
    out.recv_from_any = given.receive_foreign != 0;
    out.sends_max = given.sends_max;
    out.receives_max = given.receives_max;
    out.peers_max = given.peers_max;
    out.payload_bytes = given.payload_bytes;
    out.event_bytes = given.event_bytes;
    out.congestion = static_cast<CongestionControl>(given.congestion);
}

const char* text_of(gtudp::SendRefusal refusal) {
    switch (refusal) {
        case gtudp::SendRefusal::queue_full: return "the queue of sends is full: take their outcomes";
        case gtudp::SendRefusal::too_large: return "the message is larger than a datagram";
        case gtudp::SendRefusal::bad_peer:
            return "the peer has no address or port, or another address family than the socket";
        case gtudp::SendRefusal::table_full: return "sends_max or payload_bytes are in flight";
        case gtudp::SendRefusal::peer_full: return "too many messages to this peer are in flight";
        case gtudp::SendRefusal::peers_full: return "peers_max peers have messages in flight or are remembered";
        case gtudp::SendRefusal::stopped: break;
    }
    return "the handle was stopped";
}

}  // namespace

std::int32_t code_of(gtudp::SendRefusal refusal) {
    switch (refusal) {
        case gtudp::SendRefusal::too_large: return RP_ETOOLARGE;
        case gtudp::SendRefusal::bad_peer: return RP_EPEER;
        case gtudp::SendRefusal::stopped: return RP_ESTOPPED;
        case gtudp::SendRefusal::queue_full:
        case gtudp::SendRefusal::table_full:
        case gtudp::SendRefusal::peer_full:
        case gtudp::SendRefusal::peers_full: break;
    }
    return RP_EFULL;
}

std::int32_t fail(std::string_view call, gtudp::SendRefusal refusal) {
    return fail(code_of(refusal), call, text_of(refusal));
}

std::int32_t fail(std::string_view call, gtudp::Refusal refusal) {
    switch (refusal) {
        case gtudp::Refusal::too_large: return fail(call, gtudp::SendRefusal::too_large);
        case gtudp::Refusal::bad_peer: return fail(call, gtudp::SendRefusal::bad_peer);
        case gtudp::Refusal::table_full: return fail(call, gtudp::SendRefusal::table_full);
        case gtudp::Refusal::peer_full: return fail(call, gtudp::SendRefusal::peer_full);
        case gtudp::Refusal::peers_full: return fail(call, gtudp::SendRefusal::peers_full);
        case gtudp::Refusal::not_ready: break;
    }
    return fail(call, gtudp::SendRefusal::stopped);
}

std::int32_t code_of(gtudp::Outcome outcome) {
    switch (outcome) {
        case gtudp::Outcome::confirmed: return RP_CONFIRMED;
        case gtudp::Outcome::gave_up_attempts: return RP_GAVE_UP;
        case gtudp::Outcome::gave_up_deadline: return RP_TIMED_OUT;
        case gtudp::Outcome::cancelled: break;
    }
    return RP_CANCELLED;
}

std::int32_t read(std::string_view call, const rp_message& given, const Address& connected, GtudpMessage& out) {
    if (given.bytes == nullptr && given.size > 0) return fail(RP_EINVAL, call, "message->bytes is NULL");
    if ((given.flags & ~std::uint32_t{RP_SEND_RAW}) != 0) return fail(RP_EINVAL, call, "message->flags: not for gtUDP");
    if (const auto error = check_timeout(call, given.timeout_ns)) return error;
    out.bytes = {static_cast<const std::byte*>(given.bytes), given.size};
    out.peer = connected;
    if (given.peer != nullptr)
        if (const auto error = read(call, "message->peer", *given.peer, out.peer)) return error;
    out.deadline = given.timeout_ns == 0 ? never : deadline_after(given.timeout_ns);
    out.raw = (given.flags & RP_SEND_RAW) != 0;
    return RP_OK;
}

}  // namespace ringpost::c

using namespace ringpost;
using namespace ringpost::c;

int32_t rp_gtudp_init(rp_gtudp_options* options, size_t size) {
    return init("rp_gtudp_init", options, size, gtudp_defaults());
}

int32_t rp_gtudp_open(const rp_gtudp_options* options, rp_handle** handle) {
    constexpr const char* call = "rp_gtudp_open";
    if (handle == nullptr) return fail(RP_EINVAL, call, "handle is NULL");
    *handle = nullptr;
    rp_gtudp_options given = gtudp_defaults();
    if (const auto error = read(call, options, given)) return error;
    GtudpChoice choice{.options = {},
                       .socket = given.socket,
                       .reports_outcomes = given.report_outcomes != 0,
                       .traces = given.trace != 0};
    gtudp::OpenOptions& open = choice.options;
    if (const auto error = read(call, given.engine, open.engine)) return error;
    if (const auto error = read(call, "bind", given.bind, open.bind)) return error;
    if (const auto error = read(call, "connect", given.connect, open.connect)) return error;
    if (const auto error = read(call, given.allowed, given.allowed_count, open.allowed)) return error;
    if (const auto error = read_wire(call, given, open.wire)) return error;
    if (given.threaded != 0 && (choice.traces || choice.socket >= 0))
        return fail(RP_EINVAL, call, "trace and socket: not with a thread");
    open.gro = given.engine.gro != 0;
    read_protocol(given, open.protocol);
    open.sends_max = given.queued_sends_max;
    open.receives_max = given.queued_receives_max;
    return given.threaded != 0 ? open_threaded(call, choice, handle) : open_polled(call, choice, handle);
}
