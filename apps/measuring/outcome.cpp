#include "apps/measuring/outcome.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "apps/runs/environment.hpp"

namespace ringpost::apps {
namespace {

Json to_json(const Outcome& of) {
    const Snapshot& end = of.snapshot;
    return {{"counts", of.counts},
            {"facts", of.facts},
            {"duration_s", of.duration_s},
            {"rate_share", of.rate_share},
            {"elapsed_s", end.elapsed_s},
            {"cpu_s", end.cpu_s},
            {"sent", end.sent},
            {"received", end.received},
            {"lost", end.lost},
            {"refused", end.refused},
            {"socket_dropped", end.socket_dropped}};
}

/// Without histograms.
Outcome from_json(const std::string& text) {
    const Json told = Json::parse(text);
    Outcome out;
    out.counts = told["counts"];
    out.facts = told["facts"];
    out.duration_s = told["duration_s"];
    out.rate_share = told["rate_share"];
    out.snapshot = {.elapsed_s = told["elapsed_s"],
                    .cpu_s = told["cpu_s"],
                    .sent = told["sent"],
                    .received = told["received"],
                    .lost = told["lost"],
                    .refused = told["refused"],
                    .socket_dropped = told["socket_dropped"],
                    .histograms = {}};
    return out;
}

}  // namespace

void Outcome::add(const Outcome& other) {
    for (const auto& [name, value] : other.counts.items())
        counts[name] = counts.value(name, std::uint64_t{0}) + value.get<std::uint64_t>();
    for (const auto& [name, value] : other.facts.items()) {
        if (!facts.contains(name)) facts[name] = value;
        if (value.is_boolean()) facts[name] = facts[name].get<bool>() && value.get<bool>();
    }
    snapshot.add(other.snapshot);
    duration_s = std::max(duration_s, other.duration_s);
    rate_share = std::min(rate_share, other.rate_share);
}

double rate_share_of(Instant start, Instant next_due, Instant end) {
    return end > start ? ratio(seconds(std::min(next_due, end) - start), seconds(end - start)) : 1;
}

Outcome join(const Agents& agents, Outcome mine) {
    if (agents.alone()) return mine;
    Outcome all;
    for (const std::string& text : agents.gather(to_json(mine).dump())) all.add(from_json(text));
    all.snapshot.histograms = std::move(mine.snapshot.histograms);
    for (Histogram& histogram : all.snapshot.histograms) agents.add_up(histogram);
    return all;
}

std::uint64_t one_seed(const Agents& agents, std::uint64_t seed) {
    return agents.alone() ? seed : std::stoull(agents.gather(std::to_string(seed)).front());
}

std::string agents_text(const Agents& agents) {
    return agents.alone() ? "" : fmt::format("{} agents, ", agents.count());
}

Outcome add_all(std::vector<Outcome> outcomes) {
    Outcome sum = std::move(outcomes.front());
    for (std::size_t i = 1; i < outcomes.size(); ++i) sum.add(outcomes[i]);
    sum.snapshot.cpu_s = cpu_seconds();
    return sum;
}

}  // namespace ringpost::apps
