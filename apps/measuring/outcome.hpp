#pragma once

#include <string>
#include <vector>

#include "apps/cli/report.hpp"
#include "apps/measuring/agents.hpp"
#include "apps/runs/snapshot.hpp"

namespace ringpost::apps {

/// The result of one engine's run. The outcomes of several engines, and of several agents, add up to that of the run.
struct Outcome {
    Json counts = Json::object();  ///< whole numbers that add up, also within objects
    /// Properties that do not add up. The first value counts; a boolean is true if it is true for all.
    Json facts = Json::object();
    Snapshot snapshot;      ///< at the end
    double duration_s = 0;  ///< of the measurement; the longest

    void add(const Outcome& other);
};

/// Adds whole numbers by name, also within objects. Ignores anything else.
void add_counts(Json& counts, const Json& other);

/// Adds up the outcomes of all agents, and returns the sum to each. `mine` is that of this process.
Outcome join(const Agents& agents, Outcome mine);

/// Returns the first agent's seed to each agent, because their schedules are shares of one.
std::uint64_t one_seed(const Agents& agents, std::uint64_t seed);

/// `4 agents, `, or "" if there is only one.
std::string agents_text(const Agents& agents);

/// The sum of the outcomes of all engines of this process, with the processor time of the process.
Outcome add_all(std::vector<Outcome> outcomes);

}  // namespace ringpost::apps
