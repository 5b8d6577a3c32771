// ringpost node: a named device among others. The main thread obeys lines of standard input, one thread prints what
// happens, one stops the node when a signal comes, and a few answer questions by running a command, so that neither
// keeps another waiting.

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): pthread_sigmask is in here only
#include <unistd.h>

#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "apps/cli/lines.hpp"
#include "apps/commands/answer_command.hpp"
#include "apps/commands/commands.hpp"
#include "apps/commands/node_options.hpp"
#include "engine/os/address.hpp"
#include "engine/os/waker.hpp"

namespace ringpost::apps {
namespace {

struct NodeCommandOptions {
    NodeNetworkOptions network;
    std::string name;
    std::string answer;  // a command; "" answers nothing
    Duration answer_timeout = 2 * second;
    Duration ask_timeout = 2 * second;
    Duration period = devices::Options{}.period;
};

/// Of --period. Who announces himself much more often is not listened to any more (codec/devices/endpoint.hpp).
Duration parse_advert_period(const std::string& text) {
    const Duration period = parse_duration(text);
    if (period < 100 * millisecond) throw std::invalid_argument("it must be 100ms at least");
    return period;
}

/// Commands of --answer that run at once; further questions wait.
constexpr int answerers = 4;

class NodeCommand {
  public:
    /// `waker` is woken by signals, and ends it.
    NodeCommand(devices::Node& node, const NodeCommandOptions& options, const Report& report, const Waker& waker)
        : node_(node), options_(options), report_(report), waker_(waker) {}

    /// Until `quit` or a signal, when the node stops at once, whatever this waits for. The end of standard input ends
    /// nothing.
    void run();

  private:
    void print_notices();
    void print(const devices::Notice& notice);
    void answer_questions();
    void answer(const devices::Notice& question);

    /// What `work` throws ends everything, and is thrown by run().
    void guard(const std::function<void()>& work);
    void stop_when_woken();
    void obey_lines();
    void obey(const std::string& line);
    void send(const std::string& name, const std::string& text);
    void ask(const std::string& names, const std::string& text);
    void list_peers();

    void note(const std::string& line) {
        const std::lock_guard lock(speaking_);
        report_.note(line);
    }
    /// A result, in whichever form is wanted.
    void tell(const std::string& line, const char* event, const Json& fields) {
        const std::lock_guard lock(speaking_);
        report_.print(line);
        report_.event(event, fields);
    }

