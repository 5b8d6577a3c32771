#include "apps/measuring/outcome.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "apps/runs/environment.hpp"
#include "apps/runs/figures.hpp"

namespace ringpost::apps {
namespace {

Json to_json(const Outcome& of) {
    Json out = {{"counts", of.counts}, {"facts", of.facts}, {"duration_s", of.duration_s}, {"snapshot", Json::array()}};
    for_each_number([&](Kind, const auto& number) { out["snapshot"].push_back(number(of.snapshot)); });
    return out;
}

/// Without histograms.
Outcome from_json(const std::string& text) {
    const Json received = Json::parse(text);
    Outcome out;
    out.counts = received["counts"];
    out.facts = received["facts"];
    out.duration_s = received["duration_s"];
    auto next = received["snapshot"].begin();
    for_each_number([&](Kind, const auto& number) { (next++)->get_to(number(out.snapshot)); });
    return out;
}

}  // namespace

void add_counts(Json& counts, const Json& other) {
    for (const auto& [name, value] : other.items()) {
        Json& sum = counts[name];
        if (value.is_object() && (sum.is_null() || sum.is_object()))
            add_counts(sum, value);
        else if (value.is_number_integer() && (sum.is_null() || sum.is_number_integer()))
            sum = (sum.is_null() ? 0 : sum.get<std::uint64_t>()) + value.get<std::uint64_t>();
    }
}

void Outcome::add(const Outcome& other) {
    add_counts(counts, other.counts);
    for (const auto& [name, value] : other.facts.items()) {
        if (!facts.contains(name)) facts[name] = value;
        if (value.is_boolean()) facts[name] = facts[name].get<bool>() && value.get<bool>();
    }
    snapshot.add(other.snapshot);
    duration_s = std::max(duration_s, other.duration_s);
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
