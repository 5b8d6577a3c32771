// devices::Node on two hosts, which are network namespaces connected by a link.

#include <atomic>
#include <map>
#include <mutex>
#include <semaphore>
#include <set>
#include <stdexcept>
#include <thread>

#include <ringpost/device_handlers.hpp>
#include <ringpost/devices.hpp>
#include "codec/base/sanitizer.hpp"
#include "codec/devices/names.hpp"
#include "engine/faces/fresh_options.hpp"
#include "engine/tcp/stream_socket.hpp"
#include "tests/kernel/faces/face_test.hpp"
#include "tests/kernel/two_hosts.hpp"

namespace ringpost::devices {

inline void PrintTo(Sent sent, std::ostream* out) { *out << name_of(sent); }
inline void PrintTo(Reply reply, std::ostream* out) { *out << name_of(reply); }

namespace {

using test::patience, test::backend_name, test::scale, test::Hosts;

class NodeTest : public test::OnBackend {
  protected:
    static void SetUpTestSuite() {
        if (!hosts) hosts = std::make_unique<Hosts>();
    }
    static void TearDownTestSuite() { hosts.reset(); }
    void SetUp() override {
        OnBackend::SetUp();
        if (!IsSkipped() && !hosts->made()) GTEST_SKIP() << test::no_namespace << ", or no link in it";
    }

    static NodeOptions options(std::string name) {
        return {.protocol = {.name = std::move(name)}, .engine = {.backend = GetParam(), .wait = WaitMode::block}};
    }
    static Result<Node> try_open(std::size_t host, const NodeOptions& chosen) {
        std::optional<Result<Node>> out;
        hosts->on(host, [&] { out.emplace(Node::open(chosen)); });
        return std::move(*out);
    }
    static Node open(std::size_t host, const NodeOptions& chosen) { return try_open(host, chosen).value(); }

    /// Takes notices until one matches, and drops the others.
    static Notice await(Node& node, Event::Kind kind, std::string_view name) {
        for (const Instant give_up = now() + patience; now() < give_up;) {
            const auto notice = node.receive(give_up - now());
            if (notice && notice->kind == kind && notice->name == name) return *notice;
        }
        ADD_FAILURE() << "no notice " << name_of(kind) << " of " << name;
        return {};
    }
    static bool until(const std::function<bool()>& condition) {
        for (const Instant give_up = now() + patience; !condition(); std::this_thread::yield())
            if (now() > give_up) return false;
        return true;
    }
    /// ann on the first host, bob on the second, connected.
    static std::pair<Node, Node> pair(NodeOptions ann_options = options("ann"),
                                      NodeOptions bob_options = options("bob")) {
        std::pair<Node, Node> out(open(0, ann_options), open(1, bob_options));
        await(out.first, Event::Kind::connected, "bob");
        await(out.second, Event::Kind::connected, "ann");
        return out;
    }

