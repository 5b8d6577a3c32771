// Each slot has a state, which holds the generation of its use and whether it is open, and the number of calls that are
// in progress. A call increments that number and then reads the state; rp_close() changes the state and then waits for
// the number to become zero. Both are sequentially consistent, so either the call finds the handle closed, or
// rp_close() waits for it. No lock is held at any time, so fork() cannot copy a locked one.

#include "engine/bindings/c/handles.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "codec/base/limits.hpp"

namespace ringpost::c {
namespace {

constexpr std::uint32_t index_bits = 12;
static_assert(limits::c_handles_max <= 1u << index_bits);
constexpr std::uint64_t open_bit = 1;

/// A state is the generation, which grows with each use, and the lowest bit: open.
struct Slot {
    std::atomic<std::uint64_t> state{0};
    std::atomic<std::uint32_t> taken{0};
    std::atomic<std::uint32_t> calls{0};
    Handle* handle = nullptr;
    pid_t owner = 0;          ///< thread
    std::uint32_t forks = 0;  ///< at rp_*_open()
};
constinit std::array<Slot, limits::c_handles_max> slots;

/// How often this process, or one of its ancestors since the library was loaded, was made by fork().
constinit std::atomic<std::uint32_t> forks{0};

void count_forks() {
    static const int done = pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });
    static_cast<void>(done);
}

pid_t this_thread() {
    thread_local std::uint32_t known_forks = UINT32_MAX;
    thread_local pid_t id = 0;
    const std::uint32_t now_forks = forks.load(std::memory_order_relaxed);
    if (known_forks != now_forks) {
        known_forks = now_forks;
        id = gettid();
    }
    return id;
}

rp_handle* handle_of(std::uint32_t index, std::uint64_t state) {
    return reinterpret_cast<rp_handle*>(state << index_bits | index);  // NOLINT: an opaque number, never dereferenced
}
std::uint64_t number_of(const rp_handle* handle) { return reinterpret_cast<std::uintptr_t>(handle); }
std::uint32_t index_of(const rp_handle* handle) {
    return static_cast<std::uint32_t>(number_of(handle) & ((1u << index_bits) - 1));
}
std::uint64_t state_of(const rp_handle* handle) { return number_of(handle) >> index_bits; }

/// Whether the state is one that a handle may have had.
bool is_handle(const rp_handle* handle) {
    return handle != nullptr && index_of(handle) < slots.size() && (state_of(handle) & open_bit) != 0;
}

std::int32_t no_handle(std::string_view call, const rp_handle* handle) {
    return fail(RP_EHANDLE, call, handle == nullptr ? "the handle is NULL" : "the handle is closed, or never was one");
}

}  // namespace

std::int32_t publish(std::string_view call, std::unique_ptr<Handle> handle, rp_handle** out) {
    count_forks();
    for (std::uint32_t index = 0; index < slots.size(); ++index) {
        Slot& slot = slots[index];
        std::uint32_t is_free = 0;
        if (!slot.taken.compare_exchange_strong(is_free, 1)) continue;
        slot.handle = handle.release();
        slot.owner = this_thread();
        slot.forks = forks.load(std::memory_order_relaxed);
        const std::uint64_t state = (slot.state.load() + 2) | open_bit;
        slot.state.store(state);
        *out = handle_of(index, state);
        return RP_OK;
    }
    return fail(RP_EMANY, call, fmt::format("{} handles are open", slots.size()));
}

Entered::Entered(const rp_handle* handle, std::string_view call, By by) {
    if (!is_handle(handle)) {
        error_ = no_handle(call, handle);
        return;
    }
    slot_ = index_of(handle);
    Slot& slot = slots[slot_];
    slot.calls.fetch_add(1);
    counted_ = true;
    if (slot.state.load() != state_of(handle)) {
        error_ = no_handle(call, handle);
    } else if (slot.forks != forks.load(std::memory_order_relaxed)) {
        error_ = fail(RP_EFORK, call, "the handle belongs to the parent process");
    } else if (by == By::owner && slot.handle->threads() == Handle::Threads::one && slot.owner != this_thread()) {
        error_ = fail(RP_ETHREAD, call,
                      fmt::format("{} works only on the thread that opened it ({}; this is {})", slot.handle->what(),
                                  slot.owner, this_thread()));
    } else {
        handle_ = slot.handle;
    }
}

