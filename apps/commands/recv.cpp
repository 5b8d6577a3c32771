// ringpost recv: receives gtUDP messages and prints each once, as a line of text.

#include <fmt/core.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "apps/cli/run_on_loop.hpp"
#include "apps/commands/commands.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

struct RecvOptions {
    ServerOptions server;
    std::uint64_t count = UINT64_MAX;
};

/// After the last message of --count, keep confirming duplicates until none has arrived for this long, in case the
/// sender has missed the confirmation. No further message is accepted.
constexpr Duration last_linger = 500 * millisecond;

template <class AnyLoop>
class RecvApplication {
  public:
    RecvApplication(AnyLoop& loop, const gtudp::Endpoint& wire, const RecvOptions& options, Report& report)
        : loop_(loop), wire_(wire), options_(options), report_(report) {}

    void on_event(Instant at, const gtudp::Event& event) {
        if (event.kind != gtudp::Event::Kind::message) return;
        last_at_ = at;
        ++printed_;
        const std::string text(reinterpret_cast<const char*>(event.bytes.data()), event.bytes.size());
        // Unchanged for pipes and files, but escaped for a terminal.
        report_.print(isatty(STDOUT_FILENO) != 0 ? printable(text) : text);
        report_.event("message", {{"source", to_text(event.peer)}, {"text", text}});
    }

    Instant on_turn(Instant at) {
        if (received_signal() != 0) loop_.stop();
        if (printed_ < options_.count) return never;
        const std::uint64_t duplicates = wire_.counters().duplicates;
        if (duplicates != std::exchange(duplicates_, duplicates)) last_at_ = at;
        if (at >= last_at_ + last_linger) loop_.stop();
        return last_at_ + last_linger;
    }

    std::uint64_t printed() const { return printed_; }

  private:
    AnyLoop& loop_;
    const gtudp::Endpoint& wire_;
    const RecvOptions& options_;
    Report& report_;
    std::uint64_t printed_ = 0, duplicates_ = 0;
    Instant last_at_ = 0;
};

int recv_command(const RecvOptions& options) {
    Report report(options.server.common.form);
    UdpSocket socket = open_server_socket(options.server);
    const auto run = [&](auto& loop) {
        const SignalWakes wakes(loop.backend().waker());
        const std::uint16_t port = socket.local().port;
        loop.backend().add(std::move(socket));
        report.note(fmt::format("recv listening on port {}", port));
        report.event("listening", {{"port", port}});
        gtudp::Options settings = wire_options(options.server.transport);
        settings.deliveries_max = options.count;
        gtudp::Endpoint wire(settings);
        RecvApplication application(loop, wire, options, report);
        loop.run(wire, application);
        Json summary = {{"received", application.printed()}, {"backend", loop.backend().name}};
        add_wire(summary, wire.counters());
        add_counters(summary, loop.backend().counters());
        report.event("summary", summary);
        return Exit::done;
    };
    return exit_code(run_on_loop(options.server.common, report, run));
}

}  // namespace

void add_recv(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("recv", "receive messages, print each once as a line");
    auto options = std::make_shared<RecvOptions>();
    add_server(*command, options->server);
    add_parsed(*command, "--count", options->count, parse_count,
               "exit after this number of messages (default unlimited)");
    add_transport(*command, options->server.transport, {.gtudp_only = true});
    add_common(*command, options->server.common, {.offload = true});
    command->callback([options, command, &chosen] {
        check_transport(*command, options->server.transport);
        chosen = [options] { return recv_command(*options); };
    });
}

}  // namespace ringpost::apps
