#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "codec/base/limits.hpp"
#include "codec/traffic/frame.hpp"

namespace ringpost::traffic {

/// Verifies whole trains of frames, several times faster than decode() verifies their frames one by one, and with the
/// same result; see the .cpp. Allocates nothing after construction.
class TrainChecker {
  public:
    TrainChecker();

    /// How many frames at the front of `train`, which is cut every `frame_bytes`, decode() would accept as frames of
    /// one stream with consecutive sequences. May be too small, down to 0, but never too large.
    std::size_t intact(std::span<const std::byte> train, std::size_t frame_bytes);

  private:
    /// False if frames of this size are not expected.
    bool expects(std::size_t frame_bytes);
    bool equals_expected(const std::byte* received, const Frame& first, std::size_t count);

    std::optional<HeaderWriter> headers_;  ///< of the expected size
    std::vector<std::byte> expected_;      ///< frames of that size with their fill
    std::size_t newest_bytes_ = 0;         ///< the size of the newest train
};

}  // namespace ringpost::traffic
