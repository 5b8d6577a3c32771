#pragma once

#include <cstdint>

namespace ringpost {

/// SplitMix64 (Steele, Lea and Flood 2014): fast and reproducible on every host. Not for secrets.
class SplitMix64 {
  public:
    explicit SplitMix64(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t value = state_ += 0x9e37'79b9'7f4a'7c15;
        value = (value ^ value >> 30) * 0xbf58'476d'1ce4'e5b9;
        value = (value ^ value >> 27) * 0x94d0'49bb'1331'11eb;
        return value ^ value >> 31;
    }
    std::uint64_t below(std::uint64_t end) { return next() % end; }
    /// In [0, 1).
    double fraction() { return static_cast<double>(next() >> 11) * 0x1p-53; }
    bool chance(double p) { return p > 0 && fraction() < p; }

  private:
    std::uint64_t state_;
};

}  // namespace ringpost
