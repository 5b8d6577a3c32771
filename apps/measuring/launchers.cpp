#include "apps/measuring/launchers.hpp"

#include <cstdlib>
#include <string_view>

namespace ringpost::apps {
namespace {

bool is_set_to_other(const char* name, std::string_view alone) {
    const char* const value = std::getenv(name);
    return value != nullptr && value != alone;
}

}  // namespace

bool started_by_open_mpi() { return is_set_to_other("OMPI_COMM_WORLD_SIZE", "1"); }

bool started_by_another_launcher() {
    // Set by the mpirun of MPICH, and by any launcher that speaks PMIx, as Open MPI's does too.
    if (std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr) return false;
    return is_set_to_other("PMI_SIZE", "1") || is_set_to_other("PMIX_RANK", "0");
}

}  // namespace ringpost::apps
