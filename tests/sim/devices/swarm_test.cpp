// Many devices, many faults, and all of them sending; then the faults end, and the state must become correct. All
// random choices derive from the seed.
//
// The oracle knows what each application has sent and received. Messages on one connection arrive in order and once. An
// ask ends once, by its deadline, with exactly the answers given to it. connected and disconnected, appeared and gone
// alternate. In the end every device has the correct state.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/sim/devices/play.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::sim {
namespace {

using devices::Reply;
using Kind = devices::Event::Kind;

constexpr Duration alive_period = 30 * second;

class Swarm {
  public:
    explicit Swarm(std::uint64_t seed) : random_(~seed), play_(seed, 2 + seed % 5, knobs()) {
        play_.on_event = [this](std::size_t device, const Reported& reported) { on_event(device, reported); };
        count_ = 2 + seed % 5;
        asked_.resize(count_);
        next_.resize(count_);
        received_.resize(count_);
        connected_.resize(count_);
        there_.resize(count_);
        cut_.resize(count_);
    }

    void run() {
        for (std::size_t device = 0; device < count_; ++device) start(device);
        for (int step = 0; step < 150 && !testing::Test::HasFailure(); ++step) {
            act(random_.below(count_));
            play_.run_for(static_cast<Duration>(random_.below(std::uint64_t{1} << random_.between(10, 35))));
        }
        make_peace();
        play_.run_for(8 * alive_period);
        play_.expect_truth();
        for (std::size_t device = 0; device < count_; ++device)
            EXPECT_TRUE(asked_[device].empty()) << "an ask of " << play_.name_of(device) << " has not ended";
    }

    std::uint64_t trace_hash() const { return play_.network.trace_hash(); }

  private:
    struct Received {
        std::uint64_t next = 0;
        bool fresh = true;  ///< nothing has been received on this connection
    };

