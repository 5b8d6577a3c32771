// The calls that every handle has: each checks its arguments, enters the handle, and calls it.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string>

#include <ringpost/network.hpp>

#include "engine/bindings/c/handles.hpp"
#include "engine/bindings/c/options.hpp"
#include "engine/os/clock.hpp"

using namespace ringpost;
using namespace ringpost::c;

// ---- addresses ------------------------------------------------------------------------------------

int32_t rp_resolve(const char* host, uint16_t port, rp_address* address) {
    constexpr const char* call = "rp_resolve";
    if (host == nullptr || address == nullptr) return fail(RP_EINVAL, call, "host or address is NULL");
    const auto resolved = resolve(host, port);
    if (!resolved) return fail(call, resolved.error());
    *address = to_c(*resolved);
    return RP_OK;
}

int32_t rp_resolve_host_port(const char* text, rp_address* address) {
    constexpr const char* call = "rp_resolve_host_port";
    if (text == nullptr || address == nullptr) return fail(RP_EINVAL, call, "text or address is NULL");
    const auto resolved = resolve_host_port(text);
    if (!resolved) return fail(call, resolved.error());
    *address = to_c(*resolved);
    return RP_OK;
}

int32_t rp_address_text(const rp_address* address, char* text, size_t capacity) {
    constexpr const char* call = "rp_address_text";
    if (address == nullptr || (text == nullptr && capacity > 0))
        return fail(RP_EINVAL, call, "address or text is NULL");
    const auto known = from_c(*address);
    if (!known || known->family == Family::none) return fail(RP_EINVAL, call, "not an address");
    const std::string written = to_text(*known);
    if (written.size() >= capacity) return fail(RP_ESMALL, call, fmt::format("the text has {} bytes", written.size()));
    std::memcpy(text, written.c_str(), written.size() + 1);
    return static_cast<std::int32_t>(written.size());
}

namespace {

/// The result of a call after which the handle may have something to do.
std::int32_t after(const Entered& entered, std::int32_t result) {
    entered->rearm();
    return result;
}

}  // namespace

// ---- sending and receiving ------------------------------------------------------------------------

int32_t rp_send(rp_handle* handle, const rp_message* message, uint64_t* id) {
    constexpr const char* call = "rp_send";
    const Entered entered(handle, call);
    if (entered.error() != RP_OK) return entered.error();
    if (message == nullptr) return fail(RP_EINVAL, call, "message is NULL");
    return after(entered, std::min<std::int32_t>(entered->send(call, {message, 1}, id), RP_OK));
}

int32_t rp_send_many(rp_handle* handle, const rp_message* messages, uint32_t count, uint64_t* ids) {
    constexpr const char* call = "rp_send_many";
    const Entered entered(handle, call);
    if (entered.error() != RP_OK) return entered.error();
    if (messages == nullptr && count > 0) return fail(RP_EINVAL, call, "messages is NULL");
    if (count > INT32_MAX) return fail(RP_EINVAL, call, "count is too large");
    return after(entered, entered->send(call, {messages, count}, ids));
}

int32_t rp_send_packed(rp_handle* handle, const rp_address* peer, const void* bytes, const uint32_t* sizes,
                       uint32_t each, uint32_t count, int64_t timeout_ns, uint64_t* ids) {
    constexpr const char* call = "rp_send_packed";
    const Entered entered(handle, call);
    if (entered.error() != RP_OK) return entered.error();
    if (bytes == nullptr && count > 0 && (sizes != nullptr || each > 0)) return fail(RP_EINVAL, call, "bytes is NULL");
    if (count > INT32_MAX) return fail(RP_EINVAL, call, "count is too large");
    if (const auto error = check_timeout(call, timeout_ns)) return error;
    PackedSend sends{{},    static_cast<const std::byte*>(bytes),
                     sizes, each,
                     count, timeout_ns == 0 ? never : deadline_after(timeout_ns)};
    if (peer != nullptr)
        if (const auto error = read(call, "peer", *peer, sends.peer)) return error;
    return after(entered, entered->send_packed(call, sends, ids));
}

int32_t rp_send_and_wait(rp_handle* handle, const rp_message* message, int64_t timeout_ns, rp_event* outcome,
                         void* buffer, size_t capacity) {
    constexpr const char* call = "rp_send_and_wait";
    const Entered entered(handle, call);
    if (entered.error() != RP_OK) return entered.error();
    if (message == nullptr || outcome == nullptr) return fail(RP_EINVAL, call, "message or outcome is NULL");
    if (timeout_ns <= 0) return fail(RP_EINVAL, call, "timeout_ns must be positive");
    EventWriter out(outcome, 1, buffer, capacity);
    return after(entered, entered->send_and_wait(call, *message, timeout_ns, out));
}

