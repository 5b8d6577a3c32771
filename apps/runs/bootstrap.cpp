#include "apps/runs/bootstrap.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <random>

namespace ringpost::apps {
namespace {

/// How many times each of `count` blocks occurs in as many draws with replacement. (The standard specifies the output
/// of the generator but not that of its distributions; a seed must give the same result everywhere.)
std::vector<double> draw(std::mt19937_64& random, std::size_t count) {
    std::vector<double> times(count);
    for (std::size_t i = 0; i < count; ++i) ++times[(random() >> 32) * count >> 32];
    return times;
}

Measures change_of(const Measures& first, const Measures& second) {
    Measures change{};
    for (std::size_t i = 0; i < measures; ++i) {
        const double difference = second[i] - first[i];
        change[i] = i == loss ? difference : ratio(difference, first[i]);
    }
    return change;
}

}  // namespace

RunBlocks blocks_of(const KeptRun& run) {
    const std::size_t per_block = (run.series.size() + RunBlocks::blocks_max - 1) / RunBlocks::blocks_max;
    RunBlocks blocks;
    std::map<std::size_t, std::vector<double>> by_bucket;  // index -> count in each block
    const std::size_t count = per_block == 0 ? 0 : (run.series.size() + per_block - 1) / per_block;
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
    double total = 0;
    for (const double count : counts) total += count;
    Measures found{ratio(sent, length_s), ratio(std::max(lost, 0.0), sent), 0, 0, 0};
    double passed = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const double before = passed;
        passed += counts[i];
        for (const auto& [measure, share] : {std::pair{p50_us, 0.5}, {p99_us, 0.99}, {p999_us, 0.999}}) {
            const double rank = std::ceil(std::nextafter(share, 0) * total);
            if (before < rank && passed >= rank) found[measure] = blocks.value_us[i];
        }
    }
    return found;
}

std::array<Change, measures> changes(const RunBlocks& first, const RunBlocks& second, std::uint64_t seed) {
    const std::vector<double> once_first(first.sent.size(), 1), once_second(second.sent.size(), 1);
    const Measures of_first = measures_of(first, once_first), of_second = measures_of(second, once_second);
    const Measures measured = change_of(of_first, of_second);
    std::array<std::vector<double>, measures> drawn;
    std::mt19937_64 random(seed);
    for (std::size_t round = 0; round < resamples; ++round) {
        const Measures a = measures_of(first, draw(random, first.sent.size()));
        const Measures b = measures_of(second, draw(random, second.sent.size()));
        const Measures change = change_of(a, b);
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