    devices::Node& node_;
    const NodeCommandOptions& options_;
    const Report& report_;
    const Waker& waker_;
    std::mutex speaking_;
    Lines lines_;
    std::exception_ptr failure_;  // speaking_
    std::atomic<bool> quit_{false}, stopping_{false};
};

// ---- what happens ---------------------------------------------------------------------------------

void NodeCommand::print_notices() {
    while (const auto notice = node_.receive(never)) print(*notice);
}

void NodeCommand::print(const devices::Notice& notice) {
    using Kind = devices::Event::Kind;
    const std::string name = printable(notice.name);
    const std::string at = to_text(notice.address);
    switch (notice.kind) {
        case Kind::message:
            return tell(fmt::format("{}: {}", name, printable(notice.text)), "message",
                        {{"from", notice.name}, {"text", notice.text}});
        case Kind::disconnected:
            return tell(fmt::format("- {} disconnected: {}", name, name_of(notice.cause)), "disconnected",
                        {{"name", notice.name}, {"cause", name_of(notice.cause)}, {"unsent", notice.unsent}});
        case Kind::connected:
        case Kind::room:
            return tell(fmt::format("- {} {}", name, name_of(notice.kind)), name_of(notice.kind),
                        {{"name", notice.name}});
        case Kind::conflict:
            return tell(fmt::format("- conflict: {} is also at {}", name, at), "conflict",
                        {{"name", notice.name}, {"address", at}});
        case Kind::name_taken:
            return tell(fmt::format("- our name {} is also at {}", name, at), "name_taken",
                        {{"name", notice.name}, {"address", at}});
        default:
            return tell(fmt::format("- {} {} at {}", name, name_of(notice.kind), at), name_of(notice.kind),
                        {{"name", notice.name}, {"address", at}});
    }
}

// ---- questions ------------------------------------------------------------------------------------

void NodeCommand::answer_questions() {
    while (const auto question = node_.next_question(never)) {
        if (stopping_) return;  // nobody could be told any more
        answer(*question);
    }
}

void NodeCommand::answer(const devices::Notice& question) {
    const std::string name = printable(question.name);
    Json fields = {{"from", question.name}, {"text", question.text}};
    std::string outcome = "no --answer command";
    if (!options_.answer.empty()) {
        const auto answer = answer_by_command(options_.answer, question.text, options_.answer_timeout, stopping_);
        if (answer) {
            const devices::Sent sent = node_.answer(question.question, *answer);
            outcome = sent == devices::Sent::queued ? printable(*answer) : std::string("the answer ") + name_of(sent);
            if (sent == devices::Sent::queued) fields["answer"] = *answer;
        } else {
            outcome = fmt::format("the command {}", answer.error());
        }
    }
    if (!fields.contains("answer")) fields["error"] = outcome;
    tell(fmt::format("{} asks: {} -> {}", name, printable(question.text), outcome), "question", fields);
}

// ---- commands -------------------------------------------------------------------------------------

void NodeCommand::obey(const std::string& line) {
    const std::size_t verb_end = std::min(line.find(' '), line.size());
    const std::string verb = line.substr(0, verb_end);
    const std::string rest = line.substr(std::min(verb_end + 1, line.size()));
    const std::size_t name_end = rest.find(' ');
    const std::string name = rest.substr(0, name_end);
    const std::string text = name_end == std::string::npos ? "" : rest.substr(name_end + 1);
    if (verb == "quit" && rest.empty())
        quit_ = true;
    else if (verb == "peers" && rest.empty())
        list_peers();
    else if (verb == "send" && name_end != std::string::npos)
        send(name, text);
    else if (verb == "ask" && name_end != std::string::npos)
        ask(name, text);
    else if (!line.empty())
        note(fmt::format("{}: expected send NAME|* TEXT, ask NAME[,NAME]|* TEXT, peers or quit", printable(line)));
}

void NodeCommand::send(const std::string& name, const std::string& text) {
    std::vector<std::pair<std::string, devices::Sent>> sent;
    if (name == "*")
        sent = node_.send_all(text);
    else
        sent.emplace_back(name, node_.send(name, text));
    if (sent.empty()) note("there is nobody to send to");
    for (const auto& [to, result] : sent) {
        if (result != devices::Sent::queued) note(fmt::format("{}: {}", printable(to), name_of(result)));
        const std::lock_guard lock(speaking_);
        report_.event("sent", {{"name", to}, {"result", name_of(result)}});
    }
}

std::vector<std::string> split_names(const std::string& text) {
    std::vector<std::string> names;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        if (end > begin) names.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return names;
}

void NodeCommand::ask(const std::string& names, const std::string& text) {
    const auto answers = names == "*" ? node_.ask_all(text, options_.ask_timeout)
                                      : node_.ask(split_names(names), text, options_.ask_timeout);
    if (!answers)
        return note(answers.error() == devices::AskRefusal::full ? "too many questions are under way"
                                                                 : name_of(devices::Sent::cannot_carry));
    if (answers->empty()) note("there is nobody to ask");
    Json list = Json::array();
    for (const devices::Answer& answer : *answers) {
        const bool answered = answer.reply == devices::Reply::answered;
        list.push_back({{"name", answer.name}, {"reply", name_of(answer.reply)}, {"text", answer.text}});
        const std::lock_guard lock(speaking_);
        report_.print(
            fmt::format("{}{}", printable(answer.name),
                        answered ? " answers: " + printable(answer.text) : std::string(": ") + name_of(answer.reply)));
    }
    const std::lock_guard lock(speaking_);
    report_.event("answers", {{"question", text}, {"answers", list}});
}

void NodeCommand::list_peers() {
    const std::vector<devices::Peer> peers = node_.peers();
    Json list = Json::array();
    for (const devices::Peer& peer : peers) list.push_back(peer_json(peer));
    const std::lock_guard lock(speaking_);
    for (const std::string& line : table_of(peers)) report_.print(line);
    report_.event("peers", {{"peers", list}});
}

// ---- threads --------------------------------------------------------------------------------------

void NodeCommand::run() {
    // Signals are this thread's.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::vector<std::thread> threads;
    threads.emplace_back([this] { guard([this] { print_notices(); }); });
    for (int i = 0; i < (options_.answer.empty() ? 1 : answerers); ++i)
        threads.emplace_back([this] { guard([this] { answer_questions(); }); });
    threads.emplace_back([this] { stop_when_woken(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);

    guard([this] { obey_lines(); });
    waker_.wake();
    for (std::thread& thread : threads) thread.join();
    if (failure_) std::rethrow_exception(failure_);
}

void NodeCommand::guard(const std::function<void()>& work) {
    try {
        work();
    } catch (...) {
        const std::lock_guard lock(speaking_);
        if (!failure_) failure_ = std::current_exception();
        quit_ = true;
        waker_.wake();
    }
}

void NodeCommand::stop_when_woken() {
    pollfd woken{waker_.fd(), POLLIN, 0};
    while (::poll(&woken, 1, -1) <= 0) continue;
    stopping_ = true;
    node_.stop();
}

void NodeCommand::obey_lines() {
    while (!quit_ && received_signal() == 0) {
        if (const auto line = lines_.next()) {
            obey(*line);
            continue;
        }
        pollfd waited_for[] = {{waker_.fd(), POLLIN, 0}, {lines_.ended() ? -1 : STDIN_FILENO, POLLIN, 0}};
        ::poll(waited_for, 2, -1);
    }
}

int node_command(const NodeCommandOptions& options) {
    const Report report(options.network.common.form);
    const Waker waker = value_or_fail(Waker::open());
    const SignalWakes wakes(waker);
    devices::NodeOptions wanted = node_options(options.network, options.name);
    wanted.protocol.period = options.period;
    devices::Node node = open_node(wanted, report);
    report.note(fmt::format("node {} on TCP port {}", printable(options.name), options.network.tcp_port));
    report.event("listening", {{"name", options.name}, {"port", options.network.tcp_port}});
    NodeCommand(node, options, report, waker).run();
    Json summary = counts_json(node.counters());
    summary["backend"] = node.backend();
    report.event("summary", summary);
    return exit_code(Exit::done);
}

}  // namespace

void add_node(CLI::App& root, Command& chosen) {
    CLI::App* command =
        root.add_subcommand("node", "be a named device: find the others, send them messages, ask and answer questions");
    auto options = std::make_shared<NodeCommandOptions>();
    command->add_option("--name", options->name, "this device's name, different from all others")->required();
    auto* answer =
        command->add_option("--answer", options->answer,
                            "shell command that answers questions: the question on its standard input, its output the "
                            "answer; at most 4 at once");
    add_parsed(*command, "--answer-timeout", options->answer_timeout, parse_duration,
               "kill the command after so long (default 2s)")
        ->needs(answer);
    add_parsed(*command, "--ask-timeout", options->ask_timeout, parse_duration,
               "wait so long for answers (default 2s)");
    add_parsed(*command, "--period", options->period, parse_advert_period,
               "between two adverts; who is not heard for two of them is suspect, for five gone (default 30s)");
    add_node_network(*command, options->network);
    command->footer(
        std::string("Commands on standard input: send NAME|* TEXT, ask NAME[,NAME]|* TEXT, peers, quit.\n") +
        value_help);
    command->callback([options, &chosen] { chosen = [options] { return node_command(*options); }; });
}

}  // namespace ringpost::apps
