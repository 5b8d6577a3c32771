// ringpost send --transport native: sends lines of text, or a file as one message, over an encrypted connection.

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <ringpost/connection.hpp>
#include <string>
#include <utility>

#include "apps/cli/lines.hpp"
#include "apps/cli/text_lines.hpp"
#include "apps/commands/send.hpp"
#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"
#include "engine/os/waker.hpp"

namespace ringpost::apps {
namespace {

constexpr std::size_t log_bytes_min = 256u << 10;

/// When and how often progress of a file is shown, and how long the end may take after a signal.
constexpr Duration show_after = second, show_every = 200 * millisecond;
constexpr Duration end_after_signal = second;

/// Sends everything, waits until the peer has taken it, or a signal arrives.
class NativeSender {
  public:
    NativeSender(Connection& connection, const SendOptions& options, Report& report, Instant give_up_at)
        : connection_(connection), options_(options), report_(report), give_up_at_(give_up_at), started_at_(now()) {}

    CloseOutcome run(std::optional<std::string> file) {
        if (file) {
            send(*file);
            lines_.end();
        } else if (options_.text != "-") {
            send(options_.text);
            lines_.end();
        }
        while (going() && now() < give_up_at_ && (!lines_.ended() || waiting_)) {
            if (!waiting_) waiting_ = lines_.next();
            while (waiting_ && send(*waiting_)) waiting_ = lines_.next();
            connection_.poll(Lines::poll_interval, ignore_);
        }
        connection_.begin_close(give_up_at_);
        bytes_ = connection_.unacknowledged_bytes();
        while (going()) {
            connection_.poll(show_every, ignore_);
            show_progress();
        }
        report_.end_progress();
        return connection_.close(end_after_signal);
    }

    std::uint64_t sent() const { return sent_; }
    std::uint64_t too_large() const { return too_large_; }

  private:
    bool going() const { return received_signal() == 0 && !connection_.outcome(); }

    /// Queues a message; false if it must wait for space.
    bool send(const std::string& text) {
        switch (connection_.send(options_.channel, as_bytes(text))) {
            case SendResult::queued: ++sent_; return true;
            case SendResult::too_large:
                ++too_large_;
                report_.note(fmt::format("a message of {} bytes is too large for the peer", text.size()));
                return true;
            default: return false;
        }
    }

    /// A message frees its space as a whole, so that progress within one is that of its datagrams, headers included.
    void show_progress() {
        if (options_.file.empty() || connection_.outcome() || now() < started_at_ + show_after) return;
        const native::Statistics counts = connection_.statistics();
        const std::uint64_t pending = counts.bytes_resent + connection_.path().in_flight_bytes;
        const double all = static_cast<double>(bytes_);
        const double done =
            std::min(static_cast<double>(counts.bytes_sent - std::min(counts.bytes_sent, pending)), all);
        report_.progress(fmt::format("{:.0f} % of {:.1f} MB, {:.1f} MB/s", 100 * ratio(done, all), all / 1e6,
                                     ratio(done / 1e6, seconds(now() - started_at_))));
    }

    Connection& connection_;
    const SendOptions& options_;
    Report& report_;
    Instant give_up_at_;
    Instant started_at_;
    Lines lines_;
    std::optional<std::string> waiting_;  ///< the next line to send
    const Connection::Handler ignore_ = [](const ConnectionEvent&) {};
    std::uint64_t sent_ = 0, too_large_ = 0, bytes_ = 0;
};

}  // namespace

int send_native(const SendOptions& options) {
    Report report(options.common.form);
    const Address target = target_address(options.to);
    check_route("--to", target);
    std::optional<std::string> file;
    if (!options.file.empty()) {
        auto contents = contents_of(options.file == "-" ? "/dev/stdin" : options.file);
        if (!contents) throw Failure(Exit::usage, fmt::format("--file {}: {}", options.file, contents.error()));
        file = std::move(*contents);
    }
    const Instant give_up_at = options.timeout > 0 ? now() + options.timeout : never;
    ConnectOptions wanted{.keys = keys_of(options.transport),
                          .insecure = options.transport.insecure,
                          .cancelled = [] { return received_signal() != 0; },
                          .qlog = options.transport.qlog,
                          .gro = options.common.gro,
                          .engine = options.common.engine};
    if (options.timeout > 0) wanted.timeout = std::min(wanted.timeout, options.timeout);
    wanted.protocol.send_log_bytes =
        std::bit_ceil(std::max(log_bytes_min, file ? file->size() + native::message_overhead : 0));
    auto connection = connect(target, wanted);
    if (!connection) {
        if (received_signal() == 0) throw Failure(exit_of(connection.error()), connection.error().text);
        report.event("summary", {{"sent", 0},
                                 {"confirmed", 0},
                                 {"failed", 0},
                                 {"all_delivered", false},
                                 {"end", "interrupted"},
                                 {"transport", "native"}});
        return exit_code(Exit::failed);
    }
    const SignalWakes wakes(*connection);
    if (!connection->note().empty()) report.note(connection->note());
    if (options.transport.insecure) report.note(insecure_note);
    NativeSender sender(*connection, options, report, give_up_at);
    const CloseOutcome outcome = sender.run(std::move(file));
    Json summary = {{"sent", sender.sent()},
                    {"confirmed", sender.sent() - outcome.unconfirmed},
                    {"failed", outcome.unconfirmed + sender.too_large()},
                    {"all_delivered", outcome.all_delivered},
                    {"end", to_text(outcome.code)},
                    {"transport", "native"},
                    {"cipher", connection->cipher()},
                    {"backend", connection->backend()},
                    {"path", path_json(connection->path())}};
    add_counters(summary, "connection", connection->statistics());
    add_counters(summary, "native", connection->statistics());  // its former name
    add_counters(summary, connection->engine_counters());
    report.event("summary", summary);
    if (!outcome.all_delivered)
        report.note(fmt::format("{}: {}, {} message{} not confirmed", to_text(target), to_text(outcome.code),
                                outcome.unconfirmed, outcome.unconfirmed == 1 ? "" : "s"));
    return exit_code(outcome.all_delivered && sender.too_large() == 0 ? Exit::done : Exit::failed);
}

}  // namespace ringpost::apps
