#pragma once

#include <optional>
#include <string>

#include <ringpost/time.hpp>

namespace ringpost::apps {

/// Reads lines from standard input without blocking.
class Lines {
  public:
    /// How often an otherwise idle caller should poll next().
    static constexpr Duration poll_interval = 10 * millisecond;

    /// The next complete line without its newline; nothing while there is none, and after the last.
    std::optional<std::string> next();
    /// True once the last line was returned.
    bool ended() const { return ended_ && pending_.empty(); }
    /// Stops reading.
    void end() { ended_ = true; }

  private:
    bool read_some();

    std::string pending_;
    std::size_t searched_ = 0;  ///< bytes of pending_ that have no newline
    bool ended_ = false;
};

}  // namespace ringpost::apps
