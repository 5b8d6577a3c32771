// ringpost relay: passes datagrams on between clients and a target, and loses, delays or spoils some on the way.

#include <fmt/core.h>

#include "apps/cli/random.hpp"
#include "apps/commands/commands.hpp"
#include "codec/relay/endpoint.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

using relay::Direction;

struct RelayOptions {
    ServerOptions server;
    std::string to;
    relay::Impairments impairments;
    std::uint64_t seed = random_value<std::uint64_t>();
};

/// Of both directions.
std::uint64_t dropped(const relay::Counters& counts) {
    return counts.lost + counts.burst_lost + counts.blackholed + counts.overflow + counts.abandoned;
}

template <class AnyLoop>
class RelayApplication {
  public:
    RelayApplication(AnyLoop& loop, relay::Endpoint& endpoint, const SocketOptions& upstream, Report& report)
        : loop_(loop), endpoint_(endpoint), upstream_(upstream), report_(report), ticker_(now(), second) {}

    void on_event(Instant at, const relay::Event& event) {
        const Json address = {{"address", to_text(event.address)}};
        if (event.kind == relay::Event::Kind::client_forgotten) {
            closing_.push_back(event.socket);
            report_.event("client_forgotten", address);
            return;
        }
        auto socket = UdpSocket::open(upstream_);
        if (!socket) {
            endpoint_.refuse(event.client);
            if (at >= complain_at_) report_.note(to_text(event.address) + ": refused: " + socket.error().text);
            complain_at_ = std::max(complain_at_, at + second);
            return;
        }
        const SocketIndex index = loop_.backend().add(std::move(*socket));
        if (!endpoint_.attach(event.client, index)) closing_.push_back(index);
        report_.event("client", address);
    }

    Instant on_turn(Instant at) {
        if (received_signal() != 0) loop_.stop();
        for (const SocketIndex socket : closing_) loop_.backend().remove(socket);
        closing_.clear();
        if (const auto elapsed_s = ticker_.tick(at)) tell_progress(*elapsed_s);
        return ticker_.next();
    }

  private:
    void tell_progress(double elapsed_s) {
        const relay::Counters &there = endpoint_.counts(Direction::to_target),
                              &back = endpoint_.counts(Direction::to_client);
        const std::uint64_t forwarded = there.forwarded + back.forwarded, received = there.received + back.received;
        if (received == received_reported_ && forwarded == forwarded_reported_) return;
        const double rate = static_cast<double>(forwarded - forwarded_reported_) / elapsed_s;
        report_.progress(fmt::format("{:>13} datagrams/s   to target {}  to clients {}  dropped {}  held {}",
                                     grouped(static_cast<std::uint64_t>(rate)), grouped(there.forwarded),
                                     grouped(back.forwarded), grouped(dropped(there) + dropped(back)),
                                     grouped(endpoint_.held())));
        report_.event("progress", {{"received", received}, {"forwarded", forwarded}, {"rate_per_s", rate}});
        received_reported_ = received;
        forwarded_reported_ = forwarded;
    }

    AnyLoop& loop_;
    relay::Endpoint& endpoint_;
    SocketOptions upstream_;
    Report& report_;
    Ticker ticker_;
    std::vector<SocketIndex> closing_;  // not before on_turn(): what has just been received may name them
    Instant complain_at_ = 0;
    std::uint64_t received_reported_ = 0, forwarded_reported_ = 0;
};

Json counts_json(const relay::Counters& counts) {
    return {{"received", counts.received},     {"forwarded", counts.forwarded},   {"lost", counts.lost},
            {"burst_lost", counts.burst_lost}, {"blackholed", counts.blackholed}, {"duplicated", counts.duplicated},
            {"corrupted", counts.corrupted},   {"reordered", counts.reordered},   {"overflow", counts.overflow},
            {"abandoned", counts.abandoned}};
}

std::string counts_text(const Json& counts) {
    std::string text;
    for (const auto& [name, value] : counts.items())
        text += fmt::format("  {} {}", name, grouped(value.get<std::uint64_t>()));
    return text;
}

Json run_relay(const RelayOptions& options, Report& report) {
    const Address target = target_address(options.to);
    UdpSocket socket = open_server_socket(options.server);
    const std::uint16_t port = socket.local().port;
    const auto toward = source_address_toward(target);
    if (toward && toward->ip == target.ip && target.port == port)
        throw Failure(Exit::usage, fmt::format("--to {}: is the relay itself", options.to));
    SocketOptions upstream;
    upstream.connect = target;
    upstream.gro = options.server.common.gro;
    const bool gro = socket.gro();
    const auto serve = [&](auto& loop) {
        const SignalWakes wakes(loop.backend().waker());
        const Instant start = now();
        relay::Endpoint endpoint({.to_target = options.impairments,
                                  .to_client = options.impairments,
                                  .seed = options.seed,
                                  .start = start,
                                  .key = random_key()});
        loop.backend().add(std::move(socket));
        report.note(fmt::format("relay listening on port {}", port));
        report.event("listening", {{"port", port}});
        RelayApplication application(loop, endpoint, upstream, report);
        loop.run(endpoint, application);
        report.end_progress();
        const EngineCounters engine = loop.backend().counters();
        Json summary = {{"to_target", counts_json(endpoint.counts(Direction::to_target))},
                        {"to_client", counts_json(endpoint.counts(Direction::to_client))},
                        {"held", endpoint.held()},
                        {"clients", endpoint.clients().clients},
                        {"clients_forgotten", endpoint.clients().forgotten},
                        {"clients_refused", endpoint.clients().refused},
                        {"socket_dropped", engine.socket_dropped},
                        {"seed", options.seed},
                        {"duration_s", seconds(now() - start)},
                        {"backend", loop.backend().name},
                        {"gso", loop.backend().sends_trains()},
                        {"gro", gro}};
        add_counters(summary, engine);
        return summary;
    };
    return value_or_fail(
        with_loop(options.server.common.engine, [&](const std::string& text) { report.note(text); }, serve));
}

