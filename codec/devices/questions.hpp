#pragma once

// Questions in both directions. For questions we ask: a key that is unique among the questions in progress on its
// connection, and one end per ask over any number of names. For questions we receive: a bounded memory until the
// application answers.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <list>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <ringpost/stream.hpp>
#include <ringpost/time.hpp>
#include "codec/base/timer_wheel.hpp"
#include "codec/devices/options.hpp"
#include "codec/devices/shares.hpp"

namespace ringpost::devices {

/// Identifies one question: the ask, and the position among its names.
struct Asked {
    AskId ask;
    std::uint32_t position = 0;
};

/// The questions in progress on one connection, by key.
class Keys {
  public:
    /// `compatible` keys are those of the format's original program, 1 to 9999.
    enum class Range : std::uint8_t { full, compatible };
    /// Returns the key that has been unused for longest, or nullopt if all are in use.
    std::optional<std::uint64_t> take(Range range);
    void insert(std::uint64_t key, const Asked& asked) { waiting_.emplace(key, asked); }
    /// Frees the key and returns its question.
    std::optional<Asked> remove(std::uint64_t key);

    template <class F>
    void remove_all(F&& f) {
        for (const auto& [key, asked] : waiting_) f(asked);
        waiting_.clear();
    }

  private:
    static constexpr std::uint64_t compatible_max = 9'999;

    std::uint64_t newest_ = compatible_max, newest_compatible_ = 0;
    std::unordered_map<std::uint64_t, Asked> waiting_;
};

/// The asks in progress.
class Asks {
  public:
    explicit Asks(Instant start) : timers_(limits::devices_asks_max, start) {}

    /// Starts an ask with space for `names` questions.
    std::expected<AskId, AskRefusal> open(std::size_t names, Instant deadline);
    /// Adds the next name to an ask just opened.
    Asked add(AskId ask, std::string_view name);
    /// The question has been queued on this connection with this key.
    void set_key(const Asked& asked, StreamIndex stream, std::uint64_t key);

    /// Ends one question with `reply`. Returns true if that ended its ask; the caller then reports it.
    bool settle(const Asked& asked, Reply reply, std::string_view text = {});
    /// Whether no question of the ask is in progress.
    bool ended(AskId ask) const { return asks_[ask.index].waiting == 0; }

    /// Ends all asks whose deadline has passed: calls remove_key(StreamIndex, key) for every question without an
    /// answer, then ended(index).
    template <class Remove, class Ended>
    void expire(Instant now, Remove&& remove_key, Ended&& ended);
    std::optional<Instant> next_timeout() const { return timers_.next(); }

    /// An ask that has ended, until release().
    AskId id(std::uint32_t index) const { return {index, asks_[index].generation}; }
    std::span<const Answer> answers(std::uint32_t index) const { return asks_[index].answers; }
    void release(std::uint32_t index);

  private:
    struct Sending {
        StreamIndex stream = 0;
        std::uint64_t key = 0;
    };
    struct Ask {
        std::vector<Answer> answers;
        std::vector<Sending> sendings;  ///< parallel to `answers`
        std::uint32_t generation = 0;
        std::size_t waiting = 0;
        std::size_t bytes = 0;
    };

    std::vector<Ask> asks_;
    std::vector<std::uint32_t> free_;
    TimerWheel timers_;  ///< deadlines, by index of the ask
    std::size_t asked_ = 0, bytes_ = 0;
};

template <class Remove, class Ended>
void Asks::expire(Instant now, Remove&& remove_key, Ended&& ended) {
    timers_.expire(now, [&](TimerIndex index, Instant) {
        Ask& ask = asks_[index];
        for (std::size_t i = 0; i < ask.answers.size(); ++i) {
            if (ask.answers[i].reply != Reply::waiting) continue;
            ask.answers[i].reply = Reply::timed_out;
            remove_key(ask.sendings[i].stream, ask.sendings[i].key);
        }
        ask.waiting = 0;
        ended(index);
    });
}

/// Received questions that await the application's answer: up to limits::devices_questions_max, each for a minute.
/// Hosts share the places, so that one which asks much does not take all.
class Inquiries {
  public:
    static constexpr Duration kept = 60 * second;

    explicit Inquiries(const SipKey& key) : shares_(limits::devices_questions_max, share_weight, key) {}

    struct Inquiry {
        StreamIndex stream = 0;
        std::uint64_t serial = 0;  ///< of the connection that asked
        std::uint64_t key = 0;
    };

    /// Returns nullopt if there is no place for a question of this host.
    std::optional<QuestionId> add(Instant now, const Address& host, const Inquiry& inquiry);
    /// Returns nullptr if the question has been answered, has expired or is unknown.
    const Inquiry* find(Instant now, QuestionId question) const;
    /// Frees its place; no effect if it has none.
    void remove(QuestionId question);
    /// Removes the questions of a connection that has ended, or the expired ones. Returns their number.
    std::size_t remove_of(std::uint64_t serial);
    std::size_t expire(Instant now);

  private:
    static constexpr std::uint32_t share_weight = 7;
    struct Place {
        std::uint64_t number = 0;
        Holder host{};
        Instant asked_at = 0;
        Inquiry inquiry;
    };
    using Places = std::list<Place>;

    void remove(Places::iterator place);

    Places places_;  ///< oldest first
    std::unordered_map<std::uint64_t, Places::iterator> by_number_;
    Shares shares_;
    std::uint64_t newest_ = 0;
};

}  // namespace ringpost::devices
