#pragma once

namespace ringpost::apps {

/// Whether a launcher has started several of this process: `mpirun` of Open MPI, or one of another MPI, whose ranks
/// this program cannot join.
bool started_by_open_mpi();
bool started_by_another_launcher();

}  // namespace ringpost::apps
