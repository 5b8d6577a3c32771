#include "apps/commands/load_search.hpp"

#include <algorithm>

namespace ringpost::apps {
namespace {

constexpr double pace_growth = 1.25;

}  // namespace

PaceFound search_pace(const PaceSearch& search,
                      const std::function<PaceTried(double per_s, bool confirming)>& attempt) {
    PaceFound out;
    double held = 0, lossy = 0;
    double next = std::clamp(search.first, search.least, search.most);
    while (held < search.most && (lossy == 0 || lossy > held * (1 + search.resolution))) {
        const PaceTried tried = attempt(next, false);
        if (tried.pace == Pace::stopped) return {.stopped = true};
        if (tried.pace != Pace::held) out.above = tried.pace;
        if (tried.pace == Pace::slower) {
            held = std::max(held, tried.sent_per_s);
            break;
        }
        if (tried.pace == Pace::held) {
            held = next;
        } else {
            if (next <= search.least) return out;
            lossy = next;
        }
        if (lossy == 0)
            next = std::min(held * pace_growth, search.most);
        else
            next = held == 0 ? std::max(lossy / 2, search.least) : (held + lossy) / 2;
    }
    for (int i = 0; i < search.confirmations_max && held >= search.least; ++i, held /= 1 + search.resolution) {
        const PaceTried tried = attempt(held, true);
        if (tried.pace == Pace::stopped) return {.stopped = true};
        if (tried.pace != Pace::held) out.above = tried.pace;
        if (tried.pace == Pace::lossy) continue;
        out.per_s = tried.sent_per_s;
        return out;
    }
    return out;
}

}  // namespace ringpost::apps
