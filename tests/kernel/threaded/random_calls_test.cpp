// Random calls of the thread-safe interfaces, on several threads at once, while one of them stops an engine. The calls
// of each thread follow from the seed; how they interleave does not. Under ThreadSanitizer it is the test of what the
// threads share; the oracles are that each send has one outcome, and that each message is delivered once.

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include <ringpost/devices.hpp>
#include "codec/base/split_mix.hpp"
#include "tests/kernel/faces/face_test.hpp"
#include "tests/kernel/threaded/random_calls.hpp"
#include "tests/kernel/two_hosts.hpp"
#include "tests/sim/seeds.hpp"

namespace ringpost::test {
namespace {

using gtudp::Messenger, gtudp::ThreadedMessenger, gtudp::Outcome, gtudp::Ticket;

/// A few engines that send to each other and to an address where nobody is.
class MessengersPlay {
  public:
    MessengersPlay(std::uint64_t seed, std::function<ThreadedMessenger()> open) : open_(std::move(open)) {
        for (std::size_t i = 0; i < 3; ++i) engines_.push_back(open_());
        on_threads(seed, [this](SplitMix64& random) { call(random); });
        for (ThreadedMessenger& engine : engines_) engine.stop();
        for (std::size_t i = 0; i < engines_.size(); ++i) {
            while (take_outcome(i, 0)) continue;
            while (take_message(i, 0)) continue;
        }
    }

    void check() const {
        EXPECT_EQ(outcomes_.size(), tickets_.size());
        for (const auto& [ticket, number] : tickets_) {
            const auto outcome = outcomes_.find(ticket);
            ASSERT_NE(outcome, outcomes_.end()) << "a send without an outcome";
            EXPECT_TRUE(!outcome->second || received_.contains(number)) << "confirmed, but not delivered";
        }
        for (const std::uint32_t number : confirmed_) EXPECT_TRUE(received_.contains(number));
        EXPECT_FALSE(tickets_.empty());
        EXPECT_FALSE(received_.empty());
    }

  private:
    using TicketOf = std::pair<std::size_t, std::uint64_t>;  ///< the engine, and the number within it

    void call(SplitMix64& random) {
        const std::size_t from = random.below(engines_.size());
        ThreadedMessenger& engine = engines_[from];
        const Address target = engines_[random.below(engines_.size())].local();
        switch (random.below(12)) {
            case 0:
            case 1:
            case 2: send(from, target, random); break;
            case 3: send(from, loopback_v4(9), random); break;
            case 4: send_and_wait(engine, target, random); break;
            case 5: engine.cancel(Ticket{random.below(8)}); break;
            case 6: take_outcome(from, short_time(random)); break;
            case 7:
            case 8: take_message(from, short_time(random)); break;
            case 9: EXPECT_LE(engine.counters().confirmed, next_number_.load()); break;
            case 10:
                engine.engine_counters();
                EXPECT_STRNE(engine.backend(), "");
                break;
            default:
                if (random.below(20) == 0) engine.stop();
                if (random.below(5) == 0) open_and_close(target, random);
        }
    }

