// Beacons. The wall clock may be stepped, so its offset is read again before each turn.

#include <ringpost/beacon.hpp>

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "codec/beacon/endpoint.hpp"
#include "engine/bindings/c/options.hpp"
#include "engine/bindings/c/polled_handle.hpp"
#include "engine/faces/fresh_options.hpp"
#include "engine/faces/option_check.hpp"

namespace ringpost::c {
namespace {

rp_beacon_options beacon_defaults() {
    static const std::string quote(beacon::default_quote);
    const beacon::ProtocolOptions protocol;
    rp_beacon_options out{};
    out.engine = engine_defaults(WaitMode::block);
    out.quote = quote.c_str();
    out.period_ns = protocol.period;
    out.rounds = protocol.rounds;
    return out;
}

std::int32_t beacon_damage(beacon::FrameError error) {
    switch (error) {
        case beacon::FrameError::too_short: return RP_DAMAGE_TOO_SHORT;
        case beacon::FrameError::checksum: return RP_DAMAGE_CHECKSUM;
        case beacon::FrameError::not_utf8: break;
    }
    return RP_DAMAGE_NOT_UTF8;
}

class BeaconHandle final : public PolledHandle<beacon::Endpoint> {
  public:
    explicit BeaconHandle(std::unique_ptr<PolledEndpoint<beacon::Endpoint>> polled)
        : PolledHandle("a beacon", std::move(polled)) {}

    std::int32_t finished(std::string_view) override { return endpoint().finished() ? 1 : 0; }

    std::vector<rp_counter> counters() override {
        std::vector<rp_counter> out;
        append_counters(out, endpoint().counters());
        append_engine_counters(out, polled().counters());
        return out;
    }

  protected:
    std::optional<Found> next(std::int32_t what) override {
        while (const auto event = endpoint().poll_event()) {
            const std::int32_t kind = event->error ? RP_DAMAGE : RP_MESSAGE;
            if ((what & kind) == 0) continue;
            Found found;
            found.event.kind = kind;
            found.event.id = event->count;
            found.event.peer = to_c(event->source);
            if (event->error) {
                found.event.code = beacon_damage(*event->error);
                return found;
            }
            found.event.value = event->elapsed_s.value_or(0);
            if (!event->elapsed_s) found.event.flags = RP_EVENT_NO_TIME;
            found.event.advertised =
                to_c(Address::v4(event->ipv4[0], event->ipv4[1], event->ipv4[2], event->ipv4[3], event->port));
            found.bytes = as_bytes(event->quote);
            return found;
        }
        return std::nullopt;
    }
};

std::int32_t read_targets(std::string_view call, const rp_beacon_options& given, beacon::ProtocolOptions& out) {
    if (given.targets == nullptr && given.targets_count > 0) return fail(RP_EINVAL, call, "targets is NULL");
    if (given.targets_count > limits::beacon_targets_max)
        return fail(RP_EINVAL, call,
                    fmt::format("targets_count {}: at most {}", given.targets_count, limits::beacon_targets_max));
    for (std::uint32_t i = 0; i < given.targets_count; ++i) {
        beacon::Target target;
        const auto address = from_c(given.targets[i].address);
        if (!address) return fail(RP_EINVAL, call, fmt::format("targets[{}]: not an address", i));
        target.destination = *address;
        std::memcpy(target.advertised_ipv4.data(), given.targets[i].advertised_ipv4, target.advertised_ipv4.size());
        out.targets.push_back(target);
    }
    return RP_OK;
}

}  // namespace
}  // namespace ringpost::c

using namespace ringpost;
using namespace ringpost::c;

int32_t rp_beacon_init(rp_beacon_options* options, size_t size) {
    return init("rp_beacon_init", options, size, beacon_defaults());
}

int32_t rp_beacon_open(const rp_beacon_options* options, rp_handle** handle) {
    constexpr const char* call = "rp_beacon_open";
    if (handle == nullptr) return fail(RP_EINVAL, call, "handle is NULL");
    *handle = nullptr;
    rp_beacon_options given = beacon_defaults();
    if (const auto error = read(call, options, given)) return error;
    beacon::OpenOptions open;
    beacon::ProtocolOptions& protocol = open.protocol;
    if (const auto error = read(call, given.engine, open.engine)) return error;
    if (const auto error = read(call, "bind", given.bind, open.bind)) return error;
    if (const auto error = read_targets(call, given, protocol)) return error;
    if (given.quote == nullptr) return fail(RP_EINVAL, call, "quote is NULL");
    protocol.quote = given.quote;
    protocol.period = given.period_ns;
    protocol.rounds = given.rounds;
    protocol.advertised_port = given.advertised_port;
    if (const auto wrong = check_options(open)) return fail(call, *wrong);
    SocketOptions socket;
    socket.bind = open.bind;
    socket.broadcast = given.broadcast != 0;
    beacon::Options chosen = fresh_options(protocol);
    chosen.unix_offset = unix_offset();
    auto polled = PolledEndpoint<beacon::Endpoint>::open(socket, open.engine, chosen);
    if (!polled) return fail(call, polled.error());
    return publish(call, std::make_unique<BeaconHandle>(std::move(*polled)), handle);
}
