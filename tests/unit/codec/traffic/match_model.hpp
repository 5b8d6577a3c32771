#pragma once

// A reference for Matcher that searches all probes.

#include <algorithm>
#include <vector>

#include "codec/traffic/match.hpp"

namespace ringpost::traffic {

class MatchModel {
  public:
    MatchModel(const MatchRule& rule, std::uint32_t capacity, Duration timeout = second)
        : rule_(rule), capacity_(capacity), timeout_(timeout) {}

    void sent(Instant due, Instant now, std::span<const std::byte> probe) {
        Probe* const overwritten = probes_.size() >= capacity_ ? &probes_[probes_.size() - capacity_] : nullptr;
        if (overwritten != nullptr) give_up(*overwritten, counts.overrun);
        const Bytes key = key_of(probe, rule_.probe_offset);
        int doubt = 0;
        if (rule_.kind != MatchRule::Kind::order)
            if (Probe* const older = find(key); older != nullptr && older != overwritten) {
                const bool waiting = older->next == Reply::Kind::answer, expired = older->next == Reply::Kind::late;
                const Duration age = now - older->sent_at;
                doubt = waiting ? 2 : std::max(older->doubt, expired ? 1 : 0);
                counts.reused += !waiting && doubt == 2 && age < timeout_;
                if (age >= 4 * timeout_) doubt = 0;
                give_up(*older, counts.reused);
            }
        probes_.push_back({key, due, now, Reply::Kind::answer, doubt});
    }

    Reply answer(std::span<const std::byte> reply) {
        Probe* found = nullptr;
        if (rule_.kind == MatchRule::Kind::order) {
            for (Probe& probe : probes_)
                if (probe.next == Reply::Kind::answer) {
                    found = &probe;
                    break;
                }
            if (found == nullptr) return {.kind = Reply::Kind::surplus};
        } else if (reply.size() >= rule_.reply_bytes_min()) {
            found = find(key_of(reply, rule_.reply_offset));
        }
        if (found == nullptr) return {};
        const Reply::Kind kind = found->next;
        const bool ambiguous = found->doubt > 0 && kind != Reply::Kind::duplicate;
        counts.ambiguous += ambiguous;
        found->next = Reply::Kind::duplicate;
        return {kind, static_cast<std::uint64_t>(found - probes_.data()), found->due, found->sent_at, ambiguous};
    }

    void expire(Instant before) {
        std::uint64_t expired = 0;
        for (Probe& probe : probes_)
            if (probe.sent_at < before) give_up(probe, expired);
    }

    std::uint64_t waiting() const {
        return static_cast<std::uint64_t>(std::ranges::count(probes_, Reply::Kind::answer, &Probe::next));
    }

    MatchCounters counts;

  private:
    using Bytes = std::vector<std::byte>;
    struct Probe {
        Bytes key;
        Instant due, sent_at;
        Reply::Kind next;  ///< the result of a reply to it
        int doubt;         ///< an older one with its bytes: 1 had expired, 2 was waiting
    };

    Bytes key_of(std::span<const std::byte> bytes, std::size_t offset) const {
        if (rule_.kind == MatchRule::Kind::bytes) bytes = bytes.subspan(offset, rule_.bytes);
        return {bytes.begin(), bytes.end()};
    }

    /// The newest recorded one.
    Probe* find(const Bytes& key) {
        for (std::size_t i = probes_.size(); i > 0 && i + capacity_ > probes_.size(); --i)
            if (probes_[i - 1].key == key) return &probes_[i - 1];
        return nullptr;
    }

    void give_up(Probe& probe, std::uint64_t& why) {
        if (probe.next != Reply::Kind::answer) return;
        probe.next = Reply::Kind::late;
        ++why;
        ++counts.given_up;
    }

    MatchRule rule_;
    std::size_t capacity_;
    Duration timeout_;
    std::vector<Probe> probes_;
};

}  // namespace ringpost::traffic