    std::string next_text(SplitMix64& random, std::uint32_t& number) {
        number = next_number_++;
        return numbered(number, 4 + random.below(random.below(10) == 0 ? 20'000 : 100));
    }

    void send(std::size_t from, const Address& to, SplitMix64& random) {
        std::uint32_t number = 0;
        const std::string text = next_text(random, number);
        const Instant deadline = random.below(2) == 0 ? never : now() + short_time(random);
        const auto ticket = engines_[from].send(to, as_bytes(text), deadline);
        if (!ticket) return;
        const std::lock_guard lock(mutex_);
        EXPECT_TRUE(tickets_.emplace(TicketOf{from, ticket->number}, number).second) << "a ticket twice";
    }

    void send_and_wait(ThreadedMessenger& from, const Address& to, SplitMix64& random) {
        std::uint32_t number = 0;
        const std::string text = next_text(random, number);
        const auto result = from.send_and_wait(to, as_bytes(text), short_time(random));
        if (result != Outcome::confirmed) return;
        const std::lock_guard lock(mutex_);
        confirmed_.insert(number);
    }

    /// An engine of the thread's own, destroyed with a send under way.
    void open_and_close(const Address& to, SplitMix64& random) {
        ThreadedMessenger own = open_();
        std::uint32_t number = 0;
        const std::string text = next_text(random, number);
        EXPECT_TRUE(own.send(to, as_bytes(text)));
        ThreadedMessenger moved = std::move(own);
        moved.receive(random.below(2) == 0 ? 0 : short_time(random));
    }

    bool take_outcome(std::size_t engine, Duration timeout) {
        const auto ended = engines_[engine].next_outcome(timeout);
        if (!ended) return false;
        const bool confirmed = ended->result == Outcome::confirmed;
        const std::lock_guard lock(mutex_);
        EXPECT_TRUE(outcomes_.emplace(TicketOf{engine, ended->ticket.number}, confirmed).second) << "two outcomes";
        return true;
    }

    bool take_message(std::size_t engine, Duration timeout) {
        const auto message = engines_[engine].receive(timeout);
        if (!message) return false;
        const std::lock_guard lock(mutex_);
        EXPECT_TRUE(received_.insert(number_of(message->bytes)).second) << "delivered twice";
        return true;
    }

    std::function<ThreadedMessenger()> open_;
    std::vector<ThreadedMessenger> engines_;
    std::atomic<std::uint32_t> next_number_{0};
    std::mutex mutex_;
    std::map<TicketOf, std::uint32_t> tickets_;  ///< the number of the message
    std::map<TicketOf, bool> outcomes_;          ///< whether it was confirmed
    std::set<std::uint32_t> received_, confirmed_;
};

class RandomCallsTest : public OnBackend {
  protected:
    void SetUp() override {
        OnBackend::SetUp();
        // liburing maps a ring without libc, so that ThreadSanitizer takes a new one at the address of one that another
        // thread has closed for the same.
        if (scale == 1 && GetParam() == BackendChoice::uring) GTEST_SKIP() << "rings come and go";
    }
};

TEST_P(RandomCallsTest, of_threaded_messengers) {
    sim::for_each_seed(seeds, [](std::uint64_t seed) {
        const MessengersPlay play(seed, [] { return open_engine(); });
        play.check();
    });
}

TEST_P(RandomCallsTest, wake_a_messenger_of_another_thread) {
    sim::for_each_seed(seeds, [](std::uint64_t seed) {
        std::optional<Messenger> messenger;  // belongs to the thread that polls
        std::atomic<bool> opened{false}, over{false};
        std::jthread polling([&] {
            messenger = open_messenger();
            opened = true;
            opened.notify_all();
            while (!over) messenger->poll(never, [](const gtudp::Event&) {});
        });
        opened.wait(false);
        on_threads(seed, [&](SplitMix64& random) {
            if (random.below(4) == 0) messenger->wake();
        });
        over = true;
        messenger->wake();
    });
}

RINGPOST_ON_BOTH_BACKENDS(RandomCallsTest);

/// Two nodes on two hosts. Each text is sent once.
class NodesPlay {
  public:
    NodesPlay(std::uint64_t seed, devices::Node& ann, devices::Node& bob) : nodes_{&ann, &bob} {
        on_threads(seed, [this](SplitMix64& random) { call(random); });
        for (devices::Node* node : nodes_) node->stop();
        for (devices::Node* node : nodes_)
            while (take(*node, 0)) continue;
    }

    void check() const {
        for (const std::string& text : received_) EXPECT_TRUE(queued_.contains(text)) << text;
        EXPECT_FALSE(queued_.empty());
    }

  private:
    void call(SplitMix64& random) {
        const std::size_t own = random.below(2);
        devices::Node& node = *nodes_[own];
        const std::uint32_t number = next_number_++;
        const std::string other = own == 0 ? "bob" : "ann", text = "m" + std::to_string(number);
        switch (random.below(12)) {
            case 0:
            case 1: note(text, node.send(other, text)); break;
            case 2:
                for (const auto& [name, sent] : node.send_all(text)) note(text, sent);
                break;
            case 3: check_answers(text, node.ask(std::vector{other}, text, short_time(random))); break;
            case 4: check_answers(text, node.ask_all(text, short_time(random))); break;
            case 5:
            case 6: take_question(node, random); break;
            case 7:
            case 8: take(node, short_time(random)); break;
            case 9: EXPECT_LE(node.peers().size(), 1u); break;
            case 10: EXPECT_EQ(node.counters().questions_dropped, 0u); break;
            default: node.drop({random.below(10)});
        }
        if (number == callers * calls_of_thread * 7 / 8) node.stop();
    }

    void note(const std::string& text, devices::Sent sent) {
        const std::lock_guard lock(mutex_);
        if (sent == devices::Sent::queued) queued_.insert(text);
    }

    static void check_answers(const std::string& question,
                              const std::expected<std::vector<devices::Answer>, devices::AskRefusal>& answers) {
        ASSERT_TRUE(answers);
        for (const devices::Answer& answer : *answers)
            EXPECT_TRUE(answer.reply != devices::Reply::answered || answer.text == question + "!") << answer.text;
    }

    static void take_question(devices::Node& node, SplitMix64& random) {
        const auto question = node.next_question(short_time(random));
        if (!question) return;
        if (random.below(4) == 0)
            node.drop(question->question);
        else
            node.answer(question->question, question->text + "!");
    }

    bool take(devices::Node& node, Duration timeout) {
        const auto notice = node.receive(timeout);
        if (!notice) return false;
        if (notice->kind != devices::Event::Kind::message) return true;
        const std::lock_guard lock(mutex_);
        EXPECT_TRUE(received_.insert(notice->text).second) << "delivered twice";
        return true;
    }

    devices::Node* nodes_[2];
    std::atomic<std::uint32_t> next_number_{0};
    std::mutex mutex_;
    std::set<std::string> queued_, received_;
};

class RandomNodeCallsTest : public RandomCallsTest {};

TEST_P(RandomNodeCallsTest, of_nodes) {
    const Hosts hosts;
    if (!hosts.made()) GTEST_SKIP() << no_namespace << ", or no link in it";
    const auto open = [&](std::size_t host, const char* name) {
        std::optional<devices::Node> out;
        hosts.on(host, [&] {
            out.emplace(devices::Node::open(
                            {.protocol = {.name = name}, .engine = {.backend = GetParam(), .wait = WaitMode::block}})
                            .value());
        });
        return std::move(*out);
    };
    sim::for_each_seed(seeds, [&](std::uint64_t seed) {
        devices::Node ann = open(0, "ann"), bob = open(1, "bob");
        for (auto notice = bob.receive(patience); notice && notice->kind != devices::Event::Kind::connected;)
            notice = bob.receive(patience);
        const NodesPlay play(seed, ann, bob);
        play.check();
    });
}

RINGPOST_ON_BOTH_BACKENDS(RandomNodeCallsTest);

}  // namespace
}  // namespace ringpost::test