    static std::unique_ptr<Hosts> hosts;
};

std::unique_ptr<Hosts> NodeTest::hosts;

TEST_P(NodeTest, what_cannot_be_opened) {
    const auto error_of = [](const NodeOptions& chosen) {
        const auto opened = try_open(0, chosen);
        return opened ? std::string("none") : opened.error().text;
    };
    EXPECT_EQ(error_of(options("")), "name : it is empty");
    EXPECT_EQ(error_of(options(std::string(249, 'x'))), "name " + std::string(249, 'x') + ": it is too long");
    EXPECT_EQ(error_of(options("a:,:b")), "name a:,:b: it contains `:,:` or `/EOL`");
    EXPECT_EQ(error_of(options("PiNg")), "name PiNg: it is a frame of the format");
    EXPECT_EQ(error_of(options("\xff")), "name \xff: it is not UTF-8");
    NodeOptions chosen = options("ann");
    chosen.interfaces = {"eth0", "nosuch0"};
    EXPECT_EQ(error_of(chosen), "interface nosuch0: there is none of that name");
    chosen = options("ann");
    chosen.protocol.seeds.resize(limits::devices_seeds_max + 1, Hosts::address(1));
    EXPECT_EQ(error_of(chosen), "seed 65: at most 64");
    const Node first = open(0, options("ann"));
    EXPECT_EQ(first.backend(), backend_name({GetParam(), 0}));
    EXPECT_EQ(first.note(), "");
    EXPECT_EQ(error_of(options("bob")), "bind [::]:4112: Address already in use");
}

TEST_P(NodeTest, two_nodes_connect_exchange_and_say_goodbye) {
    auto both = pair();
    Node &ann = both.first, &bob = both.second;
    EXPECT_EQ(ann.send("bob", "hello"), Sent::queued);
    EXPECT_EQ(await(bob, Event::Kind::message, "ann").text, "hello");
    EXPECT_EQ(bob.send_all("to all"), (std::vector<std::pair<std::string, Sent>>{{"ann", Sent::queued}}));
    EXPECT_EQ(await(ann, Event::Kind::message, "bob").text, "to all");
    EXPECT_EQ(ann.send("bob", "x:,:y"), Sent::cannot_carry);
    EXPECT_EQ(ann.send("nobody", "x"), Sent::not_connected);
    EXPECT_EQ(ann.ask(std::vector<std::string>{"bob"}, "x/EOL").error(), AskRefusal::cannot_carry);

    const std::vector<Peer> peers = ann.peers();
    ASSERT_EQ(peers.size(), 1u);
    EXPECT_EQ(peers[0].name, "bob");
    EXPECT_EQ(peers[0].address, Hosts::address(1));
    EXPECT_TRUE(peers[0].connected && peers[0].is_ringpost);

    std::thread answering([&bob] {
        const auto question = bob.next_question(patience);
        ASSERT_TRUE(question);
        EXPECT_EQ(question->name + " asks " + question->text, "ann asks why?");
        EXPECT_EQ(bob.answer(question->question, "because"), Sent::queued);
        EXPECT_EQ(bob.answer(question->question, "again"), Sent::expired);
    });
    const auto answers = ann.ask(std::vector<std::string>{"nobody", "bob"}, "why?", patience);
    answering.join();
    ASSERT_TRUE(answers);
    ASSERT_EQ(answers->size(), 2u);
    EXPECT_EQ(answers->at(0).name + answers->at(0).text + answers->at(1).name + answers->at(1).text,
              "nobodybobbecause");
    EXPECT_EQ(answers->at(0).reply, Reply::not_connected);
    EXPECT_EQ(answers->at(1).reply, Reply::answered);

    ann.stop();
    EXPECT_EQ(await(bob, Event::Kind::disconnected, "ann").cause, Cause::goodbye);
    await(bob, Event::Kind::gone, "ann");
    EXPECT_TRUE(bob.peers().empty());
    EXPECT_TRUE(bob.send_all("to nobody").empty());
    EXPECT_TRUE(bob.ask_all("anybody?", patience)->empty());
}

TEST_P(NodeTest, after_stop_calls_return_at_once_and_queued_messages_remain) {
    auto both = pair();
    Node &ann = both.first, &bob = both.second;
    for (int i = 0; i < 3; ++i) EXPECT_EQ(bob.send("ann", std::to_string(i)), Sent::queued);
    ASSERT_TRUE(until([&ann] { return ann.counters().protocol.messages_received == 3; }));
    ann.stop();
    ann.stop();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(await(ann, Event::Kind::message, "bob").text, std::to_string(i));
    EXPECT_EQ(await(ann, Event::Kind::disconnected, "bob").cause, Cause::closed);
    EXPECT_FALSE(ann.receive(never));
    EXPECT_FALSE(ann.next_question(never));
    EXPECT_EQ(ann.send("bob", "x"), Sent::not_connected);
    EXPECT_TRUE(ann.send_all("x").empty());
    EXPECT_TRUE(ann.peers().empty());
    EXPECT_EQ(ann.answer({1}, "x"), Sent::not_connected);
    const auto answers = ann.ask(std::vector<std::string>{"bob"}, "x", never);
    ASSERT_TRUE(answers);
    EXPECT_EQ(answers->at(0).reply, Reply::not_connected);
    EXPECT_EQ(ann.counters().protocol.messages_received, 3u);
    EXPECT_GT(ann.counters().engine.sent, 0u);
}

TEST_P(NodeTest, many_threads_at_once) {
    constexpr std::uint32_t senders = 3, each = 300 * scale, asks = 20 * scale;
    auto both = pair();
    Node &ann = both.first, &bob = both.second;
    Node* const nodes[] = {&ann, &bob};
    const std::string names[] = {"ann", "bob"};
    std::atomic<std::uint32_t> answered{0}, asking{4};
    std::vector<std::thread> running;
    for (std::size_t own = 0; own < 2; ++own) {
        Node& node = *nodes[own];
        const std::string other = names[1 - own];
        for (std::uint32_t id = 0; id < senders; ++id)
            running.emplace_back([&node, other, id] {
                for (std::uint32_t i = 0; i < each; ++i) {
                    Sent sent = Sent::queue_full;
                    while (sent == Sent::queue_full)
                        sent = node.send(other, std::to_string(id) + " " + std::to_string(i));
                    ASSERT_EQ(sent, Sent::queued);
                }
            });
        for (int id = 0; id < 2; ++id) {
            running.emplace_back([&node, &answered, &asking, other, id] {
                for (std::uint32_t i = 0; i < asks; ++i) {
                    const std::string question = std::to_string(id) + "?" + std::to_string(i);
                    const auto answers =
                        id == 0 ? node.ask_all(question, patience) : node.ask(std::vector{other}, question, patience);
                    ASSERT_TRUE(answers && answers->size() == 1);
                    EXPECT_EQ(answers->at(0).reply, Reply::answered);
                    EXPECT_EQ(answers->at(0).text, question + "!");
                    ++answered;
                }
                --asking;
            });
            running.emplace_back([&node, &asking] {
                while (asking > 0) {
                    const auto question = node.next_question(millisecond);
                    if (!question) continue;
                    EXPECT_EQ(node.answer(question->question, question->text + "!"), Sent::queued);
                }
            });
        }
        running.emplace_back([&node, &asking] {
            for (; asking > 0; std::this_thread::yield()) EXPECT_EQ(node.peers().size(), 1u);
        });
        running.emplace_back([&node, other] {
            std::map<std::uint32_t, std::uint32_t> next;
            for (std::uint32_t count = 0; count < senders * each; ++count) {
                const Notice message = await(node, Event::Kind::message, other);
                const std::size_t space = message.text.find(' ');
                ASSERT_NE(space, std::string::npos);
                const auto id = static_cast<std::uint32_t>(std::stoul(message.text.substr(0, space)));
                ASSERT_EQ(message.text.substr(space + 1), std::to_string(next[id]++)) << "out of order";
            }
        });
    }
    for (auto& thread : running) thread.join();
    EXPECT_EQ(answered, 4 * asks);
    for (Node* node : nodes) {
        const NodeCounters counts = node->counters();
        EXPECT_EQ(counts.protocol.messages_received, senders * each);
        EXPECT_EQ(counts.protocol.answers_sent, 2 * asks);
        EXPECT_EQ(counts.questions_dropped, 0u);
    }
}

TEST_P(NodeTest, a_slow_receiver_throttles_its_peer_without_loss) {
    NodeOptions slow = options("bob");
    slow.notices_max = 2;
    auto both = pair(options("ann"), slow);
    Node &ann = both.first, &bob = both.second;
    const std::string filling(32 << 10, 'x');
    std::uint32_t taken = 0;
    // Send until the node's queue, the socket buffers and the peer's queue are full and remain full.
    for (int full = 0; full < 2'000;) {
        if (ann.send("bob", std::to_string(taken) + filling) == Sent::queued)
            ++taken, full = 0;
        else
            ++full;
    }
    EXPECT_TRUE(until([&bob] { return bob.counters().protocol.messages_received == 2; }));
    // The answer to bob would arrive behind all these messages, so his ask times out.
    const Instant before = now();
    const auto answers = bob.ask(std::vector<std::string>{"ann"}, "are you there?", 20 * millisecond);
    ASSERT_TRUE(answers);
    EXPECT_EQ(answers->at(0).name, "ann");
    EXPECT_EQ(answers->at(0).reply, Reply::timed_out);
    EXPECT_GE(now(), before + 20 * millisecond);
    for (std::uint32_t i = 0; i < taken; ++i) {
        const Notice message = await(bob, Event::Kind::message, "ann");
        ASSERT_EQ(message.text.size(), std::to_string(i).size() + filling.size());
        ASSERT_EQ(message.text.substr(0, message.text.find('x')), std::to_string(i));
    }
    await(ann, Event::Kind::room, "bob");
    EXPECT_EQ(ann.send("bob", "room again"), Sent::queued);
    EXPECT_EQ(await(bob, Event::Kind::message, "ann").text, "room again");
    // Asks work again.
    std::thread answering([&ann] {
        while (const auto question = ann.next_question(patience)) {
            ann.answer(question->question, "yes");
            if (question->text == "now?") break;
        }
    });
    EXPECT_EQ(bob.ask(std::vector<std::string>{"ann"}, "now?", patience)->at(0).text, "yes");
    answering.join();
}

TEST_P(NodeTest, memory_is_at_most_what_memory_bytes_returns) {
    if (address_sanitizer || scale == 1) GTEST_SKIP() << "sanitizers have memory of their own";
    const std::size_t before = test::allocated_bytes();
    NodeOptions slow = options("bob");
    slow.notices_max = 2;
    auto both = pair(options("ann"), slow);
    Node &ann = both.first, &bob = both.second;
    const std::string filling(32 << 10, 'x');
    for (int full = 0; full < 200;) full = ann.send("bob", filling) == Sent::queued ? 0 : full + 1;
    const std::size_t allocated = test::allocated_bytes() - before;
    EXPECT_GT(allocated, limits::devices_queue_bytes);
    EXPECT_LE(allocated, ann.memory_bytes(1) + bob.memory_bytes(1));
    EXPECT_GE(ann.memory_bytes(1) - ann.memory_bytes(0), limits::devices_queue_bytes);
}

TEST_P(NodeTest, stop_unblocks_every_call) {
    for (std::uint32_t round = 0; round < scale; ++round) {
        auto both = pair();
        Node &ann = both.first, &bob = both.second;
        std::atomic<int> waiting{0};
        std::vector<std::thread> running;
        const auto run = [&](auto body) { running.emplace_back([&waiting, body] { ++waiting, body(); }); };
        run([&ann] {
            while (ann.receive(never)) continue;
        });
        run([&ann] { EXPECT_FALSE(ann.next_question(never)); });
        run([&ann] {
            const auto answers = ann.ask(std::vector<std::string>{"bob"}, "nobody answers", never);
            ASSERT_TRUE(answers && answers->size() == 1);
            EXPECT_EQ(answers->at(0).reply, Reply::not_connected);
        });
        run([&ann] {
            const auto answers = ann.ask_all("nobody answers", never);
            ASSERT_TRUE(answers);
            for (const Answer& answer : *answers) EXPECT_EQ(answer.reply, Reply::not_connected);
        });
        for (int id = 0; id < 2; ++id)
            run([&ann] {
                while (ann.send("bob", "on and on") != Sent::not_connected) std::this_thread::yield();
            });
        run([&ann] {
            while (!ann.peers().empty()) std::this_thread::yield();
        });
        ASSERT_TRUE(until([&bob, &waiting] {
            return waiting == 7 && bob.counters().protocol.questions_received == 2 &&
                   bob.counters().protocol.messages_received > 0;
        }));
        ann.stop();
        for (auto& thread : running) thread.join();
        EXPECT_EQ(await(bob, Event::Kind::disconnected, "ann").cause, Cause::goodbye);
    }
}

TEST_P(NodeTest, unanswered_questions_are_dropped_and_counted) {
    NodeOptions slow = options("bob");
    slow.questions_max = 2;
    auto both = pair(options("ann"), slow);
    Node &ann = both.first, &bob = both.second;
    std::vector<std::thread> asking;
    std::atomic<int> answered{0};
    for (int i = 0; i < 5; ++i)
        asking.emplace_back([&ann, &answered] {
            const auto answers = ann.ask(std::vector<std::string>{"bob"}, "?", never);
            if (answers.value().at(0).reply == Reply::answered) ++answered;
        });
    EXPECT_TRUE(until([&bob] { return bob.counters().protocol.questions_received == 5; }));
    EXPECT_EQ(bob.counters().questions_dropped, 3u);
    for (int i = 0; i < 2; ++i)
        EXPECT_EQ(bob.answer(bob.next_question(patience).value().question, "yes"), Sent::queued);
    EXPECT_FALSE(bob.next_question(0));
    EXPECT_TRUE(until([&answered] { return answered == 2; }));
    // Messages have a separate queue.
    EXPECT_EQ(ann.send("bob", "text"), Sent::queued);
    EXPECT_EQ(await(bob, Event::Kind::message, "ann").text, "text");
    ann.stop();
    for (auto& thread : asking) thread.join();
    EXPECT_EQ(answered, 2);
}

// What a peer has asked before it left waits in the queue until somebody takes it.
TEST_P(NodeTest, questions_of_peers_that_have_left_do_not_overflow_the_queue) {
    NodeOptions slow = options("bob");
    slow.questions_max = slow.questions_at_once = 2;
    Node bob = open(1, slow);
    for (std::uint64_t round = 1; round <= 2; ++round) {
        Node ann = open(0, options("ann"));
        await(ann, Event::Kind::connected, "bob");
        const std::vector<std::string> to{"bob"};
        for (int i = 0; i < 2; ++i) EXPECT_EQ(ann.ask(to, "?", millisecond).value().at(0).reply, Reply::timed_out);
        EXPECT_TRUE(until([&] { return bob.counters().protocol.questions_received == 2 * round; }));
        ann.stop();
        await(bob, Event::Kind::disconnected, "ann");
        std::this_thread::sleep_for(std::chrono::milliseconds(1'100));  // bob looks for those who have left
    }
    EXPECT_TRUE(bob.next_question(0));
}

TEST_P(NodeTest, exceptions_of_handlers_are_reported) {
    auto both = pair();
    Node &ann = both.first, &bob = both.second;
    std::vector<std::string> calls;
    Handlers handlers;
    handlers.message = [&](const std::string& from, const std::string& text) {
        if (text == "throw") throw std::runtime_error("no");
        calls.push_back(from + ": " + text);
    };
    handlers.question = [](const std::string&, const std::string& text) -> std::string {
        if (text == "throw") throw 7;
        return text == "mark" ? ":,:" : text + "!";
    };
    handlers.changed = [&](const Notice& notice) {
        calls.emplace_back(name_of(notice.kind));
        throw std::runtime_error("also no");
    };
    handlers.failed = [&](const Notice& notice, const std::exception_ptr& cause, Sent sent) {
        std::string why = cause ? "an int" : name_of(sent);
        try {
            if (cause) std::rethrow_exception(cause);
        } catch (const std::runtime_error& error) {
            why = error.what();
        } catch (int) {
        }
        calls.push_back(notice.text + " failed: " + why.substr(0, why.find(':')));
    };
    for (const char* text : {"one", "throw", "two"}) ann.send("bob", text);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(dispatch_notice(bob, handlers, patience));
    EXPECT_EQ(calls, (std::vector<std::string>{"ann: one", "throw failed: no", "ann: two"}));
    calls.clear();

    std::thread asking([&ann] {
        const std::vector<std::string> names{"bob"};
        EXPECT_EQ(ann.ask(names, "throw", millisecond)->at(0).reply, Reply::timed_out);
        EXPECT_EQ(ann.ask(names, "mark", millisecond)->at(0).reply, Reply::timed_out);
        EXPECT_EQ(ann.ask(names, "well", patience)->at(0).text, "well!");
    });
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(dispatch_question(bob, handlers, patience));
    asking.join();
    EXPECT_EQ(calls, (std::vector<std::string>{"throw failed: an int", "mark failed: cannot be carried"}));
    calls.clear();

    ann.stop();
    while (calls.empty()) EXPECT_TRUE(dispatch_notice(bob, handlers, patience));
    EXPECT_EQ(calls, (std::vector<std::string>{"disconnected", " failed: also no"}));
    // Handlers may be empty.
    EXPECT_TRUE(dispatch_notice(bob, {}, patience));
    EXPECT_FALSE(dispatch_notice(bob, {}, 0));
    EXPECT_FALSE(dispatch_question(bob, {}, 0));
}

TEST_P(NodeTest, a_node_that_does_not_listen_connects) {
    NodeOptions quiet = options("aaa");
    quiet.listen = false;
    Node bob = open(1, options("bob")), other = open(0, options("other"));
    await(other, Event::Kind::connected, "bob");
    Node aaa = open(0, quiet);  // on a host whose port is in use
    await(aaa, Event::Kind::connected, "bob");
    EXPECT_EQ(aaa.send("bob", "hello"), Sent::queued);
    EXPECT_EQ(await(bob, Event::Kind::message, "aaa").text, "hello");
    aaa.stop();
    await(bob, Event::Kind::gone, "aaa");
}

RINGPOST_ON_BOTH_BACKENDS(NodeTest);

TEST(NodeOptions, key_and_seed_are_random) {
    const Options a = fresh_options(ProtocolOptions{.name = "ann"}), b = fresh_options(a);
    EXPECT_EQ(a.name, "ann");
    EXPECT_FALSE(a.key.k0 == b.key.k0 && a.key.k1 == b.key.k1);
    EXPECT_NE(a.seed, b.seed);
}

}  // namespace
}  // namespace ringpost::devices
