#pragma once

// The sandbox of commands that listen.

#include "apps/cli/options.hpp"
#include "engine/os/sandbox.hpp"

namespace ringpost::apps {

/// --no-sandbox. The sandbox is on unless it is given.
void add_sandbox(CLI::App& command, CommonOptions& options);

/// Takes from the process what a server does not need once it has started. What the kernel does not support is left
/// out, and one note says so. Does nothing unless the command has the option --no-sandbox and it is not given.
class Sandbox {
  public:
    Sandbox(const CommonOptions& options, const Report& report) : on_(options.sandbox), report_(report) {}

    /// Once files are read and names are resolved, before the engines' threads are started.
    void deny_files(const KeptFiles& kept = {});
    /// Once all is open, before the first datagram is read.
    void deny_calls(AllowedCalls allowed = {});

  private:
    bool on_;
    const Report& report_;
    std::optional<Error> no_files_;  ///< why the first step has failed
};

}  // namespace ringpost::apps
