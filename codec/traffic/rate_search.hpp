#pragma once

#include <cstdint>
#include <optional>

namespace ringpost::traffic {

struct RateSearchOptions {
    double first = 1'000;      ///< tried first, per second
    double most = 1e9;         ///< none above it is tried
    double least = 1;          ///< none below it is tried
    double resolution = 0.02;  ///< the search ends when the rate that passed is so near to one that did not
    int confirmations = 3;     ///< the rate found must pass so often again
};

/// Finds the highest rate at which a trial passes, in the manner of RFC 2544, section 26.1, and of the NDR and PDR
/// searches that follow it: doubled until a trial fails, halved between the two, and what is found is tried again; if
/// it fails then, the search goes on below it. Pure: the caller makes the trials.
class RateSearch {
  public:
    explicit RateSearch(const RateSearchOptions& options) : options_(options), next_(options.first) {}

    /// The rate to be tried next; nothing when the search is over.
    std::optional<double> next() const { return over_ ? std::nullopt : std::optional(next_); }
    /// What came of next().
    void tried(bool passed);

    /// The rate that passed and was confirmed; nothing while there is none, or when no rate passes.
    std::optional<double> found() const { return over_ && passed_ > 0 ? std::optional(passed_) : std::nullopt; }
    bool confirming() const { return confirming_; }

  private:
    void choose();

    RateSearchOptions options_;
    double next_;
    double passed_ = 0;  ///< the highest that has passed below failed_; 0: none
    double failed_ = 0;  ///< the lowest that has failed; 0: none
    bool confirming_ = false, over_ = false;
    int confirmed_ = 0;
    double retreat_ = 1;  ///< where nothing is known to pass: how far below failed_ to try, as a share
};

}  // namespace ringpost::traffic
