// ringpost recv --transport native: receives messages over encrypted connections and prints each as a line of text, or
// writes one to a file.

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <ringpost/connection.hpp>
#include <string>
#include <utility>

#include "apps/cli/sandbox.hpp"
#include "apps/commands/recv.hpp"
#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"
#include "engine/os/waker.hpp"

namespace ringpost::apps {
namespace {

/// After a signal, and when a peer sends more than is wanted.
constexpr Duration recv_end_within = 200 * millisecond;

/// Where messages go: lines of text, or the bytes of one message.
class MessageOutput {
  public:
    MessageOutput(const RecvOptions& options, const Report& report)
        : report_(report), name_(options.file), whole_(!name_.empty()), terminal_(isatty(STDOUT_FILENO) != 0) {
        if (!whole_ || name_ == "-") return;
        descriptor_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (descriptor_ < 0) fail();
    }
    ~MessageOutput() {
        if (descriptor_ > STDERR_FILENO) ::close(descriptor_);
    }
    MessageOutput(const MessageOutput&) = delete;
    MessageOutput& operator=(const MessageOutput&) = delete;

    void write(const Json& source, const Message& message) {
        if (whole_ && (name_ != "-" || !terminal_)) return write_all(message.bytes);
        const std::string text(as_text(message.bytes));
        // Unchanged for pipes and files, but escaped for a terminal.
        report_.print(terminal_ ? printable(text) : text);
        Json fields = source;
        fields.update({{"channel", message.channel}, {"text", text}});
        report_.event("message", fields);
    }

  private:
    void write_all(std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            const ssize_t done = ::write(descriptor_, bytes.data(), bytes.size());
            if (done < 0 && errno == EINTR) continue;
            if (done < 0) fail();
            bytes = bytes.subspan(static_cast<std::size_t>(done));
        }
    }
    [[noreturn]] void fail() const {
        throw Failure(Exit::failed, fmt::format("--file {}: {}", name_, std::strerror(errno)));
    }

    const Report& report_;
    std::string name_;
    bool whole_, terminal_;
    int descriptor_ = STDOUT_FILENO;
};

/// Prints messages until a signal, --duration has passed, or until --count of them have been printed and their senders
/// are served.
class NativeReceiver {
  public:
    NativeReceiver(Server& server, const RecvOptions& options, const Report& report, MessageOutput& output)
        : server_(server),
          count_(options.file.empty() ? options.end.count : 1),
          deadline_(options.end.deadline(now())),
          clients_(options.server.transport.allow),
          report_(report),
          output_(output) {}

    void run() {
        while (received_signal() == 0) {
            if (take_hangup()) report_.note(reread_text(clients_, server_.allow(clients_)));
            const bool done = received_ == count_;
            if (done && server_.connections() == 0) break;
            const Duration left = deadline_ == never ? never : deadline_ - now();
            if (left <= 0) break;
            const auto event = server_.next(done ? std::min(left, native_linger) : left);
            if (done && !event) break;
            if (!event || handle(*event)) continue;
            // What was not printed must not count as delivered: its sender is disconnected.
            server_.close(event->connection, 0);
            break;
        }
        const bool orderly = received_signal() != 0 || received_ == count_ || now() >= deadline_;
        server_.close_all(orderly ? recv_end_within : 0);
    }

    std::uint64_t received() const { return received_; }

  private:
    /// False: more has arrived than is wanted.
    bool handle(const ConnectionEvent& event) {
        if (event.kind == ConnectionEvent::Kind::messages) {
            const Json source = source_of(event);
            for (const Message& message : event.messages) {
                if (received_ == count_) return false;
                output_.write(source, message);
                ++received_;
            }
        } else if (event.kind == ConnectionEvent::Kind::opened) {
            report_.event("opened", source_of(event));
        } else if (event.kind == ConnectionEvent::Kind::closed) {
            Json fields = source_of(event);
            fields["end"] = to_text(event.outcome.code);
            report_.event("closed", fields);
        }
        return true;
    }

    Json source_of(const ConnectionEvent& event) const {
        Json out = {{"source", to_text(server_.peer(event.connection))}};
        if (const std::string name = server_.peer_name(event.connection); !name.empty()) out["name"] = name;
        return out;
    }

    Server& server_;
    std::uint64_t count_;
    Instant deadline_;
    std::string clients_;  ///< the file of --allow
    const Report& report_;
    MessageOutput& output_;
    std::uint64_t received_ = 0;
};

}  // namespace

int recv_native(const RecvOptions& options) {
    const Report report(options.server.common.form);
    ListenOptions wanted{.keys = keys_of(options.server.transport),
                         .insecure = options.server.transport.insecure,
                         .qlog = options.server.transport.qlog,
                         .allowed = options.server.allowed,
                         .gro = options.server.common.gro,
                         .engine = options.server.common.engine};
    native::ProtocolOptions& protocol = wanted.protocol;
    protocol.message_bytes_max = options.message_bytes_max;
    protocol.channel_window = std::max(protocol.channel_window, options.message_bytes_max + native::message_overhead);
    protocol.connection_window = std::max(protocol.connection_window, protocol.channel_window);
    auto server = listen(bind_address(options.server.bind, options.server.port), wanted);
    if (!server) {
        if (exit_of(server.error()) == Exit::usage) throw Failure(Exit::usage, server.error().text);
        fail_to_open(options.server, server.error());
    }
    MessageOutput output(options, report);
    const SignalWakes wakes(*server);
    if (!server->note().empty()) report.note(server->note());
    if (options.server.transport.insecure) report.note(insecure_note);
    Sandbox sandbox(options.server.common, report);
    KeptFiles files;
    AllowedCalls calls;
    keep_client_list(options.server.transport.allow, files, calls);
    sandbox.deny_files(files);
    sandbox.deny_calls(calls);
    report.note("recv listening on " + listening_text(server->local()));
    report.event("listening", listening_json(server->local()));
    NativeReceiver receiver(*server, options, report, output);
    receiver.run();
    Json summary = {{"received", receiver.received()},
                    {"delivered", receiver.received()},
                    {"transport", "native"},
                    {"backend", server->backend()}};
    add_counters(summary, "native", server->counters());
    add_counters(summary, "handshakes", server->handshake_counters());
    add_counters(summary, "connection", server->statistics());
    add_counters(summary, server->engine_counters());
    if (summary["not_allowed"] > 0) report.note(not_allowed_text(summary));
    report.event("summary", summary);
    ServerEnd end = options.end;
    if (!options.file.empty()) end.count = 1;
    return server_exit_code(report, end, receiver.received());
}

}  // namespace ringpost::apps
