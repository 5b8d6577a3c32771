// Up to a thousand devices on one link. The test counts adverts: each is received by all, so a thousand answers to each
// new device would be a million datagrams.
//
// Uses a network of its own, since Network polls every node in each step; here only nodes that are due are polled.
// Connections are requested but never established, which is the worst case for advertising.

#include <gtest/gtest.h>

#include <memory>
#include <queue>
#include <set>
#include <vector>

#include "codec/devices/endpoint.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

constexpr Duration delay = 100 * microsecond;

class Crowd {
  public:
    Crowd(std::size_t size, Duration starting_within) : size_(size), random_(1), due_(size, never), known_(size) {
        for (std::size_t device = 0; device < size; ++device) {
            devices::Options options;
            options.name = "device-" + std::to_string(device);
            options.names_max = 1'024;
            options.streams_max = 1'024;
            options.seed = device;
            options.key = {1, 2};
            devices_.push_back(std::make_unique<devices::Endpoint>(options));
            const auto at = static_cast<Instant>(random_.below(static_cast<std::uint64_t>(starting_within) + 1));
            last_start_ = std::max(last_start_, at);
            starts_.emplace(at, device);
        }
    }

    /// Runs until every device knows all others, or until the time limit.
    void run_until(Instant end) {
        while (complete_ < size_) {
            const Instant at = next();
            if (at > end) return;
            now_ = at;
            step();
        }
    }

    std::size_t complete() const { return complete_; }
    Duration since_last_start() const { return now_ - last_start_; }
    std::uint64_t adverts() const { return adverts_; }

  private:
    struct Flying {
        Instant at = 0;
        Address source, destination;
        std::vector<std::byte> bytes;
    };

    static Address address_of(std::size_t device) {
        return Address::v4(10, 0, static_cast<std::uint8_t>(device / 250), static_cast<std::uint8_t>(device % 250 + 1),
                           3'235);
    }

    Instant next() const {
        Instant at = timers_.empty() ? never : timers_.begin()->first;
        if (!starts_.empty()) at = std::min(at, starts_.begin()->first);
        if (!flying_.empty()) at = std::min(at, flying_.front().at);
        return at;
    }

    void step() {
        while (!starts_.empty() && starts_.begin()->first <= now_) {
            const std::size_t device = starts_.begin()->second;
            starts_.erase(starts_.begin());
            running_.push_back(device);
            devices_[device]->add_interface(now_, 0, address_of(device));
            drain(device);
        }
        while (!timers_.empty() && timers_.begin()->first <= now_) {
            const std::size_t device = timers_.begin()->second;
            devices_[device]->handle_timeout(now_);
            drain(device);
        }
        while (!flying_.empty() && flying_.front().at <= now_) {
            const Flying advert = std::move(flying_.front());
            flying_.pop();
            for (const std::size_t device : running_) {
                const bool all = advert.destination == devices::default_group;
                if (!all && advert.destination.ip != address_of(device).ip) continue;
                devices::Endpoint& endpoint = *devices_[device];
                const std::uint32_t knew = endpoint.peer_count();
                endpoint.handle(now_, Datagram{advert.source, 0, advert.bytes});
                // Most adverts cause nothing.
                if (endpoint.peer_count() != knew || endpoint.poll_timeout().value_or(never) != due_[device])
                    drain(device);
            }
        }
    }

    void drain(std::size_t device) {
        devices::Endpoint& endpoint = *devices_[device];
        while (endpoint.poll_event()) continue;
        while (const auto transmit = endpoint.poll_transmit(now_, buffer_)) {
            ++adverts_;
            flying_.push({now_ + delay,
                          address_of(device),
                          transmit->destination,
                          {buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(transmit->bytes)}});
        }
        while (endpoint.poll_stream(now_, buffer_)) continue;
        complete_ += !known_[device] && endpoint.peer_count() == size_ - 1;
        known_[device] = endpoint.peer_count() == size_ - 1;
        const Instant due = endpoint.poll_timeout().value_or(never);
        if (due == due_[device]) return;
        timers_.erase({due_[device], device});
        due_[device] = due;
        timers_.insert({due, device});
    }

    std::size_t size_;
    Random random_;
    Instant now_ = 0, last_start_ = 0;
    std::vector<std::unique_ptr<devices::Endpoint>> devices_;
    std::set<std::pair<Instant, std::size_t>> starts_, timers_;
    std::vector<Instant> due_;
    std::vector<std::size_t> running_;
    std::queue<Flying> flying_;
    std::vector<bool> known_;
    std::vector<std::byte> buffer_ = std::vector<std::byte>(limits::stream_write_bytes_max);
    std::size_t complete_ = 0;
    std::uint64_t adverts_ = 0;
};

// With a sanitizer, a thousand directories of a thousand names take too long.
constexpr std::size_t thousand = address_sanitizer ? 200 : 1'000;

TEST(DevicesCrowd, a_thousand_started_together_know_each_other_at_once) {
    Crowd play(thousand, 0);
    play.run_until(2 * second);
    EXPECT_EQ(play.complete(), thousand);
    EXPECT_LE(play.since_last_start(), 2 * second);
    EXPECT_LE(play.adverts(), 3 * thousand);
}

// A thousand devices send 11,264 adverts here, which takes half a minute to simulate, so the test uses fewer.
TEST(DevicesCrowd, devices_started_within_a_second_are_not_answered_by_every_device) {
    constexpr std::size_t many = 200;
    Crowd play(many, second);
    play.run_until(3 * second);
    EXPECT_EQ(play.complete(), many);
    EXPECT_LE(play.since_last_start(), 2 * second);
    EXPECT_LE(play.adverts(), 40 * many) << "fewer than " << many << " each";
}

}  // namespace
}  // namespace ringpost::sim
