// The cost per call of the containers in codec/base. Inputs come from a seeded generator, so that the compiler cannot
// fold them and the branch predictor cannot learn a short pattern. The std:: containers that could replace the timer
// wheel and the table are measured as references.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "codec/base/lru_table.hpp"
#include "codec/base/siphash.hpp"
#include "codec/base/timer_wheel.hpp"
#include "codec/measure/histogram.hpp"

namespace ringpost {
namespace {

constexpr SipKey bench_key{0x243f'6a88'85a3'08d3, 0x1319'8a2e'0370'7344};
constexpr std::size_t inputs = 1 << 16;

// As large as the address and port of a source.
struct Key {
    std::uint64_t high;
    std::uint64_t low;
};

std::vector<std::uint64_t> random_numbers(std::size_t count) {
    std::mt19937_64 random(1);
    std::vector<std::uint64_t> numbers(count);
    for (std::uint64_t& number : numbers) number = random();
    return numbers;
}

Key key_of(std::uint64_t number) { return {number * 0x9e37'79b9'7f4a'7c15, number}; }

void histogram_record(benchmark::State& state) {
    // Distributed like loopback round trips: a few microseconds with a long tail.
    std::mt19937_64 random(1);
    std::lognormal_distribution<double> durations(8.5, 1.0);
    std::vector<Duration> values(inputs);
    for (Duration& value : values) value = static_cast<Duration>(durations(random));
    Histogram histogram;
    std::size_t i = 0;
    for (auto _ : state) histogram.record(values[i++ % inputs]);
    benchmark::DoNotOptimize(histogram.count());
    benchmark::DoNotOptimize(histogram.percentile(99));
}
BENCHMARK(histogram_record);

void siphash_16_bytes(benchmark::State& state) {
    const std::vector<std::uint64_t> numbers = random_numbers(inputs + 1);
    const auto bytes = std::as_bytes(std::span(numbers));
    std::size_t i = 0;
    for (auto _ : state) benchmark::DoNotOptimize(siphash(bench_key, bytes.subspan(i++ % inputs * 8, 16)));
}
BENCHMARK(siphash_16_bytes);

void lru_table_touch_hit(benchmark::State& state) {
    const auto entries = static_cast<std::uint32_t>(state.range(0));
    LruTable<Key, std::uint64_t> table(entries, bench_key);
    for (std::uint64_t entry = 0; entry < entries; ++entry) table.touch(key_of(entry));
    const std::vector<std::uint64_t> numbers = random_numbers(inputs);
    std::size_t i = 0;
    for (auto _ : state) benchmark::DoNotOptimize(++table.touch(key_of(numbers[i++ % inputs] % entries)));
    if (table.evictions() != 0) state.SkipWithError("a touch missed");
}
BENCHMARK(lru_table_touch_hit)->Arg(1 << 10)->Arg(1 << 16);

// The reference: only the look-up in a std::unordered_map with the same hash, without recency or eviction.
void unordered_map_find_hit(benchmark::State& state) {
    const auto hash = [](std::uint64_t number) {
        const Key key = key_of(number);
        return siphash(bench_key, std::as_bytes(std::span(&key, 1)));
    };
    const auto entries = static_cast<std::uint64_t>(state.range(0));
    std::unordered_map<std::uint64_t, std::uint64_t, decltype(hash)> table(entries, hash);
    for (std::uint64_t entry = 0; entry < entries; ++entry) table[entry] = 0;
    const std::vector<std::uint64_t> numbers = random_numbers(inputs);
    std::size_t i = 0;
    for (auto _ : state) benchmark::DoNotOptimize(++table.find(numbers[i++ % inputs] % entries)->second);
}
BENCHMARK(unordered_map_find_hit)->Arg(1 << 10)->Arg(1 << 16);

// The reference: the interface of the timer wheel over a std::set.
class TimerSet {
  public:
    explicit TimerSet(std::uint32_t capacity) : deadlines_(capacity, never) {}
    void schedule(TimerIndex index, Instant at) {
        cancel(index);
        deadlines_[index] = at;
        order_.emplace(at, index);
    }
    void cancel(TimerIndex index) {
        if (deadlines_[index] != never) order_.erase({deadlines_[index], index});
        deadlines_[index] = never;
    }
    Instant next() const { return order_.begin()->first; }
    template <class F>
    std::size_t expire(Instant now, F&& on_expired) {
        std::size_t fired = 0;
        for (; !order_.empty() && order_.begin()->first <= now; ++fired) {
            const auto [at, index] = *order_.begin();
            cancel(index);
            on_expired(index, at);
        }
        return fired;
    }

  private:
    std::vector<Instant> deadlines_;
    std::set<std::pair<Instant, TimerIndex>> order_;
};

Instant next_of(const TimerWheel& timers) { return *timers.next(); }
Instant next_of(const TimerSet& timers) { return timers.next(); }

// All deadlines are within the next second. Each iteration reschedules one timer and cancels another, as an
// acknowledgement does, so that half of the timers are set.
template <class Timers>
void timers_schedule_cancel(benchmark::State& state) {
    const auto count = static_cast<std::uint32_t>(state.range(0));
    Timers timers(count);
    const std::vector<std::uint64_t> numbers = random_numbers(inputs);
    for (TimerIndex index = 0; index < count; ++index) {
        timers.schedule(index, static_cast<Instant>(numbers[index % inputs] % second));
    }
    std::uint64_t i = 0;
    for (auto _ : state) {
        const std::uint64_t number = numbers[i % inputs] + i;
        ++i;
        timers.schedule(static_cast<TimerIndex>(number % count), static_cast<Instant>((number >> 20) % second));
        timers.cancel(static_cast<TimerIndex>((number >> 24) % count));
    }
    benchmark::DoNotOptimize(next_of(timers));
}

// Every expired timer is rescheduled within the next 200 ms, and the clock jumps to the next deadline. The time shown
// is per expired timer and includes rescheduling and cascading.
template <class Timers>
void timers_schedule_expire(benchmark::State& state) {
    const auto count = static_cast<std::uint32_t>(state.range(0));
    Timers timers(count);
    const std::vector<std::uint64_t> numbers = random_numbers(inputs);
    std::uint64_t drawn = 0;
    const auto delay = [&] {
        const std::uint64_t number = numbers[drawn % inputs] + drawn * 7'919;
        ++drawn;
        return 1 + static_cast<Duration>(number % (200 * millisecond));
    };
    for (TimerIndex index = 0; index < count; ++index) timers.schedule(index, delay());
    Instant now = 0;
    const auto on_expired = [&](TimerIndex index, Instant) { timers.schedule(index, now + delay()); };
    while (now < second) timers.expire(now = next_of(timers), on_expired);  // reach the steady state

    while (state.KeepRunningBatch(64)) {
        for (std::size_t fired = 0; fired < 64;) fired += timers.expire(now = next_of(timers), on_expired);
    }
}

BENCHMARK(timers_schedule_cancel<TimerWheel>)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);
BENCHMARK(timers_schedule_cancel<TimerSet>)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);
BENCHMARK(timers_schedule_expire<TimerWheel>)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);
BENCHMARK(timers_schedule_expire<TimerSet>)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);

}  // namespace
}  // namespace ringpost

BENCHMARK_MAIN();
