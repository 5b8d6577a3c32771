#include "codec/devices/questions.hpp"

#include <iterator>

#include "codec/base/check.hpp"

namespace ringpost::devices {

std::optional<std::uint64_t> Keys::take(Range range) {
    if (range == Range::full) return ++newest_;  // 64 bits do not wrap
    if (waiting_.size() >= compatible_max) return std::nullopt;
    do newest_compatible_ = newest_compatible_ % compatible_max + 1;
    while (waiting_.contains(newest_compatible_));
    return newest_compatible_;
}

std::optional<Asked> Keys::remove(std::uint64_t key) {
    const auto found = waiting_.find(key);
    if (found == waiting_.end()) return std::nullopt;
    const Asked asked = found->second;
    waiting_.erase(found);
    return asked;
}

std::expected<AskId, AskRefusal> Asks::open(std::size_t names, Instant deadline) {
    if (asked_ + names > limits::devices_asked_max) return std::unexpected(AskRefusal::full);
    if (free_.empty() && asks_.size() == limits::devices_asks_max) return std::unexpected(AskRefusal::full);
    auto index = static_cast<std::uint32_t>(asks_.size());
    if (free_.empty()) {
        asks_.emplace_back();
    } else {
        index = free_.back();
        free_.pop_back();
    }
    asked_ += names;
    asks_[index].answers.reserve(names);
    asks_[index].sendings.reserve(names);
    if (names > 0) timers_.schedule(index, deadline);  // without names it has ended already
    return id(index);
}

Asked Asks::add(AskId ask, std::string_view name) {
    Ask& to = asks_[ask.index];
    to.answers.push_back({std::string(name), Reply::waiting, {}});
    to.sendings.emplace_back();
    ++to.waiting;
    return {ask, static_cast<std::uint32_t>(to.answers.size() - 1)};
}

void Asks::set_key(const Asked& asked, StreamIndex stream, std::uint64_t key) {
    asks_[asked.ask.index].sendings[asked.position] = {stream, key};
}

bool Asks::settle(const Asked& asked, Reply reply, std::string_view text) {
    Ask& ask = asks_[asked.ask.index];
    RINGPOST_CHECK(ask.generation == asked.ask.generation);  // when an ask ends, its keys are removed
    Answer& answer = ask.answers[asked.position];
    RINGPOST_CHECK(answer.reply == Reply::waiting);
    if (bytes_ + text.size() > limits::devices_answer_bytes_max) {
        reply = Reply::no_room;
        text = {};
    }
    answer.reply = reply;
    answer.text = text;
    ask.bytes += text.size();
    bytes_ += text.size();
    if (--ask.waiting > 0) return false;
    timers_.cancel(asked.ask.index);
    return true;
}

void Asks::release(std::uint32_t index) {
    Ask& ask = asks_[index];
    timers_.cancel(index);
    asked_ -= ask.answers.size();
    bytes_ -= ask.bytes;
    ask = {.answers = {}, .sendings = {}, .generation = ask.generation + 1, .waiting = 0, .bytes = 0};
    free_.push_back(index);
}

std::optional<QuestionId> Inquiries::add(Instant now, const Address& host, const Inquiry& inquiry) {
    if (!shares_.take(host.ip)) return std::nullopt;
    places_.push_back({++newest_, host.ip, now, inquiry});
    by_number_.emplace(newest_, std::prev(places_.end()));
    return QuestionId{newest_};
}

const Inquiries::Inquiry* Inquiries::find(Instant now, QuestionId question) const {
    const auto found = by_number_.find(question.number);
    if (found == by_number_.end() || now - found->second->asked_at >= kept) return nullptr;
    return &found->second->inquiry;
}

void Inquiries::remove(QuestionId question) {
    if (const auto found = by_number_.find(question.number); found != by_number_.end()) remove(found->second);
}

void Inquiries::remove(Places::iterator place) {
    shares_.give_back(place->host);
    by_number_.erase(place->number);
    places_.erase(place);
}

std::size_t Inquiries::remove_of(std::uint64_t serial) {
    const std::size_t before = places_.size();
    for (auto place = places_.begin(); place != places_.end();) {
        const auto next = std::next(place);
        if (place->inquiry.serial == serial) remove(place);
        place = next;
    }
    return before - places_.size();
}

std::size_t Inquiries::expire(Instant now) {
    const std::size_t before = places_.size();
    while (!places_.empty() && now - places_.front().asked_at >= kept) remove(places_.begin());
    return before - places_.size();
}

}  // namespace ringpost::devices