int32_t rp_cancel(rp_handle* handle, uint64_t id) {
    const Entered entered(handle, "rp_cancel");
    return entered.error() != RP_OK ? entered.error() : after(entered, entered->cancel("rp_cancel", id));
}

int32_t rp_receive_many(rp_handle* handle, int32_t what, rp_event* events, uint32_t count, void* buffer,
                        size_t capacity, int64_t timeout_ns) {
    constexpr const char* call = "rp_receive_many";
    const Entered entered(handle, call);
    if (entered.error() != RP_OK) return entered.error();
    if (events == nullptr || count == 0) return fail(RP_EINVAL, call, "events is NULL, or count is 0");
    if (count > INT32_MAX) return fail(RP_EINVAL, call, "count is too large");
    if (what <= 0) return fail(RP_EINVAL, call, "what is not a set of events");
    if (const auto error = check_timeout(call, timeout_ns)) return error;
    EventWriter out(events, count, buffer, capacity);
    return entered->receive(call, what, out, timeout_ns);
}

int32_t rp_finish(rp_handle* handle, uint64_t connection, int64_t timeout_ns, rp_event* outcome) {
    constexpr const char* call = "rp_finish";
    const Entered entered(handle, call);
    if (entered.error() != RP_OK) return entered.error();
    if (const auto error = check_timeout(call, timeout_ns)) return error;
    rp_event unused{};
    EventWriter out(outcome == nullptr ? &unused : outcome, 1, nullptr, 0);
    return after(entered, entered->finish(call, connection, timeout_ns, out));
}

int32_t rp_begin_finish(rp_handle* handle, uint64_t connection, int64_t timeout_ns) {
    constexpr const char* call = "rp_begin_finish";
    const Entered entered(handle, call);
    if (entered.error() != RP_OK) return entered.error();
    if (const auto error = check_timeout(call, timeout_ns)) return error;
    return after(entered, entered->begin_finish(call, connection, timeout_ns));
}

int32_t rp_allow(rp_handle* handle, const char* file) {
    constexpr const char* call = "rp_allow";
    const Entered entered(handle, call);
    if (entered.error() != RP_OK) return entered.error();
    if (file == nullptr) return fail(RP_EINVAL, call, "file is NULL");
    return entered->allow(call, file);
}

int32_t rp_add_session(rp_handle* handle, const char* id, const void* token, size_t size) {
    constexpr const char* call = "rp_add_session";
    const Entered entered(handle, call);
    if (entered.error() != RP_OK) return entered.error();
    if (id == nullptr || token == nullptr) return fail(RP_EINVAL, call, "id or token is NULL");
    return entered->add_session(call, id, {static_cast<const std::byte*>(token), size});
}

int32_t rp_remove_session(rp_handle* handle, const char* id) {
    constexpr const char* call = "rp_remove_session";
    const Entered entered(handle, call);
    if (entered.error() != RP_OK) return entered.error();
    if (id == nullptr) return fail(RP_EINVAL, call, "id is NULL");
    return entered->remove_session(call, id);
}

int32_t rp_fd(rp_handle* handle) {
    const Entered entered(handle, "rp_fd");
    return entered.error() != RP_OK ? entered.error() : entered->descriptor("rp_fd");
}

int32_t rp_poll(rp_handle* handle) {
    const Entered entered(handle, "rp_poll");
    return entered.error() != RP_OK ? entered.error() : entered->poll("rp_poll");
}

int32_t rp_wake(rp_handle* handle) {
    const Entered entered(handle, "rp_wake", Entered::By::any);
    if (entered.error() == RP_OK) entered->wake();
    return entered.error();
}

int32_t rp_stop(rp_handle* handle) {
    const Entered entered(handle, "rp_stop");
    if (entered.error() == RP_OK) entered->stop();
    return entered.error();
}

// ---- about a handle -------------------------------------------------------------------------------

int32_t rp_local(rp_handle* handle, rp_address* address) {
    constexpr const char* call = "rp_local";
    const Entered entered(handle, call, Entered::By::any);
    if (entered.error() != RP_OK) return entered.error();
    if (address == nullptr) return fail(RP_EINVAL, call, "address is NULL");
    Address local;
    const auto error = entered->local(call, local);
    if (error == RP_OK) *address = to_c(local);
    return error;
}

