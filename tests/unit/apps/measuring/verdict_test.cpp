// Verdicts about a simulated sender whose stalls are known, and about a simulated peer whose service times are known.

#include "apps/measuring/verdict.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "codec/traffic/prober.hpp"

namespace ringpost::apps {
namespace {

using traffic::Prober;

struct Stall {
    Instant begin, end;
};

/// Sends probes to a peer that answers each after its own service time; a service time of `never` is a lost probe.
struct Simulation {
    double rate_per_s = 10'000;
    Duration length = second;
    Duration always_late = 0;  ///< delay of every send
    std::vector<Stall> stalls = {};
    std::vector<Duration> services = {};  ///< used in turn

    Instant awake_at(Instant at) const {
        for (const Stall& stall : stalls)
            if (at >= stall.begin && at < stall.end) return stall.end;
        return at;
    }

    Json run() const {
        constexpr Instant start = second;
        Prober prober({.rate_per_s = rate_per_s, .start = start, .stop = start + length});
        std::multimap<Instant, std::vector<std::byte>> replies;
        std::vector<std::byte> buffer(1'500);
        std::size_t sent = 0;
        const auto deliver_until = [&](Instant until) {
            while (!replies.empty() && replies.begin()->first <= until) {
                prober.handle(replies.begin()->first, {.source = {}, .bytes = replies.begin()->second});
                replies.erase(replies.begin());
            }
        };
        while (const auto due = prober.poll_timeout()) {
            const Instant at = awake_at(std::max(*due, start) + always_late);
            deliver_until(at);
            prober.handle_timeout(at);
            while (const auto out = prober.poll_transmit(at, buffer)) {
                const Duration service = services[sent++ % services.size()];
                if (service != never)
                    replies.emplace(at + service,
                                    std::vector(buffer.begin(), buffer.begin() + std::ptrdiff_t(out->bytes)));
            }
        }
        deliver_until(never);
        const LostProbes lost{prober.counters().lost(), second};
        Json summary = {{"sent", prober.counters().sent},
                        {"lost", lost.count},
                        {"due", prober.counters().sent + prober.unsent()},
                        {"unsent", prober.unsent()},
                        {"rtt_us", percentiles_us(prober.response(), lost)}};
        judge_schedule(summary);
        judge_lateness(summary, prober.response(), prober.service(), lost.count);
        return summary;
    }
};

Met met(const Json& summary, const std::string& condition) {
    return parse_conditions({condition}).front().met_by(summary);
}

TEST(Verdict, a_punctual_run_stands) {
    const Json summary = Simulation{.services = {50 * microsecond}}.run();
    EXPECT_TRUE(summary["valid"]);
    for (const auto& [name, stands] : summary["stands"].items()) EXPECT_TRUE(stands) << name;
    EXPECT_EQ(summary["due"], 10'000);
    EXPECT_EQ(met(summary, "p99>60us"), Met::yes);
    EXPECT_EQ(met(summary, "p99>40us"), Met::no);
}

TEST(Verdict, a_stall_reaches_only_the_percentiles_it_reaches) {
    // 30 of 10,000 probes leave up to 3 ms late.
    const Json summary =
        Simulation{.stalls = {{second + 500 * millisecond, second + 503 * millisecond}}, .services = {50 * microsecond}}
            .run();
    EXPECT_TRUE(summary["valid"]) << summary;
    for (const char* name : {"p50", "p90", "p99"}) EXPECT_TRUE(summary["stands"][name]) << name;
    for (const char* name : {"p999", "p9999", "max"}) EXPECT_FALSE(summary["stands"][name]) << name;
    EXPECT_NEAR(summary["lateness_us"]["max"].get<double>(), 3'000, 10);
    EXPECT_EQ(met(summary, "p99>100us"), Met::yes);
    EXPECT_EQ(met(summary, "p99.9>100us"), Met::undecided);
    EXPECT_EQ(met(summary, "p99.9>10ms"), Met::yes) << "a bound that passes with lateness has passed";
    EXPECT_EQ(met(summary, "p99.9>40us"), Met::no) << "it fails without lateness as well";
}

TEST(Verdict, lateness_that_reaches_the_median_makes_a_run_invalid) {
    const Json late = Simulation{.always_late = 60 * microsecond, .services = {50 * microsecond}}.run();
    EXPECT_FALSE(late["valid"]);
    EXPECT_NE(late["invalid_reason"].get<std::string>().find("60.0 of the 110.0 us"), std::string::npos) << late;
    EXPECT_TRUE((Simulation{.always_late = microsecond / 2, .services = {5 * microsecond}}.run()["valid"]));
    EXPECT_TRUE((Simulation{.always_late = 60 * microsecond, .services = {5 * millisecond}}.run()["valid"]));
}

TEST(Verdict, a_slow_peer_is_not_the_senders_lateness) {
    std::vector<Duration> services(100, 50 * microsecond);
    services[7] = 20 * millisecond;
    const Json summary = Simulation{.services = services}.run();
    EXPECT_TRUE(summary["valid"]);
    EXPECT_TRUE(summary["stands"]["p999"]);
    EXPECT_EQ(met(summary, "p99.9>10ms"), Met::no);
}

TEST(Verdict, a_stall_over_the_end_leaves_probes_unsent_however_few) {
    for (const double rate : {4.0, 100.0, 10'000.0}) {
        const Simulation simulation{.rate_per_s = rate,
                                    .length = 2 * second,
                                    .stalls = {{second + 500 * millisecond, second + 2'600 * millisecond}},
                                    .services = {50 * microsecond}};
        const Json summary = simulation.run();
        EXPECT_FALSE(summary["valid"]) << rate;
        EXPECT_EQ(summary["due"], 2 * rate);
        EXPECT_LE(summary["sent"], rate / 2 + 1);
    }
    const Json none =
        Simulation{.rate_per_s = 100, .length = second / 5, .stalls = {{0, 3 * second}}, .services = {microsecond}}
            .run();
    EXPECT_FALSE(none["valid"]);
    EXPECT_EQ(none["due"], 20);
    EXPECT_EQ(none["sent"], 0);
    EXPECT_EQ(none["invalid_reason"], "20 were due, but 20 not sent: 0.0 % of the requested rate");
}

TEST(Verdict, a_short_stall_over_the_end_costs_no_probe) {
    const Json summary = Simulation{.stalls = {{2 * second - 5 * millisecond, 2 * second + 2 * millisecond}},
                                    .services = {50 * microsecond}}
                             .run();
    EXPECT_TRUE(summary["valid"]) << summary;
    EXPECT_EQ(summary["sent"], 10'000);
}

TEST(Verdict, lost_probes_are_longer_than_any_answered) {
    const Json summary =
        Simulation{.services = {50 * microsecond, never, 50 * microsecond, 50 * microsecond, never}}.run();
    EXPECT_EQ(summary["lost"], 4'000);
    EXPECT_NEAR(summary["rtt_us"]["p50"].get<double>(), 50, 0.1);
    for (const char* name : {"p90", "p99", "p999", "max"}) EXPECT_TRUE(summary["rtt_us"][name].is_null()) << name;
    EXPECT_EQ(summary["rtt_us"]["lost_beyond"], 1e6);
    EXPECT_EQ(met(summary, "p99>50ms"), Met::no);
    EXPECT_EQ(met(summary, "p50>50ms"), Met::yes);
    EXPECT_EQ(met(summary, "loss>30%"), Met::no);
    const Json silent = Simulation{.services = {never}}.run();
    EXPECT_EQ(met(silent, "p50>50ms"), Met::no);
}

/// A punctual sender would have seen the service times alone. No verdict about a limit contradicts that.
TEST(Verdict, no_limit_is_decided_wrongly) {
    for (std::uint32_t seed = 0; seed < 200; ++seed) {
        std::mt19937 random(seed);
        const auto below = [&](Duration most) {
            return static_cast<Duration>(random() % static_cast<std::uint64_t>(most));
        };
        Simulation simulation{.rate_per_s = 5'000, .length = second / 5};
        for (int i = 0; i < 1'000; ++i)
            simulation.services.push_back(20 * microsecond +
                                          (random() % 50 == 0 ? below(5 * millisecond) : below(20 * microsecond)));
        for (Instant at = second; at < 2 * second; at += below(100 * millisecond) + microsecond)
            simulation.stalls.push_back({at, at += below(8 * millisecond)});
        const Json summary = simulation.run();
        if (summary["unsent"] > 0) continue;
        std::vector<Duration> truth(simulation.services);
        std::ranges::sort(truth);
        for (const auto& [figure, rank] : {std::pair{"p50", 500}, {"p90", 900}, {"p99", 990}, {"p99.9", 999}}) {
            const auto true_us = static_cast<double>(truth[static_cast<std::size_t>(rank) - 1]) / 1e3;
            for (const double factor : {0.3, 0.9, 0.99, 1.01, 1.1, 3.0, 10.0}) {
                const Met verdict =
                    Condition{"", figure == std::string("p99.9") ? "p999" : figure, true, true_us * factor}.met_by(
                        summary);
                EXPECT_NE(verdict, factor < 1 ? Met::yes : Met::no)
                    << figure << ", factor " << factor << ", seed " << seed;
            }
        }
    }
}

}  // namespace
}  // namespace ringpost::apps
