#pragma once

#include <cstdint>
#include <functional>

namespace ringpost::apps {

/// What became of a trial at one pace.
enum class Pace : std::uint8_t {
    held,     ///< sent at that pace, and no more was lost than allowed
    slower,   ///< no more was lost than allowed, but the sender fell behind
    lossy,    ///< too much was lost
    stopped,  ///< the search must end now: a signal, an unreachable peer
};

struct PaceTried {
    Pace pace = Pace::stopped;
    double sent_per_s = 0;  ///< the rate that the sender achieved
};

struct PaceSearch {
    double first = 0;           ///< the first pace to try, per second
    double most = 0;            ///< nothing is tried above it
    double least = 1;           ///< the search fails below it
    double resolution = 0.03;   ///< relative distance between held and lossy at which it ends
    int confirmations_max = 8;  ///< attempts to confirm a pace, each below the one before
};

struct PaceFound {
    double per_s = 0;  ///< the rate that was confirmed; 0: none
    /// What a higher pace came to: lossy, or slower. `held`: nothing higher was allowed.
    Pace above = Pace::held;
    bool stopped = false;
};

/// Searches the highest rate without more loss than allowed: halving or growing from `first`, bisection, then
/// confirmation, where each loss lowers the pace. A pace at which the sender falls behind ends the search upward: the
/// rate that it achieved is confirmed. attempt(pace, confirming) makes a trial.
PaceFound search_pace(const PaceSearch& search, const std::function<PaceTried(double per_s, bool confirming)>& attempt);

}  // namespace ringpost::apps
