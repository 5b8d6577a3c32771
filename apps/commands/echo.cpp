// ringpost echo: returns every datagram to its source.

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "apps/cli/help.hpp"
#include "apps/cli/multicast.hpp"
#include "apps/cli/sandbox.hpp"
#include "apps/commands/commands.hpp"
#include "apps/measuring/engines.hpp"
#include "apps/measuring/outcome.hpp"
#include "codec/echo/endpoint.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

/// Shared by the engines of one echo server.
struct EchoRun {
    const PeerOptions& options;
    StartLine& line;
    const std::optional<NativeServer>& native;  ///< of --transport native
    EndCount& count;
};

template <class AnyLoop>
class EchoApplication {
  public:
    EchoApplication(AnyLoop& loop, const echo::Endpoint& endpoint, EndWatch end, const StartLine& line,
                    bool one_of_several, std::function<void()> each_turn)
        : loop_(loop),
          endpoint_(endpoint),
          end_(std::move(end)),
          line_(line),
          one_of_several_(one_of_several),
          each_turn_(std::move(each_turn)),
          look_(now(), look_every) {}

    void on_event(Instant, const echo::Endpoint::Event&) {}

    Instant on_turn(Instant at) {
        if (each_turn_) each_turn_();
        if (received_signal() != 0 || line_.failed() || end_.over(at, endpoint_.counters().received)) loop_.stop();
        // A signal wakes one engine; the others poll.
        if (!one_of_several_) return end_.next();
        look_.tick(at);
        return std::min(look_.next(), end_.next());
    }

  private:
    AnyLoop& loop_;
    const echo::Endpoint& endpoint_;
    EndWatch end_;
    const StartLine& line_;
    bool one_of_several_;
    std::function<void()> each_turn_;
    Ticker look_;
};

template <class AnyLoop>
Outcome run_one_echo(AnyLoop& loop, std::size_t engine, UdpSocket socket, const EchoRun& run,
                     const OnListening& on_listening) {
    const PeerOptions& options = run.options;
    std::optional<SignalWakes> wakes;
    if (engine == 0) wakes.emplace(loop.backend().waker());
    const bool gro = socket.gro();
    const Address local = socket.local();
    loop.backend().add(std::move(socket));
    const Instant start = run.line.ready();
    if (engine == 0) on_listening(local);
    echo::Endpoint endpoint;
    Outcome out;
    std::uint64_t confirmed = 0;
    const auto serve = [&](auto& protocol, Duration linger, std::function<bool()> peers_wait,
                           std::function<void()> each_turn = {}) {
        EchoApplication application(loop, endpoint, {options.end, run.count, start, linger, std::move(peers_wait)},
                                    run.line, options.threads.count > 1, std::move(each_turn));
        loop.run(protocol, application);
    };
    if (options.transport.gtudp()) {
        traffic::GtudpTunnel tunnel(
            endpoint,
            traffic::GtudpTunnelOptions{.wire = wire_options(options.transport, options.end.count), .target = {}});
        serve(tunnel, last_answers_linger, [&tunnel] { return tunnel.peers_wait(); });
        add_wire_counts(out.counts, tunnel.wire().counters());
        confirmed = tunnel.wire().counters().confirmed;
    } else if (run.native) {
        traffic::NativeTunnel tunnel(endpoint, tunnel_of(*run.native, engine));
        ClientList::User clients(run.native->clients.get(), engine);
        serve(tunnel, native_linger, [] { return true; }, [&] { clients.renew(tunnel); });
        add_native_counts(out.counts, tunnel.wire());
        out.counts["replies_refused"] = tunnel.refused();
        confirmed = tunnel.taken();
    } else {
        serve(endpoint, no_linger, [] { return false; });
    }
    const echo::EchoCounters& counts = endpoint.counters();
    const EngineCounters counters = loop.backend().counters();
    out.counts.update({{"received", counts.received},
                       {"sent", options.transport.reliable() ? confirmed : counters.sent},
                       {"refused", counts.refused},
                       {"hops_exhausted", counts.hops_exhausted},
                       {"queue_full", counts.queue_full},
                       {"socket_dropped", counters.socket_dropped}});
    add_counters(out.counts, "echo", counts);
    add_engine_counts(out.counts, counters);
    out.facts = {{"backend", loop.backend().name}, {"gso", loop.backend().sends_trains()}, {"gro", gro}};
    note_send_error(out.facts, counters);
    return out;
}

int echo_command(const PeerOptions& options) {
    Report report(options.common.form);
    const Json summary = run_echo(options, report, [&](const Address& local) {
        report.note("echo listening on " + listening_text(local));
        report.event("listening", listening_json(local));
    });
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    report.print(fmt::format("received {}  returned {}  refused {}  dropped, queue full {}", count("received"),
                             count("sent"), count("refused"), count("queue_full")));
    if (summary["hops_exhausted"] > 0)
        report.print(fmt::format("not answered, hop limit exhausted {}: a loop?", count("hops_exhausted")));
    if (summary["not_allowed"] > 0) report.print(not_allowed_text(summary));
    if (options.transport.gtudp()) report.print(wire_text(summary));
    report.event("summary", summary);
    return server_exit_code(report, options.end, summary["received"].get<std::uint64_t>());
}

}  // namespace

Json run_echo(const PeerOptions& options, Report& report, const OnListening& on_listening) {
    std::vector<UdpSocket> sockets = open_server_sockets(options);
    std::optional<NativeServer> native;
    if (options.transport.native()) {
        native = native_server(options.transport, sockets.size(), report);
        steer_to_shards(sockets, report);
    }
    if (options.transport.insecure) report.note(insecure_note);
    const Instant start = now();
    StartLine line(sockets.size());
    EndCount count{0};
    const EchoRun run{options, line, native, count};
    const auto notify = [&](const std::string& text) { report.note(text); };
    Sandbox sandbox(options.common, report);
    KeptFiles files;
    AllowedCalls calls;
    keep_client_list(options.transport.allow, files, calls);
    const auto listening = [&](const Address& local) {
        sandbox.deny_calls(calls);
        on_listening(local);
    };
    sandbox.deny_files(files);
    const Outcome all = add_all(run_engines(
        options.common.engine, options.threads, options.side, line, notify, [&](auto& loop, std::size_t engine) {
            return run_one_echo(loop, engine, std::move(sockets[engine]), run, listening);
        }));
    Json summary = all.counts;
    summary["duration_s"] = seconds(now() - start);
    summary["rate_per_s"] = ratio(summary["received"].get<double>(), summary["duration_s"].get<double>());
    summary.update(all.facts);
    if (options.transport.reliable()) summary["transport"] = options.transport.name();
    return summary;
}

void add_echo(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("echo", "return every datagram to its source (RFC 862)");
    auto options = std::make_shared<PeerOptions>();
    options->hop_limits = true;
    add_server(*command, *options);
    add_allow(*command, *options, Allowed::networks_or_clients);
    add_threads(*command, options->threads);
    add_join(*command, options->join);
    add_server_end(*command, options->end, "datagrams");
    add_transport(*command, options->transport, {.server = true});
    add_common(*command, options->common, {.offload = true});
    add_sandbox(*command, options->common);
    end_help(*command, {.notes = {},
                        .examples = {"ringpost echo --port 7777", "ringpost echo --port 7777 --bind 127.0.0.1 --json"},
                        .exits = {Exit::failed, Exit::unreachable},
                        .server = true});
    command->callback([options, command, &chosen] {
        check_transport(*command, options->transport);
        chosen = [options] { return echo_command(*options); };
    });
}

}  // namespace ringpost::apps