int32_t rp_target(rp_handle* handle, rp_address* address) {
    constexpr const char* call = "rp_target";
    const Entered entered(handle, call);
    if (entered.error() != RP_OK) return entered.error();
    if (address == nullptr) return fail(RP_EINVAL, call, "address is NULL");
    Address target;
    const auto error = entered->target(call, target);
    if (error == RP_OK) *address = to_c(target);
    return error;
}

int64_t rp_in_flight(rp_handle* handle) {
    const Entered entered(handle, "rp_in_flight");
    return entered.error() != RP_OK ? entered.error() : entered->in_flight("rp_in_flight");
}

int32_t rp_finished(rp_handle* handle) {
    const Entered entered(handle, "rp_finished");
    return entered.error() != RP_OK ? entered.error() : entered->finished("rp_finished");
}

const char* rp_backend(rp_handle* handle) {
    const Entered entered(handle, "rp_backend", Entered::By::any);
    return entered.error() != RP_OK ? "" : entered->backend();
}

const char* rp_note(rp_handle* handle) {
    const Entered entered(handle, "rp_note", Entered::By::any);
    return entered.error() != RP_OK ? "" : entered->note();
}

int32_t rp_counters(rp_handle* handle, rp_counter* counters, uint32_t count) {
    constexpr const char* call = "rp_counters";
    const Entered entered(handle, call);
    if (entered.error() != RP_OK) return entered.error();
    if (counters == nullptr && count > 0) return fail(RP_EINVAL, call, "counters is NULL");
    const std::vector<rp_counter> all = entered->counters();
    std::copy_n(all.begin(), std::min<std::size_t>(count, all.size()), counters);
    return static_cast<std::int32_t>(all.size());
}

// ---- named devices and struct messages ------------------------------------------------------------

int32_t rp_ask(rp_handle* handle, const char* const* names, uint32_t count, const void* question, size_t size,
               int64_t timeout_ns, uint64_t* ask) {
    constexpr const char* call = "rp_ask";
    const Entered entered(handle, call);
    if (entered.error() != RP_OK) return entered.error();
    if (ask == nullptr || (question == nullptr && size > 0)) return fail(RP_EINVAL, call, "ask or question is NULL");
    if (const auto error = check_timeout(call, timeout_ns)) return error;
    std::vector<std::string> asked;
    if (const auto error = read(call, "names", names, count, asked)) return error;
    return entered->ask(call, asked, {static_cast<const char*>(question), size}, timeout_ns, *ask);
}

int32_t rp_answers(rp_handle* handle, uint64_t ask, rp_answer_text* answers, uint32_t count, void* buffer,
                   size_t capacity, size_t* needed) {
    constexpr const char* call = "rp_answers";
    const Entered entered(handle, call);
    if (entered.error() != RP_OK) return entered.error();
    if ((answers == nullptr && count > 0) || (buffer == nullptr && capacity > 0))
        return fail(RP_EINVAL, call, "answers or buffer is NULL");
    return entered->answers(call, ask, {answers, count}, {static_cast<std::byte*>(buffer), capacity}, needed);
}

int32_t rp_answer(rp_handle* handle, uint64_t question, const void* text, size_t size) {
    constexpr const char* call = "rp_answer";
    const Entered entered(handle, call);
    if (entered.error() != RP_OK) return entered.error();
    if (text == nullptr && size > 0) return fail(RP_EINVAL, call, "text is NULL");
    return entered->answer(call, question, {static_cast<const char*>(text), size});
}

int32_t rp_drop(rp_handle* handle, uint64_t question) {
    const Entered entered(handle, "rp_drop");
    return entered.error() != RP_OK ? entered.error() : entered->drop("rp_drop", question);
}

int32_t rp_peers(rp_handle* handle, rp_peer* peers, uint32_t count, void* buffer, size_t capacity,
                 uint32_t* count_needed, size_t* needed) {
    constexpr const char* call = "rp_peers";
    const Entered entered(handle, call);
    if (entered.error() != RP_OK) return entered.error();
    if ((peers == nullptr && count > 0) || (buffer == nullptr && capacity > 0))
        return fail(RP_EINVAL, call, "peers or buffer is NULL");
    return entered->peers(call, {peers, count}, {static_cast<std::byte*>(buffer), capacity}, count_needed, needed);
}

int32_t rp_structs_define(rp_handle* handle, const rp_struct_definition* definition) {
    constexpr const char* call = "rp_structs_define";
    const Entered entered(handle, call);
    if (entered.error() != RP_OK) return entered.error();
    if (definition == nullptr) return fail(RP_EINVAL, call, "definition is NULL");
    return entered->define(call, *definition);
}
