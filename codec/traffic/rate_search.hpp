#pragma once

#include <cstdint>
#include <optional>

namespace ringpost::traffic {

struct RateSearchOptions {
    double first = 1'000;      ///< first rate to try, per second
    double most = 1e9;         ///< upper limit
    double least = 1;          ///< lower limit
    double resolution = 0.02;  ///< relative distance between a passing and a failing rate at which the search ends
    int confirmations = 3;     ///< times that the result must pass again
};

/// Searches for the highest rate at which a trial passes, following RFC 2544, section 26.1, and the NDR/PDR searches
/// derived from it: doubles the rate until a trial fails, bisects, and confirms the result. If the confirmation fails,
/// the search continues below it. The caller runs the trials.
class RateSearch {
  public:
    explicit RateSearch(const RateSearchOptions& options) : options_(options), next_(options.first) {}

    /// The next rate to try; nullopt if the search is finished.
    std::optional<double> next() const { return finished_ ? std::nullopt : std::optional(next_); }
    /// Reports the result of the trial at next().
    void tried(bool passed);

    /// The confirmed rate; nullopt while the search is running or if no rate passes.
    std::optional<double> found() const { return finished_ && passed_ > 0 ? std::optional(passed_) : std::nullopt; }
    bool confirming() const { return confirming_; }

  private:
    void choose();

    RateSearchOptions options_;
    double next_;
    double passed_ = 0;  ///< highest rate that passed below failed_; 0: none
    double failed_ = 0;  ///< lowest rate that failed; 0: none
    bool confirming_ = false, finished_ = false;
    int confirmed_ = 0;
    double retreat_ = 1;  ///< relative step below failed_ while no rate has passed
};

}  // namespace ringpost::traffic
