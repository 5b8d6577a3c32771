#include "apps/cli/sandbox.hpp"

namespace ringpost::apps {

void add_sandbox(CLI::App& command, CommonOptions& options) {
    options.sandbox = true;
    begin_group(command, "Engine");
    command.add_flag("!--no-sandbox", options.sandbox,
                     "keep access to files and to all system calls, which a started server gives up");
}

void Sandbox::deny_files(const KeptFiles& kept) {
    if (on_) no_files_ = ringpost::deny_files(kept);
}

void Sandbox::deny_calls(AllowedCalls allowed) {
    if (!on_) return;
    const std::optional<Error> no_calls = ringpost::deny_calls(allowed);
    if (no_files_ || no_calls)
        report_.note("sandbox incomplete: " + (no_files_ ? no_files_->text : "") + (no_files_ && no_calls ? "; " : "") +
                     (no_calls ? no_calls->text : ""));
}

}  // namespace ringpost::apps
