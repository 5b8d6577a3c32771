// ringpost relay: forwards datagrams between clients and a target and drops, delays or corrupts some of them.

#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "apps/cli/help.hpp"
#include "apps/cli/run_on_loop.hpp"
#include "apps/cli/sandbox.hpp"
#include "apps/commands/commands.hpp"
#include "apps/commands/relay_options.hpp"
#include "codec/relay/endpoint.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

using relay::Direction;

std::uint64_t dropped(const relay::Counters& counts) {
    return counts.lost + counts.burst_lost + counts.blackholed + counts.overflow + counts.abandoned + counts.refused +
           counts.hops_exhausted;
}

std::uint64_t received(const relay::Endpoint& endpoint) {
    return endpoint.counts(Direction::to_target).received + endpoint.counts(Direction::to_client).received;
}

template <class AnyLoop>
class RelayApplication {
  public:
    RelayApplication(AnyLoop& loop, relay::Endpoint& endpoint, SocketOptions upstream, EndWatch end, Report& report)
        : loop_(loop),
          endpoint_(endpoint),
          upstream_(std::move(upstream)),
          end_(std::move(end)),
          report_(report),
          ticker_(now(), second) {}

    void on_event(Instant at, const relay::Event& event) {
        const Json address = {{"address", to_text(event.address)}};
        if (event.kind == relay::Event::Kind::client_removed) {
            closing_.push_back(event.socket);
            report_.event("client_removed", address);
            return;
        }
        auto socket = UdpSocket::open(upstream_);
        if (!socket) {
            endpoint_.refuse(event.client);
            if (at >= next_complaint_at_) report_.note(to_text(event.address) + ": refused: " + socket.error().text);
            next_complaint_at_ = std::max(next_complaint_at_, at + second);
            return;
        }
        const SocketIndex index = loop_.backend().add(std::move(*socket));
        if (!endpoint_.attach(event.client, index)) closing_.push_back(index);
        report_.event("client", address);
    }

    Instant on_turn(Instant at) {
        if (received_signal() != 0) loop_.stop();
        if (end_.over(at, received(endpoint_))) loop_.stop();
        for (const SocketIndex socket : closing_) loop_.backend().remove(socket);
        closing_.clear();
        if (const auto elapsed_s = ticker_.tick(at)) report_progress(*elapsed_s);
        return std::min(ticker_.next(), end_.next());
    }

  private:
    void report_progress(double elapsed_s) {
        const relay::Counters &there = endpoint_.counts(Direction::to_target),
                              &back = endpoint_.counts(Direction::to_client);
        const std::uint64_t forwarded = there.forwarded + back.forwarded, received = there.received + back.received;
        if (received == received_reported_ && forwarded == forwarded_reported_) return;
        const double rate = static_cast<double>(forwarded - forwarded_reported_) / elapsed_s;
        report_.progress(fmt::format("{:>15}   to target {}  to clients {}  dropped {}  held {}",
                                     grouped_rate_text(rate), grouped(there.forwarded), grouped(back.forwarded),
                                     grouped(dropped(there) + dropped(back)), grouped(endpoint_.held())));
        report_.event("progress", {{"received", received}, {"forwarded", forwarded}, {"rate_per_s", rate}});
        received_reported_ = received;
        forwarded_reported_ = forwarded;
    }

    AnyLoop& loop_;
    relay::Endpoint& endpoint_;
    SocketOptions upstream_;
    EndWatch end_;
    Report& report_;
    Ticker ticker_;
    std::vector<SocketIndex> closing_;  // until on_turn(): datagrams received in this turn may refer to them
    Instant next_complaint_at_ = 0;
    std::uint64_t received_reported_ = 0, forwarded_reported_ = 0;
};

std::string counts_text(const Json& counts) {
    std::string text;
    for (const auto& [name, value] : counts.items())
        text += fmt::format("  {} {}", name, grouped(value.get<std::uint64_t>()));
    return text;
}

/// What is delayed still leaves after the last datagram of --count.
Duration longest_delay(const relay::Impairments& impairments) {
    return impairments.delay + impairments.jitter + (impairments.reorder > 0 ? relay::reorder_hold : 0) +
           (impairments.rate_bits_per_s > 0 ? limits::relay_queue_ns_max : 0);
}

