#pragma once

#include <optional>
#include <string>

#include <ringpost/time.hpp>

namespace ringpost::apps {

/// The lines of standard input, as they come: reading never waits.
class Lines {
  public:
    /// To be looked at so often while nothing else happens.
    static constexpr Duration look_every = 10 * millisecond;

    /// The next whole line, without its newline; nothing when there is none yet, or no more.
    std::optional<std::string> next();
    bool ended() const { return ended_ && pending_.empty(); }
    /// Nothing is read any more.
    void end() { ended_ = true; }

  private:
    bool read_some();

    std::string pending_;
    bool ended_ = false;
};

}  // namespace ringpost::apps
