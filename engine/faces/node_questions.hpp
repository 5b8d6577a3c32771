#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <ringpost/devices.hpp>
#include <unordered_map>
#include <utility>

#include "codec/devices/shares.hpp"

namespace ringpost::devices {

/// Questions of peers on their way to next_question(). Hosts share the places of those that wait, and of those that
/// were handed out and are neither answered nor dropped, and take turns.
class NodeQuestions {
  public:
    NodeQuestions(std::uint32_t waiting_max, std::uint32_t at_once, const SipKey& key)
        : waiting_(0, HolderHash{key}), waiting_shares_(waiting_max, 7, key), handed_shares_(at_once, 1, key) {}

    /// False if there is no place for it.
    bool push(std::unique_ptr<Notice> question);
    /// The next question to hand out; null if there is none, or no place for a host that has one.
    std::unique_ptr<Notice> next();
    /// It was answered or dropped. No effect if it was not handed out.
    void on_done(QuestionId question);

    bool empty() const { return waiting_.empty() && handed_.empty(); }
    bool waits() const { return !waiting_.empty(); }

    /// Forgets the questions for which is_open(QuestionId) is false.
    template <class F>
    void remove_closed(F&& is_open);

  private:
    using Waiting = std::deque<std::unique_ptr<Notice>>;

    void on_removed(const Holder& host, const Notice& question);

    std::unordered_map<Holder, Waiting, HolderHash> waiting_;  ///< by host; none is empty
    std::deque<Holder> turns_;                                 ///< each host that waits, once
    std::unordered_map<std::uint64_t, Holder> handed_;         ///< by QuestionId::number
    Shares waiting_shares_, handed_shares_;
    std::size_t waiting_bytes_ = 0;
};

template <class F>
void NodeQuestions::remove_closed(F&& is_open) {
    for (auto& of_host : waiting_) {
        const Holder& host = of_host.first;
        std::erase_if(of_host.second, [&](const auto& question) {
            const bool open = is_open(question->question);
            if (!open) on_removed(host, *question);
            return !open;
        });
    }
    std::erase_if(turns_, [&](const Holder& host) { return waiting_.at(host).empty(); });
    std::erase_if(waiting_, [](const auto& each) { return each.second.empty(); });
    std::erase_if(handed_, [&](const auto& each) {
        const bool open = is_open(QuestionId{each.first});
        if (!open) handed_shares_.give_back(each.second);
        return !open;
    });
}

}  // namespace ringpost::devices
