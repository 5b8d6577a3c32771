#include "codec/devices/questions.hpp"

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

bool Inquiries::add(Instant now, StreamIndex stream, std::uint64_t serial, std::uint64_t key) {
    if (inquiries_.empty()) inquiries_.resize(limits::devices_questions_max);
    Inquiry& inquiry = inquiries_[place({++newest_})];
    const bool evicted = inquiry.number != 0;
    inquiry = {newest_, serial, stream, key, now};
    return evicted;
}

const Inquiries::Inquiry* Inquiries::find(Instant now, QuestionId question) const {
    if (question.number == 0 || inquiries_.empty()) return nullptr;
    const Inquiry& inquiry = inquiries_[place(question)];
    return inquiry.number == question.number && now - inquiry.asked_at < kept ? &inquiry : nullptr;
}

}  // namespace ringpost::devices
