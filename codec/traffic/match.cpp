// Probes are stored in a ring indexed by sequence; new ones overwrite the oldest. The key of a probe is up to eight of
// its bytes or, for an echo, the keyed hash of all of them. A hash table maps a key to the newest probe with that key:
// open addressing with linear probing, twice as many slots as probes, deletion by backward shift. A probe is waiting
// until it is answered or given up. It stays in the ring and the table afterwards, so that later replies are recognised
// as duplicate or late. It is given up when it expires, when a newer probe has the same key, or when the ring
// overwrites it.
//
// A reply to the newer of two probes with the same key is ambiguous if the older one was not answered, and also if its
// reply was ambiguous: if replies take longer than the key takes to come round, each is attributed to the next probe,
// and so on for the rest of the run. That ends when a key comes round so late that no reply is expected any more.
//
// Matching by order uses no keys: a reply belongs to the oldest waiting probe.

#include "codec/traffic/match.hpp"

#include <algorithm>
#include <cstring>

#include "codec/base/bytes.hpp"
#include "codec/base/check.hpp"

namespace ringpost::traffic {
namespace {

/// Parses decimal digits without leading zeros.
std::optional<std::uint16_t> parse_number(std::string_view text, std::uint16_t most) {
    if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
    std::uint32_t number = 0;
    for (const char digit : text) {
        if (digit < '0' || digit > '9') return std::nullopt;
        number = number * 10 + static_cast<std::uint32_t>(digit - '0');
    }
    if (number > most) return std::nullopt;
    return static_cast<std::uint16_t>(number);
}

}  // namespace

std::optional<MatchRule> MatchRule::parse(std::string_view text) {
    if (text == "echo") return MatchRule{.kind = Kind::echo};
    if (text == "order") return MatchRule{.kind = Kind::order};
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const std::size_t at = std::min(text.find('@'), text.size());
    if (at < colon) return std::nullopt;
    constexpr std::uint16_t offset_max = limits::datagram_bytes_max - 1;
    const auto offset = parse_number(text.substr(0, colon), offset_max);
    const auto bytes = parse_number(text.substr(colon + 1, at - colon - 1), 8);
    const auto reply_offset = at == text.size() ? offset : parse_number(text.substr(at + 1), offset_max);
    if (!offset || !bytes || *bytes == 0 || !reply_offset) return std::nullopt;
    const MatchRule rule{Kind::bytes, static_cast<std::uint8_t>(*bytes), *offset, *reply_offset};
    if (std::max(rule.probe_bytes_min(), rule.reply_bytes_min()) > limits::datagram_bytes_max) return std::nullopt;
    return rule;
}

Matcher::Matcher(const MatchRule& rule, const SipKey& key, std::uint32_t capacity, Duration timeout)
    : rule_(rule),
      sip_key_(key),
      mask_(capacity - 1),
      timeout_(timeout),
      entries_(capacity),
      slots_(rule.kind == MatchRule::Kind::order ? 0 : std::size_t{capacity} * 2) {
    RINGPOST_CHECK(capacity > 0 && capacity <= 1u << 30 && (capacity & mask_) == 0);
}

void Matcher::sent(std::uint64_t sequence, Instant due, Instant now, std::span<const std::byte> probe) {
    RINGPOST_CHECK(sequence == sent_ && probe.size() >= rule_.probe_bytes_min());
    const std::uint32_t index = static_cast<std::uint32_t>(sequence) & mask_;
    Entry& entry = entries_[index];
    if (entry.state == State::waiting) {
        ++counts_.overrun;
        give_up(entry);
    }
    if (entry.indexed) unindex(slot_of(entry.key, entry.hash));
    entry = {.due = due, .sent_at = now, .state = State::waiting};
    ++sent_;
    ++waiting_;
    oldest_ = std::max(oldest_, sent_ - std::min<std::uint64_t>(sent_, entries_.size()));
    if (rule_.kind == MatchRule::Kind::order) return;

    entry.key = key_of(probe, rule_.probe_offset);
    entry.hash = hash_of(entry.key);
    entry.indexed = true;
    const std::uint32_t slot = slot_of(entry.key, entry.hash);
    if (const std::uint32_t older = slots_[slot]; older != none) {
        entries_[older].indexed = false;
        reuse(entries_[older], entry);
    }
    slots_.set(slot, index);
}

void Matcher::reuse(Entry& older, Entry& newer) {
    const Duration age = newer.sent_at - older.sent_at;
    const bool waiting = older.state == State::waiting;
    Doubt doubt = waiting ? Doubt::waiting : older.doubt;
    if (older.state == State::given_up) doubt = std::max(doubt, Doubt::expired);
    if (age < late_times * timeout_) newer.doubt = doubt;
    if (waiting || (doubt == Doubt::waiting && age < timeout_)) ++counts_.reused;
    if (waiting) give_up(older);
}

Reply Matcher::answer(std::span<const std::byte> reply) {
    if (rule_.kind == MatchRule::Kind::order) return answer_in_order();
    if (reply.size() < rule_.reply_bytes_min()) return {};
    const std::uint64_t key = key_of(reply, rule_.reply_offset);
    const std::uint32_t index = slots_[slot_of(key, hash_of(key))];
    if (index == none) return {};
    Entry& entry = entries_[index];
    Reply result{.sequence = sequence_at(index), .due = entry.due, .sent_at = entry.sent_at};
    result.kind = entry.state == State::waiting    ? Reply::Kind::answer
                  : entry.state == State::given_up ? Reply::Kind::late
                                                   : Reply::Kind::duplicate;
    if (entry.state == State::waiting) --waiting_;
    if (entry.state != State::answered && entry.doubt != Doubt::none) {
        result.ambiguous = true;
        ++counts_.ambiguous;
    }
    entry.state = State::answered;
    return result;
}

Reply Matcher::answer_in_order() {
    if (waiting_ == 0) return {.kind = Reply::Kind::surplus};
    // Without keys, all probes from oldest_ on are waiting.
    Entry& entry = entries_[oldest_ & mask_];
    entry.state = State::answered;
    --waiting_;
    return {.kind = Reply::Kind::answer, .sequence = oldest_++, .due = entry.due, .sent_at = entry.sent_at};
}

void Matcher::expire(Instant before) {
    for (; oldest_ < sent_; ++oldest_) {
        Entry& entry = entries_[oldest_ & mask_];
        if (entry.state != State::waiting) continue;
        if (entry.sent_at >= before) return;
        give_up(entry);
    }
}

void Matcher::give_up(Entry& entry) {
    entry.state = State::given_up;
    ++counts_.given_up;
    --waiting_;
}

std::uint64_t Matcher::sequence_at(std::uint32_t index) const {
    const std::uint64_t newest = sent_ - 1;
    return newest - ((newest - index) & mask_);
}

std::uint64_t Matcher::key_of(std::span<const std::byte> bytes, std::size_t offset) const {
    if (rule_.kind == MatchRule::Kind::echo) return siphash(sip_key_, bytes);
    std::byte key[8]{};
    std::memcpy(key, &bytes[offset], rule_.bytes);
    return load_le<std::uint64_t>(key);
}

std::uint32_t Matcher::hash_of(std::uint64_t key) const {
    if (rule_.kind == MatchRule::Kind::echo) return static_cast<std::uint32_t>(key);  // already a hash
    std::byte bytes[8];
    store_le(bytes, key);
    return static_cast<std::uint32_t>(siphash(sip_key_, bytes));
}

/// The slot that holds the key, or the free slot at which it would be inserted.
std::uint32_t Matcher::slot_of(std::uint64_t key, std::uint32_t hash) const {
    const std::uint32_t slot_mask = mask_ * 2 + 1;
    std::uint32_t position = hash & slot_mask;
    while (slots_[position] != none && entries_[slots_[position]].key != key) position = (position + 1) & slot_mask;
    return position;
}

void Matcher::unindex(std::uint32_t position) {
    const std::uint32_t slot_mask = mask_ * 2 + 1;
    std::uint32_t hole = position;
    for (std::uint32_t next = (hole + 1) & slot_mask; slots_[next] != none; next = (next + 1) & slot_mask) {
        // Move the entry if a lookup from its home slot passes the hole.
        const std::uint32_t home = entries_[slots_[next]].hash & slot_mask;
        if (((next - home) & slot_mask) < ((next - hole) & slot_mask)) continue;
        slots_.set(hole, slots_[next]);
        hole = next;
    }
    slots_.set(hole, none);
}

}  // namespace ringpost::traffic
