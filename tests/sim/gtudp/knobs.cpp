// Each fault is off in about half of the runs, so that all combinations occur and no fault hides the effects of
// another.

#include "tests/sim/gtudp/knobs.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "codec/base/limits.hpp"

namespace ringpost::sim {
namespace {

template <class T, std::size_t n>
T one_of(Random& random, const T (&all)[n]) {
    return random.one_of(std::span<const T>(all));
}

std::vector<std::byte> random_bytes(Random& random, std::size_t count) {
    std::vector<std::byte> out(count);
    for (std::byte& byte : out) byte = static_cast<std::byte>(random.below(256));
    return out;
}

gtudp::Wire draw_wire(Random& random) {
    gtudp::Wire wire;
    if (random.chance(0.6)) return wire;
    wire.magic = random_bytes(random, random.chance(0.5) ? 0 : random.between(1, 12));
    const std::size_t type_bytes = random.between(1, 5);
    do {
        for (auto& type : wire.types) type = random_bytes(random, type_bytes);
    } while (!gtudp::Codec::make(wire));
    return wire;
}

std::vector<Link> draw_links(Random& random, std::size_t nodes, bool friendly) {
    const bool same = random.chance(0.5);
    const bool losing = random.chance(0.6), repeating = random.chance(0.4), jittering = random.chance(0.5);
    const bool changing = !friendly && random.chance(0.15);
    const Duration delays[] = {0, 10 * microsecond, millisecond, 20 * millisecond, 200 * millisecond, 2 * second};
    const double loss_max = one_of(random, {0.02, 0.1, 0.3, 0.5});
    std::vector<Link> links(nodes * nodes);
    for (Link& link : links) {
        link.delay = one_of(random, delays);
        if (losing) link.loss = loss_max * static_cast<double>(random.between(1, 100)) / 100;
        if (repeating) link.duplicate = one_of(random, {0.01, 0.1, 0.4});
        if (jittering) link.jitter = one_of(random, delays);
        if (changing) link.corrupt = one_of(random, {0.0, 0.01, 0.1});
        if (changing) link.truncate = one_of(random, {0.0, 0.01, 0.1});
        if (same) link = links.front();
    }
    return links;
}

gtudp::ResendOptions draw_resending(Random& random, bool friendly) {
    gtudp::ResendOptions resending;
    if (random.chance(0.3)) {
        resending.timeout_initial = one_of(random, {10 * millisecond, 200 * millisecond, 3 * second});
        resending.timeout_min = one_of(random, {microsecond, millisecond, 100 * millisecond});
        resending.timeout_max = one_of(random, {100 * millisecond, second, 10 * second});
    }
    if (random.chance(0.2))
        resending.fixed_interval = one_of(random, {200 * millisecond, 500 * millisecond, 1'100 * millisecond});
    resending.patience = one_of(random, {Duration{0}, Duration{0}, 300 * millisecond, 2 * second});
    // The last interval is repeated until then: with one of microseconds that takes too many turns.
    if (resending.timeout_min < millisecond) resending.patience = Duration{0};
    if (friendly) {
        resending.data_sends_max = 255;
        resending.recv_sends_max = static_cast<std::uint32_t>(random.between(1, 20));
    } else if (random.chance(0.5)) {
        resending.data_sends_max = static_cast<std::uint32_t>(random.between(1, 12));
        resending.recv_sends_max = static_cast<std::uint32_t>(random.between(1, 12));
    }
    return resending;
}

/// Ample space in all tables, or hardly any in some of them.
void draw_tables(Random& random, gtudp::Options& options, const Knobs& knobs) {
    options.sends_max = 1'024;
    options.receives_max = 1'024;
    options.peers_max = 16;
    options.payload_bytes = 1u << 20;
    options.event_bytes = 512u << 10;
    if (random.chance(0.3)) options.sends_per_peer_max = static_cast<std::uint32_t>(random.between(1, 20));
    if (random.chance(0.2)) options.sends_max = 1u << random.between(0, 5);
    if (random.chance(0.2)) options.payload_bytes = random.between(64, 8'192);
    if (random.chance(0.2) && !knobs.friendly)
        options.receives_per_peer_max = static_cast<std::uint32_t>(random.between(2, 40));
    // With hardly any space for remembered exchanges, a message may be evicted again and again.
    if (random.chance(0.2)) options.receives_max = 1u << random.between(knobs.friendly ? 5 : 0, 7);
    if (random.chance(0.2) && !knobs.friendly) options.peers_max = 1u << random.between(0, 2);
    if (random.chance(0.2))
        options.event_bytes = knobs.friendly ? 2 * knobs.payload_bytes_max + 256 : random.between(64, 4'096);
}

gtudp::Options draw_options(Random& random, const Knobs& knobs) {
    gtudp::Options options;
    options.codec = *gtudp::Codec::make(knobs.wire);
    options.resending = draw_resending(random, knobs.friendly);
    if (random.chance(0.3)) options.remembered = one_of(random, {5 * second, 10 * second, 100 * second});
    options.recv_from_any = random.chance(0.5);
    if (random.chance(0.25)) options.congestion = CongestionControl::fixed;
    if (random.chance(0.2)) options.unknown_acks_per_s = static_cast<std::uint32_t>(random.below(5));
    draw_tables(random, options, knobs);
    // Each life of each node counts in a range of its own (gtudp_swarm.cpp).
    const auto where = static_cast<gtudp::Identity>(random.below(1u << 20));
    options.first_identity = random.chance(0.3) ? 0u - static_cast<gtudp::Identity>(random.below(100)) : where;
    options.seed = random.below(UINT64_MAX);
    options.key = {random.below(UINT64_MAX), random.below(UINT64_MAX)};
    return options;
}

void draw_happenings(Random& random, Knobs& knobs) {
    const auto every = [&](double chance) { return random.chance(chance) ? random.between(1, 25) : 0; };
    knobs.partitions = every(0.4);
    knobs.jumps = every(0.3);
    knobs.deaf = every(0.3);
    knobs.raws = every(0.3);
    knobs.jump_max = one_of(random, {millisecond, second, 40 * second, 5'000 * second});
    if (knobs.friendly) return;
    knobs.moves = every(0.3);
    knobs.restarts = every(0.3);
    knobs.cancels = every(0.4);
    knobs.closes = every(0.1);
    knobs.deadlines = random.chance(0.4);
    knobs.strays = random.chance(0.4);
}

}  // namespace

Knobs draw_knobs(std::uint64_t seed) {
    Random random(seed * 0x9e3779b97f4a7c15 + 1);  // different numbers than the network's, which uses `seed`
    Knobs knobs;
    knobs.friendly = random.chance(0.35);
    knobs.nodes = random.chance(0.5) ? 2 : random.between(3, 6);
    knobs.links = draw_links(random, knobs.nodes, knobs.friendly);
    knobs.wire = draw_wire(random);
    knobs.messages = random.chance(0.1) ? random.between(100, 400) : random.between(1, 80);
    knobs.burst_max = one_of(random, {std::uint64_t{1}, std::uint64_t{4}, std::uint64_t{60}});
    knobs.payload_bytes_max = one_of(random, {std::size_t{0}, std::size_t{30}, std::size_t{300}, std::size_t{1'400},
                                              std::size_t{8'000}, gtudp::Codec::make(knobs.wire)->data_bytes_max()});
    knobs.step_max = one_of(random, {100 * microsecond, 20 * millisecond, 500 * millisecond});
    draw_happenings(random, knobs);
    const Duration clocks[] = {0, -second, 1'000'000 * second, (Duration{1} << 42) - 2 * second};
    const gtudp::Options common = draw_options(random, knobs);
    const bool alike = random.chance(0.5);
    for (std::size_t node = 0; node < knobs.nodes; ++node) {
        knobs.options.push_back(alike ? common : draw_options(random, knobs));
        knobs.clocks.push_back(one_of(random, clocks));
        knobs.options.back().start = knobs.clocks.back();
    }
    return knobs;
}

std::string Knobs::describe() const {
    std::string out = friendly ? "friendly" : "unfriendly";
    const auto add = [&](const char* name, auto value) {
        out += std::string(" ") + name + "=" + std::to_string(value);
    };
    const Link& link = links.front();
    add("nodes", nodes), add("messages", messages), add("burst", burst_max), add("payload", payload_bytes_max);
    add("loss", link.loss), add("duplicate", link.duplicate), add("corrupt", link.corrupt);
    add("truncate", link.truncate), add("delay_ns", link.delay), add("jitter_ns", link.jitter),
        add("step_ns", step_max);
    add("partitions", partitions), add("moves", moves), add("restarts", restarts), add("jumps", jumps);
    add("deaf", deaf), add("cancels", cancels), add("raws", raws), add("closes", closes);
    add("deadlines", deadlines), add("strays", strays);
    const gtudp::Options& first = options.front();
    add("data_sends", first.resending.data_sends_max), add("recv_sends", first.resending.recv_sends_max);
    add("patience_ns", first.resending.effective_patience());
    add("fixed_ns", first.resending.fixed_interval.value_or(0)), add("remembered_ns", first.remembered);
    add("sends", first.sends_max), add("receives", first.receives_max), add("peers", first.peers_max);
    add("payload_bytes", first.payload_bytes), add("event_bytes", first.event_bytes);
    return out;
}

}  // namespace ringpost::sim
