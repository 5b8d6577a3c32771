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
    int doubts_max = 4;        ///< times that a failing rate is tried again; ends a search among random results
};

enum class TrialResult : std::uint8_t {
    passed,
    failed,
    cannot_tell,  ///< the sender spoilt it; its rate does not count as passed
};

/// Searches for the highest rate at which a trial passes, following RFC 2544, section 26.1, and the NDR/PDR searches
/// derived from it: doubles the rate until a trial fails, bisects, tries the failing rate again, and confirms the
/// result. If the failing rate passes now, the search continues above it; if the confirmation fails, below it. The
/// caller runs the trials, and repeats those that chance may have spoilt.
class RateSearch {
  public:
    explicit RateSearch(const RateSearchOptions& options) : options_(options), next_(options.first) {}

    /// The next rate to try; nullopt if the search is finished.
    std::optional<double> next() const { return phase_ == Phase::finished ? std::nullopt : std::optional(next_); }
    /// Reports the result of the trial at next().
    void tried(TrialResult result);

    /// The confirmed rate; nullopt while the search is running or if no rate passes.
    std::optional<double> found() const {
        return phase_ == Phase::finished && passed_ > 0 ? std::optional(passed_) : std::nullopt;
    }
    bool searching() const { return phase_ == Phase::searching; }
    bool confirming() const { return phase_ == Phase::confirming; }
    /// The result at the lowest rate above found(); passed if found() is RateSearchOptions::most.
    TrialResult above() const { return above_; }

  private:
    void choose();
    void confirm();

    RateSearchOptions options_;
    double next_;
    double passed_ = 0;                        ///< highest rate that passed below failed_; 0: none
    double failed_ = 0;                        ///< lowest rate that did not pass; 0: none
    TrialResult above_ = TrialResult::passed;  ///< at failed_
    enum class Phase : std::uint8_t { searching, doubting, confirming, finished };
    Phase phase_ = Phase::searching;
    int confirmed_ = 0;
    int doubts_ = 0;      ///< times that a failing rate has passed when it was tried again
    double retreat_ = 1;  ///< relative step below failed_ while no rate has passed
    double advance_ = 1;  ///< relative step above passed_ while no rate has failed
};

}  // namespace ringpost::traffic