/// A socket for each client, and some descriptors for everything else, within the limit of open files.
std::uint32_t clients_max() {
    constexpr rlim_t others = 64;
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= others) return 1;
    return std::bit_floor(
        static_cast<std::uint32_t>(std::min<rlim_t>(limit.rlim_cur - others, limits::relay_clients_max)));
}

/// `counted` becomes what --count has counted.
Json run_relay(const RelayOptions& options, Report& report, std::uint64_t& counted) {
    const Address target = target_address(options.to);
    check_route("--to", target);
    UdpSocket socket = open_server_socket(options.server);
    const Address local = socket.local();
    check_not_itself(local, options.to, target, "the relay");
    const relay::Impairments impairments = impairments_of(options);
    SocketOptions upstream;
    upstream.connect = target;
    upstream.gro = options.server.common.gro;
    upstream.hop_limits = true;
    const bool gro = socket.gro();
    Sandbox sandbox(options.server.common, report);
    sandbox.deny_files();
    const auto serve = [&](auto& loop) {
        const SignalWakes wakes(loop.backend().waker());
        const Instant start = now();
        relay::Endpoint endpoint({.target = target,
                                  .to_target = impairments,
                                  .to_client = impairments,
                                  .seed = options.seed,
                                  .start = start,
                                  .key = random_key(),
                                  .clients_max = clients_max()});
        loop.backend().add(std::move(socket));
        sandbox.deny_calls({.connections = true});  // a socket for each client
        report.note("relay listening on " + listening_text(local));
        report.event("listening", listening_json(local));
        EndCount count{0};
        RelayApplication application(loop, endpoint, upstream,
                                     EndWatch(options.end, count, start, longest_delay(impairments)), report);
        loop.run(endpoint, application);
        report.end_progress();
        const EngineCounters engine = loop.backend().counters();
        counted = received(endpoint);
        Json summary = {{"to_target", counters_json(endpoint.counts(Direction::to_target))},
                        {"to_client", counters_json(endpoint.counts(Direction::to_client))},
                        {"held", endpoint.held()},
                        {"clients", endpoint.clients().clients},
                        {"clients_forgotten", endpoint.clients().forgotten},
                        {"clients_refused", endpoint.clients().refused},
                        {"clients_deferred", endpoint.clients().deferred},
                        {"socket_dropped", engine.socket_dropped},
                        {"seed", options.seed},
                        {"duration_s", seconds(now() - start)},
                        {"backend", loop.backend().name},
                        {"gso", loop.backend().sends_trains()},
                        {"gro", gro}};
        add_counters(summary, "to_target", endpoint.counts(Direction::to_target));
        add_counters(summary, "to_client", endpoint.counts(Direction::to_client));
        add_counters(summary, "clients", endpoint.clients());
        add_counters(summary, engine);
        return summary;
    };
    return run_on_loop(options.server.common, report, serve);
}

int relay_command(const RelayOptions& options) {
    Report report(options.server.common.form);
    std::uint64_t counted = 0;
    const Json summary = run_relay(options, report, counted);
    report.print("to the target:" + counts_text(summary["to_target"]));
    report.print("to the clients:" + counts_text(summary["to_client"]));
    report.print(fmt::format("clients {}  forgotten {}  refused {}  seed {}",
                             grouped(summary["clients"].get<std::uint64_t>()),
                             grouped(summary["clients_forgotten"].get<std::uint64_t>()),
                             grouped(summary["clients_refused"].get<std::uint64_t>()), options.seed));
    if (summary["clients_deferred"] > 0)
        report.print(
            fmt::format("dropped, too many new sources {}", grouped(summary["clients_deferred"].get<std::uint64_t>())));
    if (summary["not_allowed"] > 0) report.print(not_allowed_text(summary));
    report.event("summary", summary);
    return server_exit_code(report, options.end, counted);
}

}  // namespace

void add_relay(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("relay", "forward datagrams both ways; drop, delay or corrupt some");
    auto options = std::make_shared<RelayOptions>();
    add_relay_options(*command, *options);
    end_help(*command,
             {.notes = {},
              .examples = {"ringpost relay --listen 7001 --to 127.0.0.1:7000 --loss 5% --delay 10ms --seed 1"},
              .exits = {Exit::failed, Exit::unreachable},
              .server = true});
    command->callback([options, &chosen] { chosen = [options] { return relay_command(*options); }; });
}

}  // namespace ringpost::apps
