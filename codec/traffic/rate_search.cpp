#include "codec/traffic/rate_search.hpp"

#include <algorithm>

namespace ringpost::traffic {

void RateSearch::tried(bool passed) {
    if (confirming_ && passed) {
        finished_ = ++confirmed_ == options_.confirmations;
        return;
    }
    if (confirming_) {
        // The earlier pass was chance. Search below it again, in growing steps.
        confirming_ = false;
        retreat_ = options_.resolution;
        failed_ = next_;
        passed_ = 0;
    } else if (passed) {
        passed_ = next_;
    } else {
        failed_ = next_;
    }
    choose();
}

void RateSearch::choose() {
    const bool narrow = passed_ > 0 && failed_ > 0 && failed_ <= passed_ * (1 + options_.resolution);
    if (narrow || passed_ >= options_.most) {
        confirming_ = true;
        confirmed_ = 0;
        next_ = passed_;
    } else if (failed_ == 0) {
        next_ = std::min(passed_ * 2, options_.most);
    } else if (passed_ > 0) {
        next_ = (passed_ + failed_) / 2;
    } else {
        finished_ = failed_ <= options_.least;
        next_ = std::max(failed_ / (1 + retreat_), options_.least);
        retreat_ = std::min(2 * retreat_, 1.0);
    }
}

}  // namespace ringpost::traffic
