#include "apps/commands/relay_options.hpp"

#include <utility>

#include "apps/cli/sandbox.hpp"

namespace ringpost::apps {
namespace {

/// The texts before and after the first comma.
std::pair<std::string, std::string> split_pair(const std::string& text, const char* expected) {
    const std::size_t comma = text.find(',');
    if (comma == std::string::npos) throw std::invalid_argument(expected);
    return {text.substr(0, comma), text.substr(comma + 1)};
}

BurstLoss parse_burst_loss(const std::string& text) {
    const auto [chance, datagrams] = split_pair(text, "expected a share and a length such as 0.1%,20");
    return {parse_chance(chance), static_cast<std::uint32_t>(parse_whole(datagrams, 1, UINT32_MAX))};
}

Blackhole parse_blackhole(const std::string& text) {
    const auto [on, off] = split_pair(text, "expected two times such as 200ms,1s");
    return {parse_duration(on), parse_duration(off)};
}

void add_impairments(CLI::App& command, RelayOptions& options) {
    relay::Impairments& out = options.impairments;
    add_parsed(command, "--loss", out.loss, parse_chance, "drop datagrams at random (default 0%)");
    add_parsed(command, "--burst-loss", options.burst, parse_burst_loss,
               "drop bursts of N datagrams; each datagram starts one with this probability (default none)")
        ->type_name("PERCENT,N");
    add_parsed(command, "--blackhole", options.blackhole, parse_blackhole,
               "alternately forward all for OFF and drop all for ON (default none)")
        ->type_name("ON,OFF");
    add_parsed(command, "--delay", out.delay, parse_duration_or_zero, "delay every datagram (default 0ms)");
    add_parsed(command, "--jitter", out.jitter, parse_duration_or_zero,
               "further delay from 0 to this time, uniformly distributed (default 0ms)");
    add_parsed(command, "--reorder", out.reorder, parse_chance,
               "delay datagrams by another 1ms at random (default 0%)");
    add_parsed(command, "--duplicate", out.duplicate, parse_chance, "send datagrams twice at random (default 0%)");
    add_parsed(command, "--corrupt", out.corrupt, parse_chance, "flip 1 to 3 bits of datagrams at random (default 0%)");
    add_parsed(command, "--rate", out.rate_bits_per_s, parse_bit_rate,
               "bandwidth per direction, counting 28 bytes of headers per datagram, with a queue of 100ms (default "
               "unlimited)");
}

}  // namespace

void add_relay_options(CLI::App& command, RelayOptions& options) {
    options.server.port_option = "--listen";
    options.server.hop_limits = true;
    begin_group(command, "Listening");
    add_parsed(command, "--listen", options.server.port, parse_port, "UDP port for clients; 0 for any free port")
        ->required();
    command.add_option("--bind", options.server.bind, "local address to listen on (default all)")->type_name("ADDRESS");
    add_allow(command, options.server);
    add_server_end(command, options.end, "datagrams, both directions together");
    begin_group(command, "Target");
    command.add_option("--to", options.to, "target, a name, IPv4 or [IPv6] address")
        ->type_name("HOST:PORT")
        ->required();
    begin_group(command, "Impairments");
    add_impairments(command, options);
    add_parsed(command, "--seed", options.seed, parse_seed,
               "seed of the random impairments, printed in the report (default random)");
    add_common(command, options.server.common, {.offload = true});
    add_sandbox(command, options.server.common);
}

relay::Impairments impairments_of(const RelayOptions& options) {
    relay::Impairments out = options.impairments;
    out.burst = options.burst.chance;
    out.burst_datagrams = options.burst.datagrams;
    out.blackhole_on = options.blackhole.on;
    out.blackhole_off = options.blackhole.off;
    return out;
}

}  // namespace ringpost::apps
