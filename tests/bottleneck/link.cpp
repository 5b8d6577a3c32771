// The queue is transmitted packet by packet, each beginning when the one before has ended or when it came. That is
// computed whenever the link is used, up to the present: the decisions of the queue are those of a link that works by
// itself, and a process that runs late changes none of them.

#include "tests/bottleneck/link.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ringpost::bottleneck {
namespace {

constexpr std::size_t packet_bytes = 1'500;
constexpr std::uint32_t restart_intervals = 16;

Instant later_by_control_law(Instant at, std::uint32_t count) {
    return at + static_cast<Duration>(static_cast<double>(CoDel::interval) / std::sqrt(count));
}

}  // namespace

bool CoDel::is_late(Instant now, Duration sojourn, std::size_t queued_bytes) {
    if (sojourn < target || queued_bytes <= packet_bytes) {
        late_at_ = 0;
        return false;
    }
    if (late_at_ == 0) late_at_ = now + interval;
    return now >= late_at_;
}

bool CoDel::drops(Instant now, Duration sojourn, std::size_t queued_bytes) {
    const bool late = is_late(now, sojourn, queued_bytes);
    if (dropping_) {
        dropping_ = late;
        if (!late || now < next_at_) return false;
        ++count_;
        next_at_ = later_by_control_law(next_at_, count_);
        return true;
    }
    if (!late) return false;
    dropping_ = true;
    // Close to the last time the rate of drops begins where it was.
    const std::uint32_t since = count_ - count_before_;
    count_ = since > 1 && now - next_at_ < restart_intervals * interval ? since : 1;
    next_at_ = later_by_control_law(now, count_);
    count_before_ = count_;
    return true;
}

void Link::push(Instant now, Packet packet) {
    transmit(now);
    ++counts_.packets_in;
    counts_.bytes_in += packet.size();
    if (chance(settings_.loss)) {
        ++counts_.lost;
    } else if (queued_bytes_ + packet.size() > settings_.queue_bytes) {
        ++counts_.overflowed;
    } else {
        queued_bytes_ += packet.size();
        counts_.queue_bytes_max = std::max<std::uint64_t>(counts_.queue_bytes_max, queued_bytes_);
        queue_.push_back({now, std::move(packet)});
        transmit(now);
    }
}

void Link::transmit(Instant now) {
    while (!queue_.empty()) {
        const double begins = std::max(free_at_, static_cast<double>(queue_.front().at));
        if (begins > static_cast<double>(now)) return;
        Timed packet = std::move(queue_.front());
        queue_.pop_front();
        queued_bytes_ -= packet.bytes.size();
        const auto at = static_cast<Instant>(begins);
        const Duration sojourn = at - packet.at;
        if (settings_.codel && codel_.drops(at, sojourn, queued_bytes_)) {
            if (!settings_.ecn || !mark_congestion(packet.bytes)) {
                ++counts_.dropped_codel;
                continue;
            }
            ++counts_.marked;
        }
        counts_.queued_us += static_cast<std::uint64_t>(sojourn / microsecond);
        free_at_ = begins + static_cast<double>(packet.bytes.size()) / settings_.rate * 1e9;
        packet.at = static_cast<Instant>(free_at_) + settings_.delay;
        if (chance(settings_.late)) packet.at += settings_.late_by;
        const auto after = std::find_if(travelling_.rbegin(), travelling_.rend(),
                                        [&](const Timed& other) { return other.at <= packet.at; });
        travelling_.insert(after.base(), std::move(packet));
    }
}

std::optional<Link::Packet> Link::pop(Instant now) {
    transmit(now);
    if (travelling_.empty() || travelling_.front().at > now) return std::nullopt;
    Packet packet = std::move(travelling_.front().bytes);
    travelling_.pop_front();
    ++counts_.packets_out;
    counts_.bytes_out += packet.size();
    return packet;
}

Instant Link::next() const {
    if (!travelling_.empty()) return travelling_.front().at;
    return queue_.empty() ? never : static_cast<Instant>(std::ceil(free_at_));
}

bool mark_congestion(Link::Packet& packet) {
    const auto byte = [&](std::size_t at) { return std::to_integer<unsigned>(packet[at]); };
    const bool v4 = byte(0) >> 4 == 4;
    const unsigned field = v4 ? byte(1) & 3 : byte(1) >> 4 & 3;
    if (field == 0) return false;
    if (!v4) {
        packet[1] |= std::byte{0x30};
        return true;
    }
    // The checksum changes with the word (RFC 1624).
    const unsigned before = byte(0) << 8 | byte(1), after = before | 3;
    unsigned sum = (~(byte(10) << 8 | byte(11)) & 0xffff) + (~before & 0xffff) + after;
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    packet[1] = static_cast<std::byte>(after & 0xff);
    packet[10] = static_cast<std::byte>(~sum >> 8 & 0xff);
    packet[11] = static_cast<std::byte>(~sum & 0xff);
    return true;
}

}  // namespace ringpost::bottleneck
