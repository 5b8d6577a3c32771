#include "codec/traffic/sender_table.hpp"

#include <algorithm>

#include "codec/base/limits.hpp"
#include "codec/traffic/sink.hpp"

namespace ringpost::traffic {
namespace {

SenderCounters of_all_senders(const SinkCounters& totals) {
    return {.received = totals.received,
            .bytes = totals.bytes,
            .lost = totals.lost,
            .before_start = totals.before_start,
            .duplicate = totals.duplicate,
            .reordered = totals.reordered,
            .corrupt = totals.corrupt};
}

}  // namespace

void SenderCounters::add(const SenderCounters& other) {
    for (const auto& each : table()) this->*each.member += other.*each.member;
}

void SenderRow::add(const SenderRow& other) {
    counts.add(other.counts);
    if (other.first_at == never) return;
    last_at = first_at == never ? other.last_at : std::max(last_at, other.last_at);
    first_at = std::min(first_at, other.first_at);
}

SenderTable::SenderTable(const SipKey& key) : table_(limits::load_senders_max, key) {}

void SenderTable::turn_to(const Address& source, const SinkCounters& totals, Instant now) {
    settle(totals);
    // A stranger can evict rows of senders that pause, but not their counts.
    if (table_.size() == table_.capacity() && table_.find(source) == nullptr)
        others_.add(table_.find(*table_.oldest())->counts);
    current_ = source;
    row_ = &table_.touch(source);
    if (row_->first_at == never) row_->first_at = now;
}

void SenderTable::settle(const SinkCounters& totals) {
    if (row_ == nullptr) return;
    const SenderCounters now = of_all_senders(totals);
    for (const auto& each : SenderCounters::table())
        row_->counts.*each.member += now.*each.member - before_.*each.member;
    row_->last_at = totals.last_at;
    before_ = now;
}

SenderTable::Rows SenderTable::rows(const SinkCounters& totals) {
    settle(totals);
    Rows out;
    out.reserve(table_.size());
    table_.for_each([&](const Address& source, const SenderRow& row) { out.emplace_back(source, row); });
    return out;
}

const SenderRow* SenderTable::find(const Address& source, const SinkCounters& totals) {
    settle(totals);
    return table_.find(source);
}

}  // namespace ringpost::traffic
