// ringpost struct: messages of a fixed layout, described by the formats of a library file.

#include <fmt/core.h>

#include <string>
#include <vector>

#include "apps/cli/help.hpp"
#include "apps/cli/run_on_loop.hpp"
#include "apps/cli/sandbox.hpp"
#include "apps/cli/server_end.hpp"
#include "apps/commands/commands.hpp"
#include "apps/commands/struct_library.hpp"
#include "apps/commands/struct_send.hpp"
#include "apps/commands/struct_values.hpp"
#include "codec/structs/endpoint.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

const char* reason(const structs::Event& event) {
    switch (event.kind) {
        case structs::Event::Kind::message: break;
        case structs::Event::Kind::unknown_id: return "unknown id";
        case structs::Event::Kind::wrong_size: return "wrong size";
        case structs::Event::Kind::damage: break;
    }
    switch (event.error) {
        case structs::FrameError::no_magic: break;
        case structs::FrameError::past_end: return "size past the end";
        case structs::FrameError::size_small: return "size under the header's";
        case structs::FrameError::checksum: return "bad checksum";
    }
    return "";
}

template <class AnyLoop>
class StructListenApplication {
  public:
    StructListenApplication(AnyLoop& loop, const ServerEnd& end, const Report& report)
        : loop_(loop), end_(end), deadline_(end.deadline(now())), report_(report) {}

    void on_event(Instant, const structs::Event& event) {
        const std::string source = to_text(event.source);
        if (printed_ == end_.count) return;
        if (event.kind != structs::Event::Kind::message) return reject(event, source);
        ++printed_;
        const std::string values = values_text(*event.definition, event.payload);
        report_.print(fmt::format("{}{}{}  from {}", printable(event.definition->name), values.empty() ? "" : " ",
                                  values, source));
        report_.event("message", {{"name", event.definition->name},
                                  {"id", event.id},
                                  {"values", values_json(*event.definition, event.payload)},
                                  {"source", source}});
    }

    Instant on_turn(Instant at) {
        if (received_signal() != 0 || printed_ == end_.count || at >= deadline_) loop_.stop();
        return deadline_;
    }

    std::uint64_t printed() const { return printed_; }

  private:
    void reject(const structs::Event& event, const std::string& source) {
        Json fields = {{"reason", reason(event)}, {"offset", event.offset}};
        std::string what;
        if (event.kind == structs::Event::Kind::damage) {
            fields["failures"] = event.failures;
            if (event.failures > 1) what = fmt::format(", {} failures up to the next packet", event.failures);
        } else {
            fields["id"] = event.id;
            fields["bytes"] = event.payload.size();
            what = fmt::format(", id {}, {} bytes", event.id, event.payload.size());
        }
        if (event.definition != nullptr) {
            fields["name"] = event.definition->name;
            fields["expected_bytes"] = event.definition->format.bytes();
            what += fmt::format(", expected {} for {}", event.definition->format.bytes(), event.definition->name);
        }
        fields["source"] = source;
        report_.event("rejected", fields);
        report_.note(fmt::format("rejected ({}) at byte {}{}, from {}", reason(event), event.offset, what, source));
    }

    AnyLoop& loop_;
    const ServerEnd& end_;
    Instant deadline_;
    const Report& report_;
    std::uint64_t printed_ = 0;
};

int listen_command(const StructOptions& options) {
    const Report report(options.server.common.form);
    const structs::Library library = load_library(options.library);
    UdpSocket socket = open_server_socket(options.server);
    Sandbox sandbox(options.server.common, report);
    sandbox.deny_files();
    const auto run = [&](auto& loop) {
        const SignalWakes wakes(loop.backend().waker());
        const Address local = socket.local();
        loop.backend().add(std::move(socket));
        sandbox.deny_calls();
        report.note(fmt::format("struct listening on {}, {} messages in the library", listening_text(local),
                                library.definitions().size()));
        report.event("listening", listening_json(local));
        structs::Endpoint endpoint(library);
        StructListenApplication application(loop, options.end, report);
        loop.run(endpoint, application);
        const structs::Counters& counts = endpoint.counters();
        Json summary = {{"received", counts.received},
                        {"messages", counts.messages},
                        {"unknown_id", counts.unknown_id},
                        {"wrong_size", counts.wrong_size},
                        {"past_end", counts.past_end},
                        {"size_small", counts.size_small},
                        {"checksum", counts.checksum},
                        {"skipped_bytes", counts.skipped_bytes},
                        {"without_packet", counts.without_packet},
                        {"app_behind", counts.app_behind},
                        {"socket_dropped", loop.backend().counters().socket_dropped},
                        {"backend", loop.backend().name}};
        add_counters(summary, "structs", counts);
        add_counters(summary, loop.backend().counters());
        report.event("summary", summary);
        return application.printed();
    };
    return server_exit_code(report, options.end, run_on_loop(options.server.common, report, run));
}

}  // namespace

void add_struct(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("struct", "exchange messages packed like those of Python's struct module");
    command->require_subcommand(1);
    auto options = std::make_shared<StructOptions>();
    CLI::App* listen = command->add_subcommand("listen", "print received struct messages");
    add_server(*listen, options->server);
    add_server_end(*listen, options->end, "messages");
    begin_group(*listen, "Messages");
    CLI::App* send = command->add_subcommand("send", "send one struct message, or one for each line of standard input");
    begin_group(*send, "Addresses");
    send->add_option("--to", options->to, "target, a name, IPv4 or [IPv6] address")->type_name("HOST:PORT")->required();
    send->add_option("--bind", options->server.bind, "local address to send from (default any)")->type_name("ADDRESS");
    send->add_option(
        "NAME", options->name,
        "name of the message in the library; - sends the lines of standard input, each a name and its values, "
        "as `listen` prints them (default -)");
    send->add_option(
        "VALUE", options->values,
        "values of the message, e.g. 12 -0x1f 1.5 true text; \\xNN is a byte; -- goes before values such as -inf");
    begin_group(*send, "Messages");
    for (CLI::App* each : {listen, send}) {
        each->add_option("--library", options->library, "messages that both ends know, see below")
            ->type_name("FILE")
            ->required();
        add_common(*each, options->server.common, {.wait = each == listen});
    }
    add_sandbox(*listen, options->server.common);
    constexpr const char* send_example = "ringpost struct send --to 127.0.0.1:7007 --library messages.json reading 1 2";
    end_help(*listen, {.notes = library_help,
                       .examples = {"ringpost struct listen --port 7007 --library messages.json"},
                       .exits = {Exit::failed, Exit::unreachable},
                       .server = true});
    end_help(*send, {.notes = library_help, .examples = {send_example}, .exits = {Exit::failed, Exit::unreachable}});
    end_help(*command, {.notes = {}, .examples = {send_example}, .exits = {Exit::failed, Exit::unreachable}});
    listen->callback([options, &chosen] { chosen = [options] { return listen_command(*options); }; });
    send->callback([options, &chosen] { chosen = [options] { return struct_send(*options); }; });
}

}  // namespace ringpost::apps
