// ringpost struct send: one message, or a line of standard input for each, in order. Lines are read while the messages
// of the lines before leave, so that a fast writer is held back.

#include "apps/commands/struct_send.hpp"

#include <fmt/core.h>

#include <cstring>
#include <optional>

#include "apps/cli/lines.hpp"
#include "apps/cli/run_on_loop.hpp"
#include "apps/commands/struct_library.hpp"
#include "apps/commands/struct_values.hpp"
#include "codec/structs/endpoint.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

/// Messages that wait for the kernel at most.
constexpr std::size_t waiting_max = 256;

struct NamedValues {
    std::string name;
    std::vector<std::string> values;
};

/// One message: as given on the command line, or of a line. Throws a Failure that names what is wrong with it.
structs::Packet packet_of(const structs::Library& library, const StructOptions& options, const NamedValues& message,
                          std::vector<std::byte>& payload) {
    const structs::Definition* const definition = library.find(message.name);
    if (definition == nullptr)
        throw Failure(Exit::usage, fmt::format("{}: not in {}", shown_value(message.name), options.library));
    payload = pack_texts(*definition, message.values);
    if (structs::header_bytes + payload.size() > limits::datagram_bytes_max)
        throw Failure(Exit::usage, fmt::format("{}: {} bytes do not fit into a UDP datagram", message.name,
                                               structs::header_bytes + payload.size()));
    return {definition->id, payload};
}

/// Sends the lines of standard input.
class StructLines {
  public:
    StructLines(structs::Endpoint& endpoint, const structs::Library& library, const StructOptions& options,
                const Address& target, const Report& report)
        : endpoint_(endpoint), library_(library), options_(options), target_(target), report_(report) {}

    /// Queues lines while there is room. True if it has taken one.
    bool take() {
        bool any = false;
        while (endpoint_.waiting() < waiting_max) {
            const auto line = lines_.next();
            if (!line) break;
            any = true;
            ++number_;
            send(*line);
        }
        return any;
    }
    bool ended() const { return lines_.ended(); }
    std::uint64_t failed() const { return failed_; }

  private:
    void send(const std::string& line) {
        try {
            const std::vector<std::string> words = split_values(line);
            if (words.empty()) return;
            const NamedValues message{words[0], {words.begin() + 1, words.end()}};
            std::vector<std::byte> payload;
            if (endpoint_.send(target_, packet_of(library_, options_, message, payload))) return;
            refuse("no room");
        } catch (const Failure& failure) {
            refuse(failure.what());
        }
    }
    void refuse(const std::string& reason) {
        ++failed_;
        report_.note(fmt::format("line {}: {}", number_, reason));
        report_.event("refused", {{"line", number_}, {"reason", reason}});
    }

    structs::Endpoint& endpoint_;
    const structs::Library& library_;
    const StructOptions& options_;
    Address target_;
    const Report& report_;
    Lines lines_;
    std::uint64_t number_ = 0, failed_ = 0;
};

/// Stops the loop once everything is sent, or the kernel refuses it.
template <class AnyLoop>
struct StructSendApplication {
    AnyLoop& loop;
    const structs::Endpoint& endpoint;
    StructLines* lines;  ///< null: one message

    void on_event(Instant, const structs::Event&) {}
    Instant on_turn(Instant at) {
        const bool taken = lines != nullptr && lines->take();
        const bool all = lines == nullptr || lines->ended();
        const bool refused = loop.backend().counters().send_failed > 0;
        if (received_signal() != 0 || refused || (all && endpoint.waiting() == 0)) loop.stop();
        return all || taken || endpoint.waiting() > 0 ? at : at + Lines::poll_interval;
    }
};

}  // namespace

int struct_send(const StructOptions& options) {
    const Report report(options.server.common.form);
    const structs::Library library = load_library(options.library);
    const bool stream = options.name.empty() || options.name == "-";
    if (stream && !options.values.empty())
        throw Failure(Exit::usage, "VALUE: not with -, which reads lines such as `reading 1 2` from standard input");
    std::vector<std::byte> payload;
    std::optional<structs::Packet> single;
    if (!stream) single = packet_of(library, options, {options.name, options.values}, payload);
    const Address target = target_address(options.to);
    check_route("--to", target);
    UdpSocket socket = open_server_socket(options.server);
    check_address_family(socket.local(), options.server.bind, target);
    const auto run = [&](auto& loop) -> int {
        const SignalWakes wakes(loop.backend().waker());
        loop.backend().add(std::move(socket));
        structs::Endpoint endpoint(library);
        std::optional<StructLines> lines;
        if (single) [[maybe_unused]]
            const auto taken = endpoint.send(target, *single);  // there is room for one
        else
            lines.emplace(endpoint, library, options, target, report);
        StructSendApplication application{loop, endpoint, lines ? &*lines : nullptr};
        loop.run(endpoint, application);
        const EngineCounters engine = loop.backend().counters();
        Json summary = {{"sent", engine.sent}};
        if (single)
            summary.update({{"name", options.name},
                            {"id", single->id},
                            {"bytes", structs::header_bytes + single->payload.size()}});
        else
            summary["failed"] = lines->failed();
        summary["backend"] = loop.backend().name;
        add_counters(summary, "structs", endpoint.counters());
        add_counters(summary, engine);
        report.event("summary", summary);
        if (engine.send_failed > 0)
            throw Failure(Exit::unreachable,
                          fmt::format("--to {}: {}", options.to, std::strerror(engine.last_send_errno)));
        return lines && lines->failed() > 0 ? Exit::failed : Exit::done;
    };
    return exit_code(run_on_loop(options.server.common, report, run));
}

}  // namespace ringpost::apps
