#pragma once

// Questions, from both sides. Those we ask: each has a key that no other question under way on its connection has, and
// each ask over many names ends once. Those we are asked: remembered until the application answers, within bounds.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <ringpost/stream.hpp>
#include <ringpost/time.hpp>
#include "codec/base/timer_wheel.hpp"
#include "codec/devices/options.hpp"

namespace ringpost::devices {

/// A question's place: which ask, and which of its names.
struct Asked {
    AskId ask;
    std::uint32_t position = 0;
};

/// The questions under way on one connection, by key.
class Keys {
  public:
    /// A key not under way, the longest unused first; nothing when all are under way. To `compatible` peers they are
    /// those of the format's first program, 1 to 9999.
    std::optional<std::uint64_t> take(bool compatible);
    void insert(std::uint64_t key, const Asked& asked) { waiting_.emplace(key, asked); }
    /// Which question had this key, which is free from now on.
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

/// The asks under way. Whoever settles a question is told whether that was the last of its ask.
class Asks {
  public:
    explicit Asks(Instant start) : timers_(limits::devices_asks_max, start) {}

    /// Room for `names` more questions?
    std::expected<AskId, AskRefusal> open(std::size_t names, Instant deadline);
    /// The next name of an ask just opened; waiting.
    Asked add(AskId ask, std::string_view name);
    /// Its question has left by this connection, with this key.
    void set_key(const Asked& asked, StreamIndex stream, std::uint64_t key);

    /// Ends one question, if it is still under way. True when that ended its ask: then tell() it.
    bool settle(const Asked& asked, Reply reply, std::string_view text = {});
    /// True when an ask just opened has nothing (more) to wait for.
    bool ended(AskId ask) const { return asks_[ask.index].waiting == 0; }

    /// Ends what is due: forget(StreamIndex, key) for every question that was not answered, then ended(index).
    template <class Forget, class Ended>
    void expire(Instant now, Forget&& forget, Ended&& ended);
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
        std::vector<Sending> sendings;  ///< of the same positions
        std::uint32_t generation = 0;
        std::size_t waiting = 0;
        std::size_t bytes = 0;
    };

    std::vector<Ask> asks_;
    std::vector<std::uint32_t> free_;
    TimerWheel timers_;  ///< deadlines, by index
    std::size_t asked_ = 0, bytes_ = 0;
};

template <class Forget, class Ended>
void Asks::expire(Instant now, Forget&& forget, Ended&& ended) {
    timers_.expire(now, [&](TimerIndex index, Instant) {
        Ask& ask = asks_[index];
        for (std::size_t i = 0; i < ask.answers.size(); ++i) {
            if (ask.answers[i].reply != Reply::waiting) continue;
            ask.answers[i].reply = Reply::timed_out;
            forget(ask.sendings[i].stream, ask.sendings[i].key);
        }
        ask.waiting = 0;
        ended(index);
    });
}

/// The questions that wait for the application's answer: the newest limits::devices_questions_max of them, each for a
/// minute.
class Inquiries {
  public:
    static constexpr Duration kept = 60 * second;

    struct Inquiry {
        std::uint64_t number = 0;  ///< 0: none
        std::uint64_t serial = 0;  ///< of the connection that asked
        StreamIndex stream = 0;
        std::uint64_t key = 0;
        Instant asked_at = 0;
    };

    /// True: another had to be forgotten for it.
    bool add(Instant now, StreamIndex stream, std::uint64_t serial, std::uint64_t key);
    QuestionId newest() const { return {newest_}; }
    /// Nothing when it has been answered, forgotten, or never was.
    const Inquiry* find(Instant now, QuestionId question) const;
    void remove(QuestionId question) { inquiries_[place(question)] = {}; }

  private:
    static std::size_t place(QuestionId question) { return question.number % limits::devices_questions_max; }

    std::vector<Inquiry> inquiries_;  ///< by number, in turn; taken with the first question
    std::uint64_t newest_ = 0;
};

}  // namespace ringpost::devices
