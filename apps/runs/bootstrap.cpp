#include "apps/runs/bootstrap.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <numeric>
#include <optional>
#include <random>

namespace ringpost::apps {
namespace {

/// One of `count`. (The standard specifies the output of the generator but not that of its distributions; a seed must
/// give the same result everywhere.)
std::size_t draw_one(std::mt19937_64& random, std::size_t count) { return (random() >> 32) * count >> 32; }

/// How many times each of `count` blocks occurs in as many draws with replacement.
std::vector<double> draw(std::mt19937_64& random, std::size_t count) {
    std::vector<double> times(count);
    for (std::size_t i = 0; i < count; ++i) ++times[draw_one(random, count)];
    return times;
}

void add(Measures& sum, const Measures& other) {
    for (std::size_t i = 0; i < measures; ++i) sum[i] += other[i];
}

Measures mean_of(Measures sum, std::size_t count) {
    for (double& each : sum) each /= static_cast<double>(count);
    return sum;
}

Measures mean_of(const std::vector<RunBlocks>& side) {
    Measures sum{};
    for (const RunBlocks& run : side) add(sum, measures_of(run));
    return mean_of(sum, side.size());
}

/// Draws as many runs as the side has, and from each its intervals.
Measures resample(const std::vector<RunBlocks>& side, std::mt19937_64& random) {
    Measures sum{};
    for (std::size_t i = 0; i < side.size(); ++i) {
        const RunBlocks& run = side[side.size() > 1 ? draw_one(random, side.size()) : 0];
        add(sum, measures_of(run, draw(random, run.sent.size())));
    }
    return mean_of(sum, side.size());
}

constexpr struct {
    Measure measure;
    double share;
} percentile_measures[] = {{p50_us, 0.5}, {p99_us, 0.99}, {p999_us, 0.999}};

/// Steps towards zero first, because the product may round up.
double rank_of(double share, double count) { return std::ceil(std::nextafter(share, 0) * count); }

Measures change_of(const Measures& first, const Measures& second) {
    Measures change{};
    for (std::size_t i = 0; i < measures; ++i) {
        const double difference = second[i] - first[i];
        change[i] = i == loss ? difference : ratio(difference, first[i]);
    }
    return change;
}

}  // namespace

namespace {

double missing_share(const KeptRun& run) {
    const auto count = [&](const char* name) {
        const Json found = run.results.value(name, Json());
        return found.is_number() ? found.get<double>() : 0;
    };
    return ratio(count("errors") + (run.far_known() == true ? count("lost") : 0), count("sent"));
}

}  // namespace

RunBlocks blocks_of(const KeptRun& run) {
    const std::size_t per_block =
        std::max<std::size_t>((run.series.size() + RunBlocks::blocks_max - 1) / RunBlocks::blocks_max, 1);
    RunBlocks blocks;
    blocks.missing_share = missing_share(run);
    if (!run.recordings.empty() && run.recordings[0] == "response") blocks.timeout_us = run.timeout_us();
    std::map<std::size_t, std::vector<double>> by_bucket;  // index -> count in each block
    const std::size_t count = (run.series.size() + per_block - 1) / per_block;
    blocks.length_s.resize(count);
    blocks.sent.resize(count);
    blocks.lost.resize(count);
    blocks.counts.resize(count);
    std::optional<IntervalReader> reader;
    if (!run.recordings.empty()) reader.emplace(run, run.recordings[0]);
    for (std::size_t row = 0; row < run.series.size(); ++row) {
        const std::size_t block = row / per_block;
        blocks.length_s[block] += run.series[row].length_s();
        blocks.sent[block] += static_cast<double>(run.series[row].counted.sent);
        blocks.lost[block] += static_cast<double>(run.series[row].counted.lost);
        const auto interval = reader ? reader->next() : std::nullopt;
        if (!interval) continue;
        const auto counts = interval->histogram.bucket_counts();
        for (std::size_t index = 0; index < counts.size(); ++index) {
            if (counts[index] == 0) continue;
            auto& in_blocks = by_bucket[index];
            in_blocks.resize(count);
            in_blocks[block] += static_cast<double>(counts[index]);
        }
    }
    for (const auto& [index, in_blocks] : by_bucket) {
        blocks.value_us.push_back(static_cast<double>(Histogram::highest_of(index)) / 1e3);
        for (std::size_t block = 0; block < count; ++block) blocks.counts[block].push_back(in_blocks[block]);
    }
    return blocks;
}

Measures measures_of(const RunBlocks& blocks, const std::vector<double>& times) {
    double length_s = 0, sent = 0, lost = 0;
    std::vector<double> counts(blocks.value_us.size());
    for (std::size_t block = 0; block < times.size(); ++block) {
        if (times[block] == 0) continue;
        length_s += times[block] * blocks.length_s[block];
        sent += times[block] * blocks.sent[block];
        lost += times[block] * blocks.lost[block];
        for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += times[block] * blocks.counts[block][i];
    }
    lost = std::max(lost, 0.0);
    double total = 0;
    for (const double count : counts) total += count;
    Measures found{ratio(sent, length_s), ratio(lost, sent) + blocks.missing_share, 0, 0, 0};
    if (blocks.timeout_us > 0 && lost > 0) {
        total += lost;
        const double longest = blocks.value_us.empty() ? 0 : blocks.value_us.back();
        for (const auto& each : percentile_measures) found[each.measure] = std::max(blocks.timeout_us, longest);
    }
    double passed = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const double before = passed;
        passed += counts[i];
        for (const auto& [measure, share] : percentile_measures) {
            const double rank = rank_of(share, total);
            if (before < rank && passed >= rank) found[measure] = blocks.value_us[i];
        }
    }
    return found;
}

Measures measures_of(const RunBlocks& blocks) {
    return measures_of(blocks, std::vector<double>(blocks.sent.size(), 1));
}

bool is_beyond_timeout(const RunBlocks& blocks, std::size_t measure) {
    const auto* const found = std::ranges::find(
        percentile_measures, measure, [](const auto& each) { return static_cast<std::size_t>(each.measure); });
    if (found == std::end(percentile_measures) || blocks.timeout_us == 0) return false;
    double answered = 0, lost = 0;
    for (const std::vector<double>& block : blocks.counts) answered += std::accumulate(block.begin(), block.end(), 0.0);
    for (const double each : blocks.lost) lost += each;
    return lost > 0 && rank_of(found->share, answered + lost) > answered;
}

std::array<Change, measures> changes(const std::vector<RunBlocks>& first, const std::vector<RunBlocks>& second,
                                     std::uint64_t seed) {
    const Measures of_first = mean_of(first), of_second = mean_of(second);
    const Measures measured = change_of(of_first, of_second);
    std::array<std::vector<double>, measures> drawn;
    std::mt19937_64 random(seed);
    for (std::size_t round = 0; round < resamples; ++round) {
        const Measures a = resample(first, random);
        const Measures change = change_of(a, resample(second, random));
        for (std::size_t i = 0; i < measures; ++i) drawn[i].push_back(change[i]);
    }
    std::array<Change, measures> found;
    for (std::size_t i = 0; i < measures; ++i) {
        std::ranges::sort(drawn[i]);
        found[i] = {of_first[i], of_second[i], measured[i], drawn[i][resamples * 25 / 1000],
                    drawn[i][resamples * 975 / 1000 - 1]};
    }
    return found;
}

}  // namespace ringpost::apps
