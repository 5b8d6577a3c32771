#pragma once

// Callbacks for a Node. They run on the threads that call dispatch_notice() and dispatch_question(), never on the
// node's thread, so a slow callback blocks only its own thread. Exceptions are caught and passed to Handlers::failed.
// Header-only, because the library itself is compiled without exceptions.

#include <exception>
#include <functional>
#include <optional>
#include <string>

#include <ringpost/devices.hpp>

namespace ringpost::devices {

/// Each may be empty.
struct Handlers {
    std::function<void(const std::string& from, const std::string& text)> message{};
    /// Returns the answer.
    std::function<std::string(const std::string& from, const std::string& text)> question{};
    /// The directory or a connection has changed; see notice.kind. Node::peers() returns the new directory.
    std::function<void(const Notice&)> changed{};
    /// The handler for `notice` threw `cause`; or, if `cause` is null, its answer was refused with `sent`.
    std::function<void(const Notice& notice, const std::exception_ptr& cause, Sent sent)> failed{};
};

/// Waits up to `timeout` for one message or change and calls its handler. False on timeout.
inline bool dispatch_notice(Node& node, const Handlers& handlers, Duration timeout) {
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

/// The same for one question; sends the answer that its handler returns. To answer questions in parallel, call this on
/// several threads.
inline bool dispatch_question(Node& node, const Handlers& handlers, Duration timeout) {
    const std::optional<Notice> notice = node.next_question(timeout);
    if (!notice) return false;
    if (!handlers.question) {
        node.drop(notice->question);
        return true;
    }
    std::exception_ptr cause;
    Sent sent = Sent::queued;
    try {
        sent = node.answer(notice->question, handlers.question(notice->name, notice->text));
    } catch (...) {
        cause = std::current_exception();
    }
    if (cause || sent != Sent::queued) node.drop(notice->question);
    if ((cause || sent != Sent::queued) && handlers.failed) handlers.failed(*notice, cause, sent);
    return true;
}

}  // namespace ringpost::devices
