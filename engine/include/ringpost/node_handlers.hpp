#pragma once

// A Node used by callbacks: they run on the threads that call serve(), never on the node's own, so that one which takes
// its time keeps nobody waiting but its own thread. What a callback throws is reported and survived: this header is
// compiled in programs that have exceptions, which the engine has not.

#include <exception>
#include <functional>
#include <optional>
#include <string>

#include <ringpost/node.hpp>

namespace ringpost::devices {

/// Any of them may be missing.
struct Handlers {
    std::function<void(const std::string& from, const std::string& text)> message{};
    /// Returns the answer.
    std::function<std::string(const std::string& from, const std::string& text)> question{};
    /// The directory or a connection has changed: notice.kind says how, peers() is the whole.
    std::function<void(const Notice&)> changed{};
    /// A handler has thrown `cause` on `notice`; or there is no cause, and its answer was refused: `sent` says why.
    std::function<void(const Notice& notice, const std::exception_ptr& cause, Sent sent)> failed{};
};

/// Waits for one message or change, at most for `timeout`, and calls its handler. False when there was none.
inline bool serve(Node& node, const Handlers& handlers, Duration timeout) {
    const std::optional<Notice> notice = node.receive(timeout);
    if (!notice) return false;
    try {
        if (notice->kind != Event::Kind::message) {
            if (handlers.changed) handlers.changed(*notice);
        } else if (handlers.message) {
            handlers.message(notice->name, notice->text);
        }
    } catch (...) {
        if (handlers.failed) handlers.failed(*notice, std::current_exception(), Sent::queued);
    }
    return true;
}

/// The same for one question, whose handler's answer is sent. As many threads may do this as are to answer at once.
inline bool serve_question(Node& node, const Handlers& handlers, Duration timeout) {
    const std::optional<Notice> notice = node.next_question(timeout);
    if (!notice) return false;
    if (!handlers.question) return true;
    std::exception_ptr cause;
    Sent sent = Sent::queued;
    try {
        sent = node.answer(notice->question, handlers.question(notice->name, notice->text));
    } catch (...) {
        cause = std::current_exception();
    }
    if ((cause || sent != Sent::queued) && handlers.failed) handlers.failed(*notice, cause, sent);
    return true;
}

}  // namespace ringpost::devices
