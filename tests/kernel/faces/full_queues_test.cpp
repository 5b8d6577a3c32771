// Queues that nobody empties, and handlers of devices that do not handle everything.

#include <stdexcept>

#include <ringpost/device_handlers.hpp>
#include "tests/kernel/faces/face_test.hpp"

namespace ringpost::test {
namespace {

class FullQueues : public OnBackend {};

TEST_P(FullQueues, what_has_no_room_is_counted_by_its_kind) {
    auto chosen = options();
    chosen.receives_max = 1;
    chosen.protocol.recv_from_any = true;
    auto receiver = open_engine(chosen);
    auto sender = open_messenger();
    Peer stranger(loopback_v4());
    ASSERT_TRUE(sender.send(receiver.local(), as_bytes("first")));
    while (sender.in_flight() > 0) sender.poll(patience, [](const gtudp::Event&) {});
    for (int i = 0; i < 8; ++i) ASSERT_TRUE(sender.send(receiver.local(), as_bytes("more")));
    const auto counted = [&](std::uint64_t gtudp::Counters::* counter) {
        for (const Instant give_up = now() + patience; receiver.counters().*counter == 0 && now() < give_up;) {
            sender.poll(millisecond, [](const gtudp::Event&) {});
            stranger.send("no gtUDP", receiver.local());
        }
        return receiver.counters().*counter;
    };
    EXPECT_GT(counted(&gtudp::Counters::app_behind), 0u);
    EXPECT_GT(counted(&gtudp::Counters::foreign_dropped), 0u);
    EXPECT_EQ(as_text(receiver.receive(patience).value().bytes), "first");
}

TEST_P(FullQueues, tables_of_a_fixed_rate_take_less_memory) {
    auto chosen = options();
    const std::size_t with_windows = open_messenger(chosen).memory_bytes();
    chosen.protocol.congestion = CongestionControl::fixed;
    EXPECT_LT(open_messenger(chosen).memory_bytes(), with_windows);
}

RINGPOST_ON_BOTH_BACKENDS(FullQueues);

// ---- handlers -------------------------------------------------------------------------------------

devices::Node node_on_loopback(const char* name, bool listens) {
    devices::NodeOptions options{.protocol = {.name = name}, .interfaces = {"lo"}, .listen = listens};
    return devices::Node::open(options).value();
}

TEST(DeviceHandlers, may_be_empty) {
    devices::Node asked = node_on_loopback("sensor", true), asker = node_on_loopback("panel", false);
    const devices::Handlers none;
    const Instant give_up = now() + patience;
    while (asker.send("sensor", "a message") != devices::Sent::queued && now() < give_up)
        devices::dispatch_notice(asker, none, 10 * millisecond);
    devices::Handlers throwing;
    throwing.message = [](const std::string&, const std::string&) { throw std::runtime_error("in a handler"); };
    ASSERT_EQ(asker.send("sensor", "another"), devices::Sent::queued);
    int messages = 0;
    while (messages < 2 && now() < give_up)
        if (const auto notice = asked.receive(patience)) messages += notice->kind == devices::Event::Kind::message;
    EXPECT_EQ(messages, 2);

    // A question without a handler is dropped, and the failure of one that throws is not reported to nobody.
    for (const bool throws : {false, true}) {
        std::thread dispatching([&] {
            devices::Handlers handlers;
            if (throws) handlers.question = [](const std::string&, const std::string&) -> std::string { throw 1; };
            EXPECT_TRUE(devices::dispatch_question(asked, handlers, patience));
        });
        const auto answers = asker.ask(std::vector<std::string>{"sensor"}, "?", 10 * millisecond);
        ASSERT_TRUE(answers.has_value());
        EXPECT_EQ(answers->front().reply, devices::Reply::timed_out);
        dispatching.join();
    }

    ASSERT_EQ(asker.send("sensor", "unhandled"), devices::Sent::queued);
    ASSERT_EQ(asker.send("sensor", "thrown"), devices::Sent::queued);
    EXPECT_TRUE(devices::dispatch_notice(asked, none, patience));
    EXPECT_TRUE(devices::dispatch_notice(asked, throwing, patience));
}

TEST(DeviceLinks, an_interface_may_be_ignored) {
    devices::NodeOptions options{.protocol = {.name = "sensor"}, .interfaces = {"lo"}};
    EXPECT_EQ(devices::Node::open(options).value().counters().links, 1u);
    options.ignored_interfaces = {"lo"};
    EXPECT_EQ(devices::Node::open(options).value().counters().links, 0u);
}

}  // namespace
}  // namespace ringpost::test
