#pragma once

// The table of handles. An rp_handle* is not an address but the index of a slot and the generation of its use, so a
// handle that was closed is recognised even when its slot has another owner.

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ringpost/ringpost.h>
#include <ringpost/counters.hpp>
#include <ringpost/time.hpp>

#include "engine/bindings/c/errors.hpp"
#include "engine/bindings/c/events.hpp"

namespace ringpost::c {

/// What an rp_handle stands for. Each call has a default that refuses it.
class Handle {
  public:
    enum class Threads : std::uint8_t { one, any };

    Handle(const char* what, Threads threads) : what_(what), threads_(threads) {}
    virtual ~Handle() = default;
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    /// "a beacon", for texts of errors.
    const char* what() const { return what_; }
    Threads threads() const { return threads_; }

    /// Returns how many of `messages` were taken; see rp_send_many().
    virtual std::int32_t send(std::string_view call, std::span<const rp_message> messages, std::uint64_t* ids);
    virtual std::int32_t send_packed(std::string_view call, const PackedSend& sends, std::uint64_t* ids);
    virtual std::int32_t send_and_wait(std::string_view call, const rp_message& message, Duration timeout,
                                       EventWriter& out);
    virtual std::int32_t cancel(std::string_view call, std::uint64_t id);
    virtual std::int32_t receive(std::string_view call, std::int32_t what, EventWriter& out, Duration timeout) = 0;
    virtual std::int32_t descriptor(std::string_view call) = 0;
    virtual std::int32_t poll(std::string_view call) = 0;
    /// Called after every call that may have given the handle something to do.
    virtual void rearm() {}
    /// Any thread.
    virtual void wake() {}
    /// Any thread. Calls in progress return soon.
    virtual void stop() {}

    virtual std::int32_t local(std::string_view call, Address& out) const;
    virtual std::int32_t target(std::string_view call, Address& out) const;
    virtual std::int64_t in_flight(std::string_view call);
    virtual std::int32_t finished(std::string_view call);
    virtual const char* backend() const = 0;
    virtual const char* note() const = 0;
    virtual std::vector<rp_counter> counters() = 0;

    virtual std::int32_t ask(std::string_view call, std::span<const std::string> names, std::string_view question,
                             Duration timeout, std::uint64_t& id);
    virtual std::int32_t answers(std::string_view call, std::uint64_t id, std::span<rp_answer_text> out,
                                 std::span<std::byte> buffer, std::size_t* needed);
    virtual std::int32_t answer(std::string_view call, std::uint64_t question, std::string_view text);
    virtual std::int32_t drop(std::string_view call, std::uint64_t question);
    virtual std::int32_t peers(std::string_view call, std::span<rp_peer> out, std::span<std::byte> buffer,
                               std::uint32_t* count_needed, std::size_t* needed);
    virtual std::int32_t finish(std::string_view call, std::uint64_t connection, Duration timeout, EventWriter& out);
    virtual std::int32_t begin_finish(std::string_view call, std::uint64_t connection, Duration timeout);
    virtual std::int32_t allow(std::string_view call, const std::string& file);
    virtual std::int32_t add_session(std::string_view call, std::string_view id, std::span<const std::byte> token);
    virtual std::int32_t remove_session(std::string_view call, std::string_view id);
    virtual std::int32_t define(std::string_view call, const rp_struct_definition& definition);

  protected:
    std::int32_t refuse(std::string_view call, std::string_view cannot) const;

  private:
    const char* what_;
    Threads threads_;
};

/// Appends the rows of `counters` to `out`.
template <class Counters>
void append_counters(std::vector<rp_counter>& out, const Counters& counters) {
    for (const auto& row : Counters::table())
        out.push_back({row.name.data(), counters.*row.member});  // NOLINT(bugprone-suspicious-stringview-data-usage)
}
/// The same with a prefix of their names, one for each struct of counters.
template <class Counters>
void append_counters(std::vector<rp_counter>& out, const char* prefix, const Counters& counters) {
    static const std::vector<std::string> names = [&] {
        std::vector<std::string> made;
        for (const auto& row : Counters::table()) made.push_back(prefix + std::string(row.name));
        return made;
    }();
    std::size_t i = 0;
    for (const auto& row : Counters::table()) out.push_back({names[i++].c_str(), counters.*row.member});
}
inline void append_engine_counters(std::vector<rp_counter>& out, const EngineCounters& counters) {
    append_counters(out, "engine_", counters);
}

/// Stores the handle in the table. RP_EMANY if that is full; the handle is then ended.
std::int32_t publish(std::string_view call, std::unique_ptr<Handle> handle, rp_handle** out);

/// A call in progress: the handle cannot be freed meanwhile.
class Entered {
  public:
    enum class By : std::uint8_t {
        owner,  ///< of a handle for one thread: only that thread
        any,    ///< any thread
    };
    Entered(const rp_handle* handle, std::string_view call, By by = By::owner);
    ~Entered();
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;

    /// RP_OK, or why the call is refused.
    std::int32_t error() const { return error_; }
    Handle* operator->() const { return handle_; }

  private:
    std::uint32_t slot_ = 0;
    bool counted_ = false;
    std::int32_t error_ = RP_OK;
    Handle* handle_ = nullptr;
};

}  // namespace ringpost::c
