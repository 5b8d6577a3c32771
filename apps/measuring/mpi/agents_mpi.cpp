// Joins the processes with Open MPI. It is loaded only when mpirun has started several, because its six dependencies
// would slow down every start of the command. The constants of its header are addresses of objects, which are looked up
// by name like the functions.
//
// Its plugins require its symbols to be global. It is never unloaded.

#include "apps/measuring/agents.hpp"
#include "apps/measuring/launchers.hpp"

#define OMPI_SKIP_MPICXX 1
#include <dlfcn.h>
#include <fmt/core.h>
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <numeric>
#include <thread>

#include "apps/cli/failure.hpp"
#include "apps/cli/output.hpp"
#include "engine/os/waker.hpp"

namespace ringpost::apps {

struct Agents::Library {
    decltype(&MPI_Init_thread) init_thread;
    decltype(&MPI_Finalize) finalize;
    decltype(&MPI_Abort) abort;
    decltype(&MPI_Comm_rank) comm_rank;
    decltype(&MPI_Comm_size) comm_size;
    decltype(&MPI_Barrier) barrier;
    decltype(&MPI_Allgather) allgather;
    decltype(&MPI_Allgatherv) allgatherv;
    decltype(&MPI_Allreduce) allreduce;
    MPI_Comm world;
    MPI_Datatype byte, integer, uint64;
    MPI_Op sum;

    Library();
};

// Errors need no handling: by default MPI reports them and ends all processes.

Agents::Library::Library() {
    void* library = dlopen("libmpi.so.40", RTLD_NOW | RTLD_GLOBAL);  // of Open MPI 2 to 5
    if (library == nullptr)
        throw Failure(Exit::failed, "mpirun has started several, but its libmpi.so.40 cannot be loaded");
    const auto find = [&]<class T>(T& target, const char* name) {
        target = reinterpret_cast<T>(dlsym(library, name));
        if (target == nullptr) throw Failure(Exit::failed, fmt::format("libmpi.so.40 lacks {}", name));
    };
    find(init_thread, "MPI_Init_thread");
    find(finalize, "MPI_Finalize");
    find(abort, "MPI_Abort");
    find(comm_rank, "MPI_Comm_rank");
    find(comm_size, "MPI_Comm_size");
    find(barrier, "MPI_Barrier");
    find(allgather, "MPI_Allgather");
    find(allgatherv, "MPI_Allgatherv");
    find(allreduce, "MPI_Allreduce");
    find(world, "ompi_mpi_comm_world");
    find(byte, "ompi_mpi_byte");
    find(integer, "ompi_mpi_int");
    find(uint64, "ompi_mpi_uint64_t");
    find(sum, "ompi_mpi_op_sum");
}

namespace {

/// A number that mpirun has put into the environment.
std::size_t from_mpirun(const char* name, std::size_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoul(text, nullptr, 10);
}

/// Between the reports of two agents: time for mpirun to notice that the first has ended, and to end the others.
constexpr auto turn = std::chrono::seconds(1);
constexpr std::size_t turns_max = 3;

}  // namespace

bool speaks_for_all() {
    const std::size_t rank = from_mpirun("OMPI_COMM_WORLD_RANK", 0);
    for (std::size_t i = 0; i < std::min(rank, turns_max) && received_signal() == 0; ++i)
        std::this_thread::sleep_for(turn);
    return rank == 0 || received_signal() == 0;
}

Agents::Agents()
    : rank_(from_mpirun("OMPI_COMM_WORLD_RANK", 0)),
      count_(std::max<std::size_t>(from_mpirun("OMPI_COMM_WORLD_SIZE", 1), 1)) {
    if (started_by_another_launcher())
        throw Failure(Exit::usage, "several were started by another launcher than mpirun of Open MPI");
}

void Agents::join() {
    if (alone()) return;
    auto library = std::make_unique<const Library>();
    int threads = 0, rank = 0, count = 0;
    library->init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &threads);
    if (threads < MPI_THREAD_SERIALIZED) {
        diagnose("this MPI cannot be called from more than one thread");
        library->abort(library->world, Exit::failed);
    }
    library->comm_rank(library->world, &rank);
    library->comm_size(library->world, &count);
    rank_ = static_cast<std::size_t>(rank);
    count_ = static_cast<std::size_t>(count);
    library_ = std::move(library);
}

Agents::~Agents() {
    if (!joined()) return;
    if (std::uncaught_exceptions() > 0) abort(Exit::failed);
    library_->finalize();
}

void Agents::barrier() const {
    if (!alone()) library_->barrier(library_->world);
}

std::vector<std::string> Agents::gather(const std::string& text) const {
    if (alone()) return {text};
    // MPI counts in int. A longer text announces INT_MAX, which exceeds the limit below as well.
    const int bytes = static_cast<int>(std::min<std::size_t>(text.size(), INT_MAX));
    std::vector<int> sizes(count_), starts(count_);
    library_->allgather(&bytes, 1, library_->integer, sizes.data(), 1, library_->integer, library_->world);
    const std::int64_t total = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
    if (total >= INT_MAX) throw Failure(Exit::failed, "the reports of all agents together are too long");
    std::exclusive_scan(sizes.begin(), sizes.end(), starts.begin(), 0);
    std::string all(static_cast<std::size_t>(total), '\0');
    library_->allgatherv(text.data(), bytes, library_->byte, all.data(), sizes.data(), starts.data(), library_->byte,
                         library_->world);
    std::vector<std::string> out;
    out.reserve(count_);
    for (std::size_t agent = 0; agent < count_; ++agent)
        out.push_back(all.substr(static_cast<std::size_t>(starts[agent]), static_cast<std::size_t>(sizes[agent])));
    return out;
}

void Agents::add_up(Histogram& histogram) const {
    if (alone()) return;
    std::vector<std::uint64_t> counts(histogram.bucket_counts().size());
    library_->allreduce(histogram.bucket_counts().data(), counts.data(), static_cast<int>(counts.size()),
                        library_->uint64, library_->sum, library_->world);
    // The totals are not only sums, so each process gathers and combines them.
    constexpr int bytes = sizeof(Histogram::Totals);
    std::vector<Histogram::Totals> each(count_);
    library_->allgather(&histogram.totals(), bytes, library_->byte, each.data(), bytes, library_->byte,
                        library_->world);
    Histogram::Totals totals;
    for (const Histogram::Totals& one : each) totals.add(one);
    histogram = Histogram(counts, totals);
}

void Agents::abort(int exit_code) const {
    if (joined()) library_->abort(library_->world, exit_code);
}

}  // namespace ringpost::apps
