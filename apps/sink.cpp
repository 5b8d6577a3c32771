// ringpost sink: receives, verifies, classifies.

#include <fmt/core.h>

#include "apps/commands.hpp"
#include "apps/multicast.hpp"
#include "apps/one_way.hpp"
#include "apps/random.hpp"
#include "codec/load/answering_sink.hpp"
#include "engine/address.hpp"

namespace ringpost::apps {
namespace {

template <class AnyLoop>
class SinkApplication {
  public:
    SinkApplication(AnyLoop& loop, const load::Sink& sink, const ServerOptions& options, Report& report)
        : loop_(loop), sink_(sink), options_(options), report_(report), ticker_(now(), second) {}

    void on_event(Instant, const load::Sink::Event&) {}

    Instant on_turn(Instant at) {
        if (received_signal() != 0) return stop_when_quiet(at);
        const auto elapsed_s = ticker_.tick(at);
        if (!elapsed_s) return ticker_.next();
        if (const load::SinkCounts counts = sink_.counts(); counts.received != reported_) {
            const double rate = static_cast<double>(counts.received - reported_) / *elapsed_s;
            report_.progress(fmt::format("{:>13} datagrams/s   lost {}  duplicate {}  reordered {}  corrupt {}",
                                         grouped(static_cast<std::uint64_t>(rate)), grouped(counts.lost),
                                         grouped(counts.duplicate), grouped(counts.reordered),
                                         grouped(counts.corrupt)));
            report_.event("progress", {{"received", counts.received}, {"lost", counts.lost}, {"rate_per_s", rate}});
            reported_ = counts.received;
        }
        return ticker_.next();
    }

  private:
    Instant stop_when_quiet(Instant at) {
        if (stop_at_ == never) stop_at_ = at + 100 * options_.linger;
        const Instant last = sink_.counts().last_at;
        const Instant quiet_at = last == never ? at : last + options_.linger;
        if (at >= quiet_at || at >= stop_at_) loop_.stop();
        return std::min(quiet_at, stop_at_);
    }

    AnyLoop& loop_;
    const load::Sink& sink_;
    const ServerOptions& options_;
    Report& report_;
    Ticker ticker_;
    Instant stop_at_ = never;
    std::uint64_t reported_ = 0;
};

Json summary_of(const load::SinkCounts& counts, const Counters& engine, const char* backend, bool gro) {
    const double duration_s = counts.received > 0 ? seconds(counts.last_at - counts.first_at) : 0;
    const double rate_per_s = ratio(static_cast<double>(counts.received - counts.at_first), duration_s);
    Json summary = {
        {"received", counts.received},
        {"bytes", counts.bytes},
        {"lost", counts.lost},
        {"duplicate", counts.duplicate},
        {"reordered", counts.reordered},
        {"corrupt", counts.corrupt},
        {"socket_dropped", engine.socket_dropped},
        {"streams", counts.streams},
        {"streams_forgotten", counts.streams_forgotten},
        {"duration_s", duration_s},
        {"rate_per_s", rate_per_s},
        {"bits_per_s", ratio(rate_per_s * static_cast<double>(counts.bytes) * 8, static_cast<double>(counts.received))},
        {"backend", backend},
        {"gro", gro}};
    add_counters(summary, engine);
    return summary;
}

void add_answers(Json& summary, const load::AnswerCounts& counts) {
    summary["answers_sent"] = counts.sent;
    summary["answers_dropped"] = counts.dropped;
    summary["answers_refused"] = counts.refused;
    summary["answers_sources_forgotten"] = counts.sources_forgotten;
}

int sink_command(const ServerOptions& options) {
    Report report(options.common.json);
    const Json summary = run_sink(options, report, [&](std::uint16_t port) {
        report.say(fmt::format("sink listening on port {}", port));
        if (options.one_way) report.say(one_way_warning);
        report.event("listening", {{"port", port}});
    });
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    report.print(fmt::format("received {} datagrams ({} bytes) in {:.3f} s: {:.0f}/s, {:.3f} Gbit/s", count("received"),
                             count("bytes"), summary["duration_s"].get<double>(), summary["rate_per_s"].get<double>(),
                             summary["bits_per_s"].get<double>() / 1e9));
    report.print(fmt::format("lost {} (receive buffer full {} times)  duplicate {}  reordered {}  corrupt {}",
                             count("lost"), count("socket_dropped"), count("duplicate"), count("reordered"),
                             count("corrupt")));
    if (options.transport.gtudp) report.print(wire_text(summary));
    if (options.bidirectional)
        report.print(fmt::format("answered {}  not answered: queue full {}, refused {}", count("answers_sent"),
                                 count("answers_dropped"), count("answers_refused")));
    if (options.one_way) report.print(one_way_text(summary));
    report.event("summary", summary);
    return exit_code(Exit::done);
}

}  // namespace

Json run_sink(const ServerOptions& options, Report& report, const OnListening& on_listening) {
    UdpSocket socket = open_server_socket(options);
    join_groups(socket, options.join);
    const bool gro = socket.gro();
    load::SinkOptions sink_options{.verify = options.verify, .key = random_key()};
    if (options.one_way) sink_options.one_way = one_way_offset();
    std::optional<load::Sink> plain;
    std::optional<load::AnsweringSink> answering;
    if (options.bidirectional)
        answering.emplace(load::AnsweringSinkOptions{.sink = sink_options,
                                                     .seed = random_value<std::uint64_t>(),
                                                     .due_offset = sink_options.one_way.value_or(0)});
    else
        plain.emplace(sink_options);
    const load::Sink& sink = answering ? answering->sink() : *plain;
    const auto serve = [&](auto& loop) {
        const SignalWakes wakes(loop.backend().waker());
        const std::uint16_t port = socket.local().port;
        loop.backend().add(std::move(socket));
        on_listening(port);
        SinkApplication application(loop, sink, options, report);
        const auto summary = [&] {
            report.end_progress();
            Json out = summary_of(sink.counts(), loop.backend().counters(), loop.backend().name, gro);
            if (answering) add_answers(out, answering->answers());
            if (options.one_way) add_one_way(out, sink);
            return out;
        };
        if (!options.transport.gtudp) {
            answering ? loop.run(*answering, application) : loop.run(*plain, application);
            return summary();
        }
        gtudp::Carried carried(*plain, {.wire = wire_options(options.transport), .target = {}});
        loop.run(carried, application);
        Json out = summary();
        add_wire(out, carried.wire().counts());
        return out;
    };
    return value_or_fail(with_loop(options.common.engine, [&](const std::string& text) { report.say(text); }, serve));
}

void add_sink(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("sink", "receive, verify and classify what `load` sends");
    auto options = std::make_shared<ServerOptions>();
    add_server(*command, *options);
    add_join(*command, options->join);
    auto* verify = command->add_flag("!--no-verify", options->verify, "only count: no sequences, no CRC");
    command->add_flag("--one-way", options->one_way, "record the times from due to here; the sender needs it too")
        ->excludes(verify);
    command->add_flag("--bidirectional", options->bidirectional, "answer each frame with one of the same size")
        ->excludes(verify);
    add_transport(*command, options->transport, {});
    add_common(*command, options->common, {.offload = true});
    command->callback([options, &chosen] {
        check_transport(options->transport);
        if (options->bidirectional && options->transport.gtudp)
            throw CLI::ValidationError("--bidirectional: gtudp carries messages one way only");
        chosen = [options] { return sink_command(*options); };
    });
}

}  // namespace ringpost::apps
