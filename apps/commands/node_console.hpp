#pragma once

// The console of `ringpost node`: commands on standard input, events on standard output, answers to questions.
//
// The main thread runs the commands, one thread prints events, one stops the node after a signal, and a few run the
// --answer command, so that none of them blocks another.

#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <ringpost/devices.hpp>
#include "apps/cli/lines.hpp"
#include "apps/cli/report.hpp"
#include "apps/commands/node_names.hpp"
#include "engine/os/waker.hpp"

namespace ringpost::apps {

struct NodeConsoleOptions {
    std::string answer;  ///< shell command that answers questions; "": none are answered
    Duration answer_timeout = 2 * second;
    Duration ask_timeout = 2 * second;
};

/// How many --answer commands run at once; one host has at most half of them.
inline constexpr int answer_commands = 8;

class NodeConsole {
  public:
    /// Signals must wake `waker`. All arguments must outlive the console.
    NodeConsole(devices::Node& node, const NodeConsoleOptions& options, const Report& report, const Waker& waker)
        : node_(node), options_(options), report_(report), waker_(waker) {}

    /// Runs until `quit` or a signal, then stops the node and cancels whatever waits for it. The end of standard input
    /// does not end it. Returns the first exception of any thread, which ends it as well, or null.
    std::exception_ptr run();

  private:
    void print_notices();
    void print(const devices::Notice& notice);
    void answer_questions();
    void answer(const devices::Notice& question);
    void start(std::vector<std::thread>& threads);

    /// Runs `work`; an exception ends the console.
    void guard(const std::function<void()>& work);
    void stop_when_woken();
    void run_commands();
    void run_command(const std::string& line);
    void send(const Addressed& to);
    void ask(const Addressed& asked);
    void list_peers();

    void note(const std::string& line);
    /// Prints a result as a line of text or as an event.
    void print_result(const std::string& line, const char* event, const Json& fields);

    devices::Node& node_;
    const NodeConsoleOptions& options_;
    const Report& report_;
    const Waker& waker_;
    Lines lines_;
    std::mutex mutex_;            ///< guards the output and failure_
    std::exception_ptr failure_;  ///< the first exception of any thread
    std::atomic<bool> quit_{false}, stopping_{false};
};

}  // namespace ringpost::apps
