#include "apps/cli/server_end.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <csignal>

#include "engine/os/waker.hpp"

namespace ringpost::apps {

void add_server_end(CLI::App& command, ServerEnd& end, const char* counted) {
    end.counted = counted;
    begin_group(command, "End");
    add_parsed(command, "--duration", end.duration, parse_duration,
               "exit after this time of listening (default unlimited)");
    auto* count = add_parsed(command, "--count", end.count, parse_count,
                             fmt::format("exit after this number of {}; exit code 1 if it ends before (default "
                                         "unlimited)",
                                         counted));
    command.add_flag_callback("--once", [&end] { end.count = 1; }, "the same as --count 1")->excludes(count);
}

bool EndWatch::over(Instant at, std::uint64_t counted) {
    if (end_.counts() && !reached_) {
        const std::uint64_t more = counted - added_;
        added_ = counted;
        reached_ = count_.fetch_add(more, std::memory_order_relaxed) + more >= end_.count;
        if (reached_) deadline_ = std::min(deadline_, at + linger_);
    }
    return at >= deadline_ || (reached_ && !peers_wait_());
}

int server_exit_code(int code) { return received_signal() == SIGINT ? exit_code(code) : code; }

int server_exit_code(const Report& report, const ServerEnd& end, std::uint64_t counted, int code) {
    if (!end.counts() || counted >= end.count) return server_exit_code(code);
    report.note(fmt::format("ended after {} of {} {}", grouped(counted), grouped(end.count), end.counted));
    return server_exit_code(code == Exit::done ? static_cast<int>(Exit::failed) : code);
}

}  // namespace ringpost::apps
