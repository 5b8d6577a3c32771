// What adverts with forged sources cause, and what a device that is really there sees meanwhile.

#include <map>

#include "tests/unit/codec/devices/endpoint_fixture.hpp"

namespace ringpost::devices {
namespace {

constexpr std::size_t headers = 28, syn_bytes = 60;

/// Counts what the endpoint sends towards an address, with IP, UDP and TCP headers. TCP repeats a SYN every second
/// until the attempt ends (tcp_syn_linear_timeouts).
struct Strangers : DevicesEndpoint {
    void hear(const std::string& name, const Address& from, const char* kind = "hello") {
        const std::string text = std::string(kind) + ":,:" + name;
        received += text.size() + headers;
        advert(text, from);
        look();
    }
    void look() {
        events();
        for (const Wanted& asked : requests()) {
            const StreamRequest& request = asked.request;
            if (request.kind == Request::connect) trying[request.stream] = now;
            const auto tried = trying.find(request.stream);
            if (request.kind != Request::close || tried == trying.end()) continue;
            end_attempt(tried->second);
            trying.erase(tried);
        }
        while (const auto transmit = endpoint.poll_transmit(now, buffer))
            if (transmit->destination != default_group) caused += transmit->bytes + headers;
    }
    void end_attempt(Instant since) {
        ++attempts;
        caused += syn_bytes * static_cast<std::size_t>(1 + (now - since) / second);
    }
    void wait(Duration duration) {
        const Instant end = now + duration;
        while (true) {
            const auto due = endpoint.poll_timeout();
            if (!due || *due > end) break;
            now = std::max(now, *due);
            endpoint.handle_timeout(now);
            look();
        }
        now = end;
    }
    void end() {
        wait(minute);
        for (const auto& [stream, since] : trying) end_attempt(since);
        trying.clear();
    }
    /// The stream of the attempt to connect to this address, if any is in progress.
    std::optional<StreamIndex> attempt_at(const Address& to) {
        events();
        std::optional<StreamIndex> found;
        for (const Wanted& asked : requests())
            if (asked.request.kind == Request::connect && asked.request.peer.ip == to.ip) found = asked.request.stream;
        return found;
    }

