#pragma once

#include <string>
#include <vector>

#include "apps/cli/report.hpp"
#include "apps/measuring/agents.hpp"
#include "apps/runs/snapshot.hpp"

namespace ringpost::apps {

/// What one engine's run has come to. Those of several engines, and of several agents, add up to that of the whole run.
struct Outcome {
    Json counts = Json::object();  ///< whole numbers, all of which add up
    /// What is the same for all; where it is not, the first one's, and for true and false what holds for every one.
    Json facts = Json::object();
    Snapshot snapshot;      ///< at the end
    double duration_s = 0;  ///< of the measuring; the longest
    double rate_share = 1;  ///< of an open loop's rate, what was achieved; the least
    void add(const Outcome& other);
};

/// What an open loop has achieved of its rate when it ended with `next_due` as the first that was not sent.
double rate_share_of(Instant start, Instant next_due, Instant end);

/// The outcome of all agents together, at each of them; `mine` is what this process's engines add up to.
Outcome join(const Agents& agents, Outcome mine);

/// The seed of the first agent, at each: their schedules are shares of one.
std::uint64_t one_seed(const Agents& agents, std::uint64_t seed);

/// `4 agents, ` where there are several, else "".
std::string agents_text(const Agents& agents);

/// The sum of one outcome or more: of all engines of this process, whose processor time it is given.
Outcome add_all(std::vector<Outcome> outcomes);

}  // namespace ringpost::apps
