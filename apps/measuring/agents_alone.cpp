// For builds without MPI: a single agent.

#include "apps/cli/failure.hpp"
#include "apps/measuring/agents.hpp"
#include "apps/measuring/launchers.hpp"

namespace ringpost::apps {

struct Agents::Library {};

Agents::Agents() {
    if (started_by_open_mpi() || started_by_another_launcher())
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