    DevicesKnobs knobs() {
        DevicesKnobs out;
        out.link.delay = static_cast<Duration>(random_.between(1, 50'000'000));
        out.link.jitter = static_cast<Duration>(random_.below(20'000'000));
        out.link.loss = random_.chance(0.5) ? 0 : 0.2;
        out.link.duplicate = random_.chance(0.5) ? 0 : 0.2;
        constexpr std::size_t cuts[] = {1, 5, 100, SIZE_MAX};
        out.streams.cut_bytes_max = random_.one_of(std::span<const std::size_t>(cuts));
        out.streams.window_bytes = random_.between(100, 100'000);
        return out;
    }

    void start(std::size_t device) {
        const bool elsewhere = random_.chance(0.3);
        asked_[device].clear();
        connected_[device].clear();
        there_[device].clear();
        received_[device].clear();
        ++starts_;
        play_.start(device, elsewhere ? std::optional(Address::v4(10, 0, 1, static_cast<std::uint8_t>(starts_), 3'235))
                                      : std::nullopt);
    }

    void act(std::size_t device) {
        const std::size_t other = random_.below(count_);
        if (!play_.network.is_up(device)) {
            if (random_.chance(0.3)) start(device);
            return;
        }
        switch (random_.below(20)) {
            case 0: play_.kill(device, true); break;
            case 1: play_.kill(device, false); break;
            case 2:
                cut_[device] = !cut_[device];
                play_.cut({device}, cut_[device]);
                break;
            case 3: play_.network.streams().reset(play_.network.now(), device, other); break;
            case 4:
                listening_ = !listening_;
                play_.network.listen(device, listening_);
                break;
            case 5:
                taking_ = !taking_;
                play_.network.take_events(device, taking_);
                break;
            case 6:
            case 7:
            case 8: ask(device); break;
            default: send_messages(device, other, random_.between(1, 40));
        }
    }

    void send_messages(std::size_t device, std::size_t other, std::uint64_t times) {
        std::uint64_t& next = next_[device][other];
        for (; times > 0; --times) {
            const std::string text = std::to_string(next) + std::string(random_.below(60), 'x');
            next += play_.send(device, play_.name_of(other), text) == devices::Sent::queued;
        }
    }

    void ask(std::size_t device) {
        std::vector<std::string> names;
        for (std::uint64_t n = random_.between(0, 4); n > 0; --n) names.push_back(play_.name_of(random_.below(count_)));
        const std::vector<std::string_view> views(names.begin(), names.end());
        const std::string text = std::to_string(questions_++);
        const auto timeout = static_cast<Duration>(random_.below(5'000'000'000));
        const auto id = play_.ask(device, views, text, timeout);
        ASSERT_TRUE(id);
        asked_[device][{id->index, id->generation}] = {text, names};
    }

    void on_event(std::size_t device, const Reported& reported) {
        switch (reported.kind) {
            case Kind::message: {
                Received& from = received_[device][reported.name];
                const std::uint64_t number = std::stoull(reported.text);
                EXPECT_TRUE(from.fresh ? number >= from.next : number == from.next)
                    << play_.name_of(device) << " received " << number << ", not " << from.next << ", from "
                    << reported.name;
                from = {number + 1, false};
                break;
            }
            case Kind::question:
                if (random_.chance(0.8)) play_.answer(device, reported.question, "to " + reported.text);
                break;
            case Kind::answers: on_answers(device, reported); break;
            case Kind::connected:
                EXPECT_TRUE(connected_[device].insert(reported.name).second);
                received_[device][reported.name].fresh =
                    true;  // messages in flight on the previous connection are lost
                break;
            case Kind::disconnected: EXPECT_EQ(connected_[device].erase(reported.name), 1u); break;
            case Kind::appeared: EXPECT_TRUE(there_[device].insert(reported.name).second); break;
            case Kind::gone: EXPECT_EQ(there_[device].erase(reported.name), 1u); break;
            default: break;
        }
    }

    void on_answers(std::size_t device, const Reported& reported) {
        const auto asked = asked_[device].extract({reported.ask.index, reported.ask.generation});
        ASSERT_FALSE(asked.empty()) << "an ask ended twice";
        const auto& [text, names] = asked.mapped();
        ASSERT_EQ(reported.answers.size(), names.size());
        for (std::size_t i = 0; i < names.size(); ++i) {
            EXPECT_EQ(reported.answers[i].name, names[i]);
            EXPECT_NE(reported.answers[i].reply, Reply::waiting);
            EXPECT_EQ(reported.answers[i].text, reported.answers[i].reply == Reply::answered ? "to " + text : "");
        }
    }

    void make_peace() {
        play_.heal();
        for (std::size_t device = 0; device < count_; ++device) {
            play_.network.listen(device, true);
            play_.network.take_events(device, true);
            if (!play_.network.is_up(device)) start(device);
        }
    }

    Random random_;
    DevicesPlay play_;
    std::size_t count_ = 0;
    std::uint64_t starts_ = 0;
    bool listening_ = true, taking_ = true;
    std::vector<bool> cut_;
    std::vector<std::map<std::pair<std::uint32_t, std::uint32_t>, std::pair<std::string, std::vector<std::string>>>>
        asked_;
    std::vector<std::map<std::size_t, std::uint64_t>> next_;  ///< number of the next message, by sender and receiver
    std::vector<std::map<std::string, Received>> received_;   ///< by receiver and sender
    std::uint64_t questions_ = 0;
    std::vector<std::set<std::string>> connected_, there_;
};

TEST(DevicesSwarm, all_devices_find_each_other_after_any_faults) {
    for_each_seed(60, [](std::uint64_t seed) { Swarm(seed).run(); });
}

TEST(DevicesSwarm, same_seed_gives_the_same_run) {
    for_each_seed(2, [](std::uint64_t seed) {
        Swarm one(seed), other(seed);
        one.run();
        other.run();
        EXPECT_EQ(one.trace_hash(), other.trace_hash());
    });
}

}  // namespace
}  // namespace ringpost::sim
