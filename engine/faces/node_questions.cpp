// A host with waiting questions has one entry in `turns_`. A host that may have no further question in progress keeps
// its turn while others are served.

#include "engine/faces/node_questions.hpp"

#include "codec/devices/limits.hpp"

namespace ringpost::devices {

bool NodeQuestions::push(std::unique_ptr<Notice> question) {
    const Holder host = question->address.ip;
    const std::size_t bytes = question->text.size();
    if (waiting_bytes_ + bytes > limits::devices_questions_bytes || !waiting_shares_.take(host)) return false;
    waiting_bytes_ += bytes;
    Waiting& of_host = waiting_[host];
    if (of_host.empty()) turns_.push_back(host);
    of_host.push_back(std::move(question));
    return true;
}

std::unique_ptr<Notice> NodeQuestions::next() {
    for (std::size_t turns = turns_.size(); turns > 0 && handed_shares_.taken() < handed_shares_.places(); --turns) {
        const Holder host = turns_.front();
        turns_.pop_front();
        if (!handed_shares_.take(host)) {
            turns_.push_back(host);
            continue;
        }
        Waiting& of_host = waiting_.at(host);
        std::unique_ptr<Notice> question = std::move(of_host.front());
        of_host.pop_front();
        if (of_host.empty())
            waiting_.erase(host);
        else
            turns_.push_back(host);
        on_removed(host, *question);
        handed_.emplace(question->question.number, host);
        return question;
    }
    return nullptr;
}

void NodeQuestions::on_done(QuestionId question) {
    const auto found = handed_.find(question.number);
    if (found == handed_.end()) return;
    handed_shares_.give_back(found->second);
    handed_.erase(found);
}

void NodeQuestions::on_removed(const Holder& host, const Notice& question) {
    waiting_shares_.give_back(host);
    waiting_bytes_ -= question.text.size();
}

}  // namespace ringpost::devices
