#pragma once

// When a server ends by itself, and its exit code: --duration, --count and --once.

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include <ringpost/time.hpp>
#include "apps/cli/options.hpp"

namespace ringpost::apps {

struct ServerEnd {
    Duration duration = never;         ///< since it listens
    std::uint64_t count = UINT64_MAX;  ///< of `counted`
    const char* counted = "datagrams";

    bool counts() const { return count != UINT64_MAX; }
    /// The end by time of a server that listens since `start`, or `never`.
    Instant deadline(Instant start) const { return duration < never - start ? start + duration : never; }
};

/// --duration, --count and --once. `counted` is the plural of what is counted: `datagrams`.
void add_server_end(CLI::App& command, ServerEnd& end, const char* counted);

/// After the last message of --count, a gtUDP server serves peers that may not know yet of what arrived, for at most
/// this long.
inline constexpr Duration last_answers_linger = 10 * second;
/// A native one serves its peers for this long.
inline constexpr Duration native_linger = 500 * millisecond;
/// The same of a server whose datagrams are not confirmed.
inline constexpr Duration no_linger = 0;

/// What all engines of one server have counted.
using EndCount = std::atomic<std::uint64_t>;

/// Whether an engine of a server is to end by itself.
class EndWatch {
  public:
    /// `linger` is how long the peers are served after the last datagram of --count, while `peers_wait` returns true.
    EndWatch(
        const ServerEnd& end, EndCount& count, Instant start, Duration linger,
        std::function<bool()> peers_wait = [] { return true; })
        : end_(end),
          count_(count),
          deadline_(end.deadline(start)),
          linger_(linger),
          peers_wait_(std::move(peers_wait)) {}

    /// In each turn; `counted` is what this engine has counted so far.
    bool over(Instant at, std::uint64_t counted);
    /// The time at which over() may become true without a datagram.
    Instant next() const { return deadline_; }

  private:
    const ServerEnd& end_;
    EndCount& count_;
    std::uint64_t added_ = 0;  ///< to the count, by this engine
    bool reached_ = false;
    Instant deadline_;
    Duration linger_;
    std::function<bool()> peers_wait_;
};

/// The exit code of a server that has printed its report: 130 after SIGINT; Exit::failed, with a note, if it ended
/// before its --count; else `code`, also after SIGTERM.
int server_exit_code(const Report& report, const ServerEnd& end, std::uint64_t counted, int code = Exit::done);
/// The same of a server without --count.
int server_exit_code(int code);

}  // namespace ringpost::apps
