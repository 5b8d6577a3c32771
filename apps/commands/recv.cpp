// ringpost recv: prints each message that arrives, as a line of text, once.

#include <fmt/core.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "apps/commands/commands.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

struct RecvOptions {
    ServerOptions server;
    std::uint64_t count = UINT64_MAX;
};

/// After the last message of --count, go on until none has been sent again for so long, because its sender had not
/// heard of it. No other is taken.
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
        // As it is for whatever reads it, but a stranger must not steer a terminal.
        report_.print(isatty(STDOUT_FILENO) != 0 ? printable(text) : text);
        report_.event("message", {{"source", to_text(event.peer)}, {"text", text}});
    }

    Instant on_turn(Instant at) {
        if (received_signal() != 0) loop_.stop();
        if (printed_ < options_.count) return never;
        if (const std::uint64_t again = wire_.counters().duplicates; again != std::exchange(sent_again_, again))
            last_at_ = at;
        if (at >= last_at_ + last_linger) loop_.stop();
        return last_at_ + last_linger;
    }

    std::uint64_t printed() const { return printed_; }

  private:
    AnyLoop& loop_;
    const gtudp::Endpoint& wire_;
    const RecvOptions& options_;
    Report& report_;
    std::uint64_t printed_ = 0, sent_again_ = 0;
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
    return exit_code(value_or_fail(
        with_loop(options.server.common.engine, [&](const std::string& text) { report.note(text); }, run)));
}

}  // namespace

void add_recv(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("recv", "print messages as lines of text, each once");
    auto options = std::make_shared<RecvOptions>();
    add_server(*command, options->server);
    add_parsed(*command, "--count", options->count, parse_count, "end after so many messages, taking no more");
    add_transport(*command, options->server.transport, {.only_gtudp = true});
    add_common(*command, options->server.common, {.offload = true});
    command->callback([options, command, &chosen] {
        check_transport(*command, options->server.transport);
        chosen = [options] { return recv_command(*options); };
    });
}

}  // namespace ringpost::apps
