#include "apps/measuring/options.hpp"

#include <fmt/core.h>
#include <sys/resource.h>

#include <cerrno>
#include <cmath>
#include <ctime>
#include <utility>
#include <vector>

#include "apps/measuring/metrics.hpp"
#include "apps/measuring/monitor.hpp"
#include "engine/os/clock.hpp"
#include "engine/os/random.hpp"

namespace ringpost::apps {
namespace {

constexpr const char* expected_start = "expected UTC such as 2026-01-31T23:59:59Z, or seconds since 1970";

/// The digits after a decimal point as nanoseconds; "" is 0.
Duration parse_fraction(const std::string& digits) {
    if (digits.find_first_not_of("0123456789") != std::string::npos) throw std::invalid_argument(expected_start);
    return std::stoll((digits + "000000000").substr(0, 9));
}

/// Nanoseconds since 1970; a time before that becomes 1970, which has passed as well.
Duration since_1970(std::time_t whole_s, Duration fraction) {
    if (whole_s >= never / second) throw std::invalid_argument("is beyond 64 bits of nanoseconds");
    return whole_s < 0 ? 0 : whole_s * second + fraction;
}

/// Parses `2026-11-25T20:00:00Z`, with optional fractions of a second, or seconds since 1970.
Duration parse_time(const std::string& text) {
    std::tm parts{};
    if (const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts)) {
        std::string rest = end;
        if (!rest.ends_with('Z')) throw std::invalid_argument(expected_start);
        rest.pop_back();
        if (!rest.empty() && (rest[0] != '.' || rest.size() == 1)) throw std::invalid_argument(expected_start);
        const int day = parts.tm_mday;
        const std::time_t whole_s = timegm(&parts);
        if (parts.tm_mday != day) throw std::invalid_argument("no such day");  // 31 February becomes 3 March
        return since_1970(whole_s, rest.empty() ? 0 : parse_fraction(rest.substr(1)));
    }
    const std::size_t dot = std::min(text.find('.'), text.size());
    const std::string whole = text.substr(0, dot), fraction = text.substr(std::min(dot + 1, text.size()));
    if (whole.find_first_not_of("0123456789") != std::string::npos || (whole.empty() && fraction.empty()))
        throw std::invalid_argument(expected_start);
    constexpr std::size_t digits_max = 18;  // far beyond the limit, within std::time_t
    return since_1970(whole.size() > digits_max ? never
                      : whole.empty()           ? 0
                                                : std::stoll(whole),
                      parse_fraction(fraction));
}

/// The kernel has about 28,000 source ports for one source address and target. On loopback, 127.0.0.2 and so on are
/// source addresses as well.
constexpr std::size_t flows_per_source = 16'384;
constexpr std::size_t loopback_sources = 254;

bool is_loopback_v4(const Address& address) { return address.family == Family::v4 && address.ip[12] == 127; }

/// Each flow needs a descriptor, and the usual soft limit is low.
void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

void add_measuring(CLI::App& command, MeasureOptions& options, const std::string& to_help,
                   const std::string& self_help) {
    begin_group(command, "Target");
    auto* to = command.add_option("--to", options.to, to_help)->type_name("HOST:PORT");
    command.add_flag("--self", options.threads.self, self_help)->excludes(to);
    command.add_flag_callback(
        "--i-own-this-network", [&options] { options.foreign_targets = ForeignTargets::allowed; },
        "allow targets that are not loopback, private or link-local");
    add_multicast(command, options.multicast);
    add_sender(command, options.sender);
    begin_group(command, "Schedule");
    add_arrivals(command, options.arrivals);
    command
        .add_option("--start-at", options.start_at_text,
                    "start time, to synchronize senders: 2026-01-31T23:59:59Z or seconds since 1970 (default now)")
        ->type_name("UTC");
    begin_group(command, "Verdict");
    add_verdict(command, options.verdict);
    begin_group(command, "Output");
    add_prometheus(command, options.prometheus);
    add_run(command, options.run);
    add_threads(command, options.threads, OtherEnd::may_be_here);
    add_parsed(command, "--flows", options.flows, parse_flows, "number of source ports (default one per engine)");
}

void check_measuring(const CLI::App& command, MeasureOptions& options) {
    note_given(command, options.run);
    TransportOptions& transport = options.transport;
    if (options.threads.self && transport.native()) {
        for (const auto& [name, value] : {std::pair("--key", &transport.key), std::pair("--peer", &transport.peer)})
            if (!value->empty()) throw CLI::ValidationError(fmt::format("{}: not with --self", name));
        if (transport.psk.empty() && !transport.insecure) transport.own_secret = random_value<Keys::Secret>();
    }
    check_transport(command, options.transport);
    parse_conditions(options.verdict.fail_if);
    if (!options.prometheus.empty()) listening_address(options.prometheus);
    if (options.to.empty() && !options.threads.self)
        throw CLI::ValidationError("one of --to HOST:PORT and --self is required");
    const std::uint32_t engines = options.threads.count;
    if (options.flows == 0) options.flows = engines;
    check_sender(options.sender, options.flows);
    if (options.flows < engines)
        throw CLI::ValidationError(
            fmt::format("--flows {}: {} engines need a source port each", options.flows, engines));
    if (options.transport.gtudp() && options.sizes.largest() > options.transport.codec.data_bytes_max())
        throw CLI::ValidationError(fmt::format("--size: {} bytes exceed the {} of a gtudp message",
                                               options.sizes.largest(), options.transport.codec.data_bytes_max()));
    if (options.transport.reliable() && options.flows > engines)
        throw CLI::ValidationError(
            fmt::format("--flows {}: {} has one per engine", options.flows, options.transport.name()));
    if (options.start_at_text.empty()) return;
    try {
        options.start_at = parse_time(options.start_at_text);
    } catch (const std::invalid_argument& reason) {
        throw CLI::ValidationError(fmt::format("--start-at {}: {}", options.start_at_text, reason.what()));
    }
}

Instant start_at(const MeasureOptions& options) {
    if (options.start_at == never) return never;
    const Instant at = options.start_at - unix_offset();
    if (at <= now()) throw Failure(Exit::usage, fmt::format("--start-at {}: is in the past", options.start_at_text));
    return at;
}

Instant expected_start(const MeasureOptions& options) { return options.start_at == never ? now() : start_at(options); }

std::string late_text(Duration late) {
    return fmt::format("--start-at: not ready in time, started {:.3f} s late", seconds(late));
}

UdpSocket open_flow(const MeasureOptions& options, SocketOptions socket, std::size_t index, std::size_t flows) {
    if (flows > flows_per_source && options.sender.bind.empty() && is_loopback_v4(socket.connect)) {
        const auto source = static_cast<std::uint8_t>(1 + index / flows_per_source % loopback_sources);
        socket.bind = Address::v4(127, 0, 0, source, 0);
    }
    const auto open = [&] { return open_sender(options.sender, socket, options.multicast); };
    auto opened = open();
    // The kernel may choose the target's port if it is free, and the socket would send to itself.
    std::vector<UdpSocket> connected_to_themselves;
    while (opened && opened->local() == socket.connect) {
        connected_to_themselves.push_back(std::move(*opened));
        opened = open();
    }
    if (!opened && opened.error().code == EMFILE) {
        raise_descriptor_limit();
        opened = open();
    }
    if (!opened && opened.error().code == EMFILE)
        throw Failure(Exit::failed, fmt::format("--flows {}: {}", options.flows, opened.error().text));
    if (!opened && opened.error().code == EAGAIN)
        throw Failure(
            Exit::failed,
            fmt::format("--flows {}: no more source ports (sysctl net.ipv4.ip_local_port_range)", options.flows));
    return value_or_fail(std::move(opened));
}

}  // namespace ringpost::apps