    static constexpr Duration minute = 60 * second;
    std::size_t received = 0, caused = 0, attempts = 0;
    std::map<StreamIndex, Instant> trying;
};

Address far(unsigned network, unsigned host = 1) {
    return Address::v4(10, static_cast<std::uint8_t>(1 + network / 250), static_cast<std::uint8_t>(network % 250),
                       static_cast<std::uint8_t>(host), 3'235);
}

TEST_F(Strangers, an_advert_causes_three_times_its_bytes_at_most) {
    for (const std::string name : {"z", "zz-longer-name", "a", "aa-longer-name"}) {
        hear(name, at(static_cast<unsigned>(name.size()) + (name[0] == 'a' ? 100 : 0)));
        end();
    }
    EXPECT_GT(caused, 0u);
    EXPECT_LE(caused, 3 * received);
}

TEST_F(Strangers, adverts_of_a_minute_cause_three_times_their_bytes_at_most) {
    for (int i = 0; i < 600; ++i) {
        hear(i % 2 == 0 ? "z" : "a", at(i % 2 == 0 ? 2 : 3), i % 3 == 0 ? "hello" : "alive");
        wait(100 * millisecond);
    }
    end();
    EXPECT_LE(caused, 3 * received);
    EXPECT_LE(attempts, 30u) << "the address did not answer: back-off";
    EXPECT_GT(endpoint.counters().connects_waited, 0u);
}

TEST_F(Strangers, many_names_of_one_address_pay_and_wait_together) {
    for (int i = 0; i < 300; ++i) {
        hear("z" + std::to_string(i), at(2));
        wait(200 * millisecond);
    }
    end();
    EXPECT_LE(caused, 3 * received);
    EXPECT_LE(attempts, 40u);
}

TEST_F(Strangers, a_newcomer_finds_a_full_directory_and_is_connected) {
    for (unsigned i = 0; i < 2 * limits::devices_names_max; ++i) hear("z" + std::to_string(i), far(i % 5'000));
    EXPECT_EQ(endpoint.peer_count(), limits::devices_names_max);
    EXPECT_GT(endpoint.counters().names_evicted, 0u);
    advert("hello:,:zz-new", at(7));
    const auto stream = attempt_at(at(7));
    ASSERT_TRUE(stream) << "at once";
    input(*stream, Input::connected);
    input(*stream, "zz-new/EOLPiNg/EOL");
    events();
    for (unsigned i = 0; i < 2 * limits::devices_names_max; ++i) hear("y" + std::to_string(i), far(i % 5'000));
    EXPECT_EQ(endpoint.send(now, "zz-new", "still here"), Sent::queued);
}

TEST_F(Strangers, forged_addresses_of_the_own_network_do_not_keep_a_newcomer_out) {
    for (unsigned i = 0; i < 2 * limits::devices_names_max; ++i) {
        hear("z" + std::to_string(i), at(10 + i % 240));
        now += millisecond;
    }
    advert("hello:,:zz-new", at(7));
    advert("alive:,:zz-new", at(7));
    std::optional<StreamIndex> stream = attempt_at(at(7));
    for (int i = 0; i < 30 && !stream; ++i) {
        pass(100 * millisecond);
        stream = attempt_at(at(7));
    }
    EXPECT_TRUE(stream) << "within three seconds";
}

TEST_F(Strangers, attempts_leave_streams_to_accepted_connections_and_other_networks) {
    for (unsigned i = 0; i < 3'000; ++i) advert("hello:,:z" + std::to_string(i), far(i / 250, 1 + i % 250));
    std::size_t connects = 0;
    for (const Wanted& asked : requests()) connects += asked.request.kind == Request::connect;
    EXPECT_LE(connects, limits::devices_attempts_max / 2);
    EXPECT_GT(endpoint.counters().connects_full, 0u);
    EXPECT_TRUE(endpoint.accept(now, at(7, 40'000)));
    advert("hello:,:zz-new", at(7));
    EXPECT_TRUE(attempt_at(at(7))) << "our own network has places of its own";
}

TEST_F(Strangers, a_device_that_was_connected_is_tried_without_adverts) {
    const Address peer = at(5);
    advert("hello:,:z", peer);
    auto stream = attempt_at(peer);
    ASSERT_TRUE(stream);
    input(*stream, Input::connected);
    input(*stream, "z/EOLPiNg/EOL");
    written();
    input(*stream, Input::closed, StreamEnd::reset);
    int attempts_seen = 0;
    for (int i = 0; i < 100; ++i) {
        pass(100 * millisecond);
        if (const auto again = attempt_at(peer)) {
            ++attempts_seen;
            input(*again, Input::closed, StreamEnd::refused);
        }
    }
    EXPECT_GE(attempts_seen, 5) << "back-off from 100 ms, for two periods";
    EXPECT_EQ(endpoint.counters().connects_unpaid, 0u);
}

TEST_F(Strangers, frames_without_an_end_are_bounded_and_the_slowest_are_ended) {
    const std::string part = "MeSsAgE:,:" + std::string(60'000, 'x');
    const std::size_t fit = limits::devices_partial_bytes_total / part.size();
    std::vector<StreamIndex> streams;
    for (unsigned i = 0; i < fit + 10; ++i) streams.push_back(connected("peer-" + std::to_string(i), 2 + i % 250));
    requests();
    const auto closed = [&] {
        std::vector<StreamIndex> out;
        for (const Wanted& asked : requests())
            if (asked.request.kind == Request::close) out.push_back(asked.request.stream);
        return out;
    };
    for (std::size_t i = 0; i < fit; ++i, now += millisecond) input(streams[i], part);
    input(streams[0], "/EOL" + part);  // this one has begun another frame
    EXPECT_EQ(events().size(), 1u);
    EXPECT_EQ(closed(), std::vector<StreamIndex>{});
    for (std::size_t i = fit; i < fit + 10; ++i) input(streams[i], part);
    EXPECT_EQ(closed(), std::vector<StreamIndex>(streams.begin() + 1, streams.begin() + 11));
    EXPECT_EQ(ended(Cause::frame_too_slow), 10u);
    EXPECT_EQ(events().size(), 20u) << "disconnected, and suspect";
    for (std::size_t i = 11; i < fit + 10; ++i) input(streams[i], "/EOL");
    input(streams[0], "/EOL");
    EXPECT_EQ(events().size(), fit) << "the others go on";
    for (const StreamIndex stream : {streams[0], streams[20]}) input(stream, part + "/EOL");
    EXPECT_EQ(events().size(), 2u) << "what is complete does not count any more";
    EXPECT_EQ(ended(Cause::frame_too_slow), 10u);
}

TEST_F(Strangers, unread_bytes_of_all_connections_together_pause_the_peers) {
    const std::string message = "MeSsAgE:,:" + std::string(60'000, 'x') + "/EOL";
    std::vector<StreamIndex> streams;
    for (unsigned host = 2; host < 200; ++host) streams.push_back(connected("peer-" + std::to_string(host), host));
    requests();
    std::size_t paused = 0;
    for (const StreamIndex stream : streams) input(stream, message);
    for (const Wanted& asked : requests()) paused += asked.request.kind == Request::pause;
    EXPECT_EQ(paused, 0u);
    for (int i = 0; i < 2; ++i)
        for (const StreamIndex stream : streams) input(stream, message);
    for (const Wanted& asked : requests()) paused += asked.request.kind == Request::pause;
    EXPECT_GT(paused, 100u) << "each has less than its own limit";
    EXPECT_EQ(events().size(), 3 * streams.size()) << "nothing is lost";
    std::size_t resumed = 0;
    for (const Wanted& asked : requests()) resumed += asked.request.kind == Request::resume;
    EXPECT_EQ(resumed, paused);
}

}  // namespace
}  // namespace ringpost::devices
