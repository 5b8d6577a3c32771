#pragma once

#include <pthread.h>

#include "codec/base/check.hpp"

namespace ringpost {

/// A page that fork(2) replaces by zeros in the child (MADV_WIPEONFORK), so that reading it shows whether this process
/// is the one that made it.
class ForkMark {
  public:
    ForkMark();
    ~ForkMark();
    ForkMark(const ForkMark&) = delete;
    ForkMark& operator=(const ForkMark&) = delete;

    /// Whether this process is a child of the one that made the mark. One load.
    bool forked() const { return mark_ != nullptr && *mark_ == 0; }

  private:
    const volatile char* mark_;  ///< null: no memory; forked() is then false everywhere
};

/// The thread of an object that belongs to one thread: the one that made it. Costs two loads a check.
class Owner {
  public:
    bool forked() const { return fork_.forked(); }
    /// Whether the calling thread may use the object.
    bool here() const { return pthread_equal(thread_, pthread_self()) != 0 && !forked(); }
    /// Ends the process if it may not.
    void check() const {
        if (here()) [[likely]]
            return;
        if (forked())
            detail::check_failed("used after fork() in the child; only its parent may use this object", "ringpost", 0);
        detail::check_failed("used on another thread than the one that opened this object", "ringpost", 0);
    }

  private:
    pthread_t thread_ = pthread_self();
    ForkMark fork_;
};

}  // namespace ringpost
