#pragma once

// Memory that runs out: the command reports that, and ends in order, with its report.

namespace ringpost::apps {

/// Sets memory aside for the end of a run. When there is no other, on any thread, it is used and the command ends as
/// after SIGTERM, with the exit code Exit::failed. When there is none at all, or before this call, it ends at once.
/// Both print a line that names the limit. After catch_signals().
void set_memory_aside();

/// What was set aside is used.
bool out_of_memory();

}  // namespace ringpost::apps