Entered::~Entered() {
    if (counted_) slots[slot_].calls.fetch_sub(1);
}

// ---- Handle ---------------------------------------------------------------------------------------

std::int32_t Handle::refuse(std::string_view call, std::string_view cannot) const {
    return fail(RP_EHANDLE, call, fmt::format("the handle is {}, which {}", what_, cannot));
}

std::int32_t Handle::send(std::string_view call, std::span<const rp_message>, std::uint64_t*) {
    return refuse(call, "sends no messages");
}
std::int32_t Handle::send_packed(std::string_view call, const PackedSend&, std::uint64_t*) {
    return refuse(call, "sends no packed messages");
}
std::int32_t Handle::send_and_wait(std::string_view call, const rp_message&, Duration, EventWriter&) {
    return refuse(call, "has no outcomes");
}
std::int32_t Handle::cancel(std::string_view call, std::uint64_t) { return refuse(call, "cannot cancel"); }
std::int32_t Handle::local(std::string_view call, Address&) const { return refuse(call, "has no one address"); }
std::int32_t Handle::target(std::string_view call, Address&) const { return refuse(call, "has no target"); }
std::int64_t Handle::in_flight(std::string_view call) { return refuse(call, "has no outcomes"); }
std::int32_t Handle::finished(std::string_view call) { return refuse(call, "has no rounds"); }
std::int32_t Handle::ask(std::string_view call, std::span<const std::string>, std::string_view, Duration,
                         std::uint64_t&) {
    return refuse(call, "asks no questions");
}
std::int32_t Handle::answers(std::string_view call, std::uint64_t, std::span<rp_answer_text>, std::span<std::byte>,
                             std::size_t*) {
    return refuse(call, "asks no questions");
}
std::int32_t Handle::answer(std::string_view call, std::uint64_t, std::string_view) {
    return refuse(call, "has no questions");
}
std::int32_t Handle::drop(std::string_view call, std::uint64_t) { return refuse(call, "has no questions"); }
std::int32_t Handle::peers(std::string_view call, std::span<rp_peer>, std::span<std::byte>, std::uint32_t*,
                           std::size_t*) {
    return refuse(call, "has no directory");
}
std::int32_t Handle::finish(std::string_view call, std::uint64_t, Duration, EventWriter&) {
    return refuse(call, "has no connections");
}
std::int32_t Handle::begin_finish(std::string_view call, std::uint64_t, Duration) {
    return refuse(call, "has no connections");
}
std::int32_t Handle::allow(std::string_view call, const std::string&) { return refuse(call, "has no clients"); }
std::int32_t Handle::add_session(std::string_view call, std::string_view, std::span<const std::byte>) {
    return refuse(call, "has no sessions");
}
std::int32_t Handle::remove_session(std::string_view call, std::string_view) { return refuse(call, "has no sessions"); }
std::int32_t Handle::define(std::string_view call, const rp_struct_definition&) {
    return refuse(call, "has no formats");
}

}  // namespace ringpost::c

using namespace ringpost::c;

int32_t rp_close(rp_handle* handle) {
    constexpr const char* call = "rp_close";
    if (handle == nullptr) return RP_OK;
    if (!is_handle(handle)) return no_handle(call, handle);
    Slot& slot = slots[index_of(handle)];
    const bool forked = slot.state.load() == state_of(handle) && slot.forks != forks.load(std::memory_order_relaxed);
    if (!forked) {
        // Counted as a call, so that another rp_close() cannot free the handle while it is inspected here.
        const Entered entered(handle, call, Entered::By::any);
        if (entered.error() != RP_OK) return entered.error();
        // While its owner closes it, others can only be in calls that return at once.
        if (entered->threads() == Handle::Threads::one && slot.owner != this_thread() && slot.calls.load() > 1)
            return fail(RP_ETHREAD, call, "a call of another thread is in progress");
        entered->stop();
    }
    std::uint64_t open = state_of(handle);
    if (!slot.state.compare_exchange_strong(open, open + 1)) return no_handle(call, handle);
    // A handle of the parent is not freed: its destructor would act on what the two processes share. Nor is its slot,
    // which counts calls of threads that do not exist here.
    if (forked) return RP_OK;
    while (slot.calls.load() > 0) sched_yield();
    delete slot.handle;
    slot.handle = nullptr;
    slot.taken.store(0);
    return RP_OK;
}
