// For builds without MPI: a single agent.

#include <cstdlib>
#include <string_view>

#include "apps/cli/failure.hpp"
#include "apps/measuring/agents.hpp"

namespace ringpost::apps {

struct Agents::Library {};

Agents::Agents() {
    // Set by the mpirun of Open MPI, by that of MPICH, and by any launcher that speaks PMIx.
    constexpr struct {
        const char* name;
        std::string_view alone;
    } launchers[] = {{"OMPI_COMM_WORLD_SIZE", "1"}, {"PMI_SIZE", "1"}, {"PMIX_RANK", "0"}};
    for (const auto& [name, alone] : launchers)
        if (const char* value = std::getenv(name); value != nullptr && value != alone)
            throw Failure(Exit::usage,
                          "mpirun has started several, but this ringpost was built without MPI: install "
                          "libopenmpi-dev and build again");
}

Agents::~Agents() = default;

void Agents::join() {}

bool speaks_for_all() { return true; }

void Agents::barrier() const {}

std::vector<std::string> Agents::gather(const std::string& text) const { return {text}; }

void Agents::add_up(Histogram&) const {}

void Agents::abort(int) const {}

}  // namespace ringpost::apps
