// For builds without MPI: a single agent.

#include <cstdlib>
#include <string_view>

#include "apps/cli/failure.hpp"
#include "apps/measuring/agents.hpp"

namespace ringpost::apps {

struct Agents::Library {};

Agents::Agents() {
    const char* started = std::getenv("OMPI_COMM_WORLD_SIZE");  // set by mpirun
    if (started != nullptr && std::string_view(started) != "1")
        throw Failure(Exit::failed, "mpirun has started several, but this ringpost was built without MPI");
}

Agents::~Agents() = default;

void Agents::join() {}

bool speaks_for_all() { return true; }

void Agents::barrier() const {}

std::vector<std::string> Agents::gather(const std::string& text) const { return {text}; }

void Agents::add_up(Histogram&) const {}

void Agents::abort(int) const {}

}  // namespace ringpost::apps
