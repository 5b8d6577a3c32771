#include "codec/traffic/rate_search.hpp"

#include <algorithm>

namespace ringpost::traffic {

void RateSearch::tried(TrialResult result) {
    const bool passed = result == TrialResult::passed;
    if (!passed) above_ = result;
    switch (phase_) {
        case Phase::searching: (passed ? passed_ : failed_) = next_; break;
        case Phase::doubting:
            if (!passed) return confirm();
            // The earlier failure was chance. Search above it again, in growing steps.
            ++doubts_;
            advance_ = 2 * options_.resolution;
            passed_ = next_;
            failed_ = 0;
            break;
        case Phase::confirming:
            if (passed) {
                if (++confirmed_ == options_.confirmations) phase_ = Phase::finished;
                return;
            }
            // The earlier pass was chance. Search below it again, in growing steps.
            retreat_ = options_.resolution;
            failed_ = next_;
            passed_ = 0;
            break;
        case Phase::finished: return;
    }
    phase_ = Phase::searching;
    choose();
}

void RateSearch::choose() {
    if (passed_ >= options_.most) {
        above_ = TrialResult::passed;
        confirm();
    } else if (passed_ > 0 && failed_ > 0 && failed_ <= passed_ * (1 + options_.resolution)) {
        if (doubts_ == options_.doubts_max) return confirm();
        phase_ = Phase::doubting;
        next_ = failed_;
    } else if (failed_ == 0) {
        next_ = std::min(passed_ * (1 + advance_), options_.most);
        advance_ = std::min(2 * advance_, 1.0);
    } else if (passed_ > 0) {
        next_ = (passed_ + failed_) / 2;
    } else {
        if (failed_ <= options_.least) phase_ = Phase::finished;
        next_ = std::max(failed_ / (1 + retreat_), options_.least);
        retreat_ = std::min(2 * retreat_, 1.0);
    }
}

void RateSearch::confirm() {
    phase_ = Phase::confirming;
    confirmed_ = 0;
    next_ = passed_;
}

}  // namespace ringpost::traffic
