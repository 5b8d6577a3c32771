#pragma once

// A handle without a thread: an endpoint that works inside the calls. Events stay in the endpoint, which then holds its
// peers back, until a caller has room for them. One that was taken from it and did not fit is kept here.

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/bindings/c/deadline_timer.hpp"
#include "engine/bindings/c/handles.hpp"
#include "engine/faces/polled_endpoint.hpp"

namespace ringpost::c {

template <class Endpoint>
class PolledHandle : public Handle {
  public:
    PolledHandle(const char* what, std::unique_ptr<PolledEndpoint<Endpoint>> polled)
        : Handle(what, Threads::one), polled_(std::move(polled)) {}

    std::int32_t receive(std::string_view call, std::int32_t what, EventWriter& out, Duration timeout) override {
        const auto enough = [&] { return out.full() || out.is_small(); };
        take(what, out);
        if (!enough() || now() - polled_->turned_at() >= turn_within) {
            if (out.count() > 0 || out.is_small()) timeout = 0;
            turn(timeout, [&] {
                if (!enough()) take(what, out);
                return out.count() > 0 || out.is_small() || woken_.exchange(false, std::memory_order_relaxed);
            });
        }
        more_ = enough();
        rearm();
        if (out.count() > 0 || !out.is_small()) return static_cast<std::int32_t>(out.count());
        return fail(RP_ESMALL, call, "the buffer is too small for the next event");
    }

    std::int32_t poll(std::string_view) override {
        turn(0, [] { return false; });
        if (kept_.empty())
            if (auto found = next(RP_ANY)) keep(*found);
        more_ = !kept_.empty();
        rearm();
        return more_ ? 1 : 0;
    }

    std::int32_t descriptor(std::string_view call) override {
        if (!timer_.is_open()) {
            const auto fd = timer_.open();
            if (!fd) return fail(call, fd.error());
            if (const auto watched = polled_->watch(*fd); !watched) return fail(call, watched.error());
            rearm();
        }
        return polled_->fd();
    }
    void rearm() override {
        if (timer_.is_open()) timer_.arm(more_ ? 0 : polled_->next_deadline());
    }
    void wake() override {
        woken_.store(true, std::memory_order_relaxed);
        polled_->wake();
    }

    std::int32_t local(std::string_view, Address& out) const override {
        out = polled_->local;
        return RP_OK;
    }
    const char* backend() const override { return polled_->backend; }
    const char* note() const override { return polled_->note.c_str(); }

  protected:
    /// An event of the endpoint; the views are valid until its next call.
    struct Found {
        rp_event event{};
        std::span<const std::byte> bytes{};
        std::string_view name{};
    };

    Endpoint& endpoint() { return polled_->endpoint; }
    /// The endpoint, for a call after which it may have something to send.
    Endpoint& change() { return polled_->change(); }
    const Endpoint& endpoint() const { return polled_->endpoint; }
    PolledEndpoint<Endpoint>& polled() { return *polled_; }

    /// The next event of a kind in `what`.
    virtual std::optional<Found> next(std::int32_t what) = 0;
    /// Writes those that come by the thousand while they fit. What it leaves is taken by next().
    virtual void take_batches(std::int32_t /*what*/, EventWriter& /*out*/) {}

    void keep(const Found& found) {
        kept_.push_back({found.event, std::string(found.name),
                         std::string(reinterpret_cast<const char*>(found.bytes.data()), found.bytes.size())});
    }

  private:
    void take(std::int32_t what, EventWriter& out) {
        if (!kept_.empty() && !take_kept(what, out)) return;
        take_batches(what, out);
        while (!out.full()) {
            auto found = next(what);
            if (!found) return;
            if (!out.write(found->event, found->bytes, found->name)) {
                keep(*found);
                return;
            }
        }
    }

    /// False if one of them does not fit.
    bool take_kept(std::int32_t what, EventWriter& out) {
        for (auto kept = kept_.begin(); kept != kept_.end() && !out.full();) {
            if ((kept->event.kind & what) == 0) {
                ++kept;
                continue;
            }
            if (!out.write(*kept)) return false;
            kept = kept_.erase(kept);
        }
        return true;
    }

    void turn(Duration timeout, const std::function<bool()>& done) { polled_->wait_for(timeout, done); }

    std::unique_ptr<PolledEndpoint<Endpoint>> polled_;
    std::atomic<bool> woken_{false};
    std::deque<Kept> kept_;
    DeadlineTimer timer_;
    bool more_ = false;  ///< there may be events that the last call did not return
};

}  // namespace ringpost::c
