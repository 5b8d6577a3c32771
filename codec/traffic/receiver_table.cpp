#include "codec/traffic/receiver_table.hpp"

#include "codec/base/limits.hpp"

namespace ringpost::traffic {
namespace {

constexpr std::size_t window_words = limits::load_narrow_window_sequences / 64;

}  // namespace

ReceiverTable::ReceiverTable(const SipKey& key)
    : indices_(limits::receivers_max, key), rows_(limits::receivers_max), words_(rows_.size() * window_words) {
    windows_.reserve(rows_.size());
    for (std::size_t i = 0; i < rows_.size(); ++i)
        windows_.emplace_back(std::span(&words_[i * window_words], window_words));
}

void ReceiverTable::record(const Address& source, std::uint64_t sequence, Duration response) {
    std::uint32_t* index = indices_.find(source);
    if (index == nullptr) {
        if (used_ == rows_.size()) {
            ++others_;
            return;
        }
        rows_[used_].source = source;
        index = &indices_.touch(source);
        *index = ++used_;
    }
    ReceiverRow& row = rows_[*index - 1];
    if (windows_[*index - 1].record(sequence) == Arrival::duplicate) {
        ++row.duplicate;
        return;
    }
    ++row.answered;
    row.response.record(response);
}

}  // namespace ringpost::traffic