int relay_command(const RelayOptions& options) {
    Report report(options.server.common.form);
    const Json summary = run_relay(options, report);
    report.print("to the target:" + counts_text(summary["to_target"]));
    report.print("to the clients:" + counts_text(summary["to_client"]));
    report.print(fmt::format("clients {}  forgotten {}  refused {}  seed {}",
                             grouped(summary["clients"].get<std::uint64_t>()),
                             grouped(summary["clients_forgotten"].get<std::uint64_t>()),
                             grouped(summary["clients_refused"].get<std::uint64_t>()), options.seed));
    report.event("summary", summary);
    return exit_code(Exit::done);
}

/// The two sides of a comma.
std::pair<std::string, std::string> split_pair(const std::string& text, const char* expected) {
    const std::size_t comma = text.find(',');
    if (comma == std::string::npos) throw std::invalid_argument(expected);
    return {text.substr(0, comma), text.substr(comma + 1)};
}

struct BurstLoss {
    double chance = 0;
    std::uint32_t datagrams = 1;
};

BurstLoss parse_burst_loss(const std::string& text) {
    const auto [chance, datagrams] = split_pair(text, "expected a share and a length such as 0.1%,20");
    const std::uint64_t length = parse_count(datagrams);
    if (length > UINT32_MAX) throw std::invalid_argument("the length must be below 2^32");
    return {parse_chance(chance), static_cast<std::uint32_t>(length)};
}

struct Blackhole {
    Duration on = 0, off = 0;
};

Blackhole parse_blackhole(const std::string& text) {
    const auto [on, off] = split_pair(text, "expected two times such as 200ms,1s");
    return {parse_duration(on), parse_duration(off)};
}

void add_impairments(CLI::App& command, relay::Impairments& out, BurstLoss& burst, Blackhole& blackhole) {
    add_parsed(command, "--loss", out.loss, parse_chance, "share lost, each datagram by itself: 5%");
    add_parsed(command, "--burst-loss", burst, parse_burst_loss,
               "P,LEN: with the chance P a burst begins that loses LEN in a row: 0.1%,20");
    add_parsed(command, "--blackhole", blackhole, parse_blackhole,
               "ON,OFF: all pass for OFF, then all are lost for ON, and so on: 200ms,1s");
    add_parsed(command, "--delay", out.delay, parse_duration, "hold every datagram so long: 10ms");
    add_parsed(command, "--jitter", out.jitter, parse_duration, "and up to so much longer, evenly spread: 3ms");
    add_parsed(command, "--reorder", out.reorder, parse_chance, "share held back 1ms longer than the others: 1%");
    add_parsed(command, "--duplicate", out.duplicate, parse_chance, "share sent twice: 1%");
    add_parsed(command, "--corrupt", out.corrupt, parse_chance, "share of which 1 to 3 bits are flipped: 0.1%");
    add_parsed(command, "--rate", out.rate_bits_per_s, parse_bit_rate,
               "bits per second of all clients together, 28 bytes of headers counted for each datagram; one that "
               "would wait longer than 100ms is dropped: 100Mbit");
}

}  // namespace

void add_relay(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("relay", "pass datagrams on, and lose, delay or spoil some, both ways");
    auto options = std::make_shared<RelayOptions>();
    auto burst = std::make_shared<BurstLoss>();
    auto blackhole = std::make_shared<Blackhole>();
    options->server.port_option = "--listen";
    add_parsed(*command, "--listen", options->server.port, parse_port, "UDP port for clients; 0 lets the kernel choose")
        ->required();
    command->add_option("--bind", options->server.bind, "local address to listen on (default: all)");
    command->add_option("--to", options->to, "HOST:PORT of the target")->required();
    add_impairments(*command, options->impairments, *burst, *blackhole);
    add_parsed(*command, "--seed", options->seed, parse_seed, "of all chance; the report tells it (default: random)");
    add_common(*command, options->server.common, {.offload = true});
    command->callback([options, burst, blackhole, &chosen] {
        options->impairments.burst = burst->chance;
        options->impairments.burst_datagrams = burst->datagrams;
        options->impairments.blackhole_on = blackhole->on;
        options->impairments.blackhole_off = blackhole->off;
        chosen = [options] { return relay_command(*options); };
    });
}

}  // namespace ringpost::apps
