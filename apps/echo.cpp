// ringpost echo: returns every datagram to its source.

#include <fmt/core.h>

#include <optional>

#include "apps/commands.hpp"
#include "apps/multicast.hpp"
#include "codec/echo/endpoint.hpp"
#include "engine/address.hpp"

namespace ringpost::apps {
namespace {

template <class AnyLoop>
struct EchoApplication {
    AnyLoop& loop;

    void on_event(Instant, const echo::Endpoint::Event&) {}

    Instant on_turn(Instant) {
        if (received_signal() != 0) loop.stop();
        return never;
    }
};

int echo_command(const ServerOptions& options) {
    Report report(options.common.json);
    const Json summary = run_echo(options, report, [&](std::uint16_t port) {
        report.say(fmt::format("echo listening on port {}", port));
        report.event("listening", {{"port", port}});
    });
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    report.print(fmt::format("received {}  returned {}  refused {}  not returned, queue full {}", count("received"),
                             count("sent"), count("refused"), count("queue_full")));
    if (options.transport.gtudp) report.print(wire_text(summary));
    report.event("summary", summary);
    return exit_code(Exit::done);
}

}  // namespace

Json run_echo(const ServerOptions& options, Report& report, const OnListening& on_listening) {
    UdpSocket socket = open_server_socket(options);
    join_groups(socket, options.join);
    const bool gro = socket.gro();
    echo::Endpoint endpoint;
    const Instant start = now();
    const auto serve = [&](auto& loop) {
        const SignalWakes wakes(loop.backend().waker());
        const std::uint16_t port = socket.local().port;
        loop.backend().add(std::move(socket));
        on_listening(port);
        EchoApplication<std::remove_reference_t<decltype(loop)>> application{loop};
        std::optional<gtudp::Carried<echo::Endpoint>> carried;
        if (options.transport.gtudp) {
            carried.emplace(endpoint, gtudp::CarriedOptions{.wire = wire_options(options.transport), .target = {}});
            loop.run(*carried, application);
        } else {
            loop.run(endpoint, application);
        }
        const echo::EchoCounts& counts = endpoint.counts();
        const Counters engine = loop.backend().counters();
        const double duration_s = seconds(now() - start);
        Json summary = {{"received", counts.received},
                        {"sent", carried ? carried->wire().counts().confirmed : engine.sent},
                        {"refused", counts.refused},
                        {"queue_full", counts.queue_full},
                        {"socket_dropped", engine.socket_dropped},
                        {"duration_s", duration_s},
                        {"rate_per_s", ratio(static_cast<double>(counts.received), duration_s)},
                        {"backend", loop.backend().name},
                        {"gso", loop.backend().sends_trains()},
                        {"gro", gro}};
        if (carried) add_wire(summary, carried->wire().counts());
        add_counters(summary, engine);
        return summary;
    };
    return value_or_fail(with_loop(options.common.engine, [&](const std::string& text) { report.say(text); }, serve));
}

void add_echo(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("echo", "return every datagram to its source (RFC 862)");
    auto options = std::make_shared<ServerOptions>();
    add_server(*command, *options);
    add_join(*command, options->join);
    add_transport(*command, options->transport, {});
    add_common(*command, options->common, {.offload = true});
    command->callback([options, &chosen] {
        check_transport(options->transport);
        chosen = [options] { return echo_command(*options); };
    });
}

}  // namespace ringpost::apps
