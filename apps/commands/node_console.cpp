#include "apps/commands/node_console.hpp"

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): pthread_sigmask is in here only
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "apps/commands/answer_command.hpp"
#include "apps/commands/node_options.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {

// ---- events ---------------------------------------------------------------------------------------

void NodeConsole::print_notices() {
    while (const auto notice = node_.receive(never)) print(*notice);
}

void NodeConsole::print(const devices::Notice& notice) {
    using EventKind = devices::Event::Kind;
    const std::string name = shown_name(notice.name);
    const std::string at = to_text(notice.address);
    switch (notice.kind) {
        case EventKind::message:
            return print_result(fmt::format("{}: {}", name, printable(notice.text)), "message",
                                {{"from", notice.name}, {"text", notice.text}});
        case EventKind::disconnected:
            return print_result(fmt::format("- {} disconnected: {}", name, name_of(notice.cause)), "disconnected",
                                {{"name", notice.name}, {"cause", name_of(notice.cause)}, {"unsent", notice.unsent}});
        case EventKind::connected:
        case EventKind::room:
            return print_result(fmt::format("- {} {}", name, name_of(notice.kind)), name_of(notice.kind),
                                {{"name", notice.name}});
        case EventKind::conflict:
            return print_result(fmt::format("- conflict: {} is also at {}", name, at), "conflict",
                                {{"name", notice.name}, {"address", at}});
        case EventKind::name_taken:
            return print_result(fmt::format("- our name {} is also used by {}", name, at), "name_taken",
                                {{"name", notice.name}, {"address", at}});
        default:
            return print_result(fmt::format("- {} {} at {}", name, name_of(notice.kind), at), name_of(notice.kind),
                                {{"name", notice.name}, {"address", at}});
    }
}

// ---- questions ------------------------------------------------------------------------------------

void NodeConsole::answer_questions() {
    while (const auto question = node_.next_question(never)) {
        if (stopping_) return;  // the node accepts no more answers
        answer(*question);
    }
}

void NodeConsole::answer(const devices::Notice& question) {
    const std::string name = shown_name(question.name);
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
    if (!fields.contains("answer")) {
        fields["error"] = outcome;
        node_.drop(question.question);
    }
    print_result(fmt::format("{} asks: {} -> {}", name, printable(question.text), outcome), "question", fields);
}

// ---- commands -------------------------------------------------------------------------------------

void NodeConsole::run_command(const std::string& line) {
    const std::size_t verb_end = std::min(line.find(' '), line.size());
    const std::string verb = line.substr(0, verb_end);
    const std::string rest = line.substr(std::min(verb_end + 1, line.size()));
    if (verb == "quit" && rest.empty())
        quit_ = true;
    else if (verb == "peers" && rest.empty())
        list_peers();
    else if (const auto to = parse_addressed(rest, Addressees::one); verb == "send" && to)
        send(*to);
    else if (const auto asked = parse_addressed(rest, Addressees::list); verb == "ask" && asked)
        ask(*asked);
    else if (!line.empty())
        note(fmt::format("{}: expected send NAME|* TEXT, ask NAME[,NAME]|* TEXT, peers or quit", printable(line)));
}

void NodeConsole::send(const Addressed& to) {
    std::vector<std::pair<std::string, devices::Sent>> sent;
    if (to.all) sent = node_.send_all(to.text);
    for (const std::string& name : to.names) sent.emplace_back(name, node_.send(name, to.text));
    if (sent.empty()) note("no device to send to");
    for (const auto& [name, result] : sent) {
        if (result != devices::Sent::queued) note(fmt::format("{}: {}", shown_name(name), name_of(result)));
        const std::lock_guard lock(mutex_);
        report_.event("sent", {{"name", name}, {"result", name_of(result)}});
    }
}

void NodeConsole::ask(const Addressed& asked) {
    const auto answers = asked.all ? node_.ask_all(asked.text, options_.ask_timeout)
                                   : node_.ask(asked.names, asked.text, options_.ask_timeout);
    if (!answers)
        return note(answers.error() == devices::AskRefusal::full ? "too many questions are pending"
                                                                 : name_of(devices::Sent::cannot_carry));
    if (answers->empty()) note("no device to ask");
    Json list = Json::array();
    for (const devices::Answer& answer : *answers) {
        const bool answered = answer.reply == devices::Reply::answered;
        list.push_back({{"name", answer.name}, {"reply", name_of(answer.reply)}, {"text", answer.text}});
        const std::lock_guard lock(mutex_);
        report_.print(
            fmt::format("{}{}", shown_name(answer.name),
                        answered ? " answers: " + printable(answer.text) : std::string(": ") + name_of(answer.reply)));
    }
    const std::lock_guard lock(mutex_);
    report_.event("answers", {{"question", asked.text}, {"answers", list}});
}

void NodeConsole::list_peers() {
    const std::vector<devices::Peer> peers = node_.peers();
    Json list = Json::array();
    for (const devices::Peer& peer : peers) list.push_back(peer_json(peer));
    const std::lock_guard lock(mutex_);
    for (const std::string& line : table_of(peers)) report_.print(line);
    report_.event("peers", {{"peers", list}});
}

// ---- threads --------------------------------------------------------------------------------------

std::exception_ptr NodeConsole::run() {
    // The other threads block all signals, so that this one handles them.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::vector<std::thread> threads;
    guard([&] { start(threads); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);

    guard([this] { run_commands(); });
    waker_.wake();
    stop_when_woken();  // its thread may be missing
    for (std::thread& thread : threads) thread.join();
    return failure_;
}

void NodeConsole::start(std::vector<std::thread>& threads) {
    threads.emplace_back([this] { stop_when_woken(); });
    threads.emplace_back([this] { guard([this] { print_notices(); }); });
    for (int i = 0; i < (options_.answer.empty() ? 1 : answer_commands); ++i)
        threads.emplace_back([this] { guard([this] { answer_questions(); }); });
}

void NodeConsole::guard(const std::function<void()>& work) {
    try {
        work();
    } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = std::current_exception();
        quit_ = true;
        waker_.wake();
    }
}

void NodeConsole::stop_when_woken() {
    pollfd woken{waker_.fd(), POLLIN, 0};
    while (::poll(&woken, 1, -1) <= 0) continue;
    stopping_ = true;
    node_.stop();
}

void NodeConsole::run_commands() {
    while (!quit_ && received_signal() == 0) {
        if (const auto line = lines_.next()) {
            run_command(*line);
            continue;
        }
        pollfd waited_for[] = {{waker_.fd(), POLLIN, 0}, {lines_.ended() ? -1 : STDIN_FILENO, POLLIN, 0}};
        ::poll(waited_for, 2, -1);
    }
}

// ---- output ---------------------------------------------------------------------------------------

void NodeConsole::note(const std::string& line) {
    const std::lock_guard lock(mutex_);
    report_.note(line);
}

void NodeConsole::print_result(const std::string& line, const char* event, const Json& fields) {
    const std::lock_guard lock(mutex_);
    report_.print(line);
    report_.event(event, fields);
}

}  // namespace ringpost::apps
