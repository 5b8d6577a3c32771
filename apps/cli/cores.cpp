#include "apps/cli/cores.hpp"

#include <fmt/core.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace ringpost::apps {
namespace {

std::uint32_t parse_threads(const std::string& text) {
    return static_cast<std::uint32_t>(parse_whole(text, 1, threads_max));
}

/// `0,2,4-7`
std::vector<int> parse_cores(const std::string& text) {
    const std::vector<int> allowed = allowed_cores();
    const auto number = [](const std::string& digits) {
        if (digits.empty() || digits.size() > 5 || digits.find_first_not_of("0123456789") != std::string::npos)
            throw std::invalid_argument("expected cores such as 0,2,4-7");
        return std::stoi(digits);
    };
    std::vector<int> cores;
    std::istringstream parts(text + ",");
    for (std::string part; std::getline(parts, part, ',');) {
        const std::size_t dash = part.find('-');
        const int first = number(part.substr(0, dash));
        const int last = dash == std::string::npos ? first : number(part.substr(dash + 1));
        if (last < first) throw std::invalid_argument(fmt::format("{}: ends before it begins", part));
        for (int core = first; core <= last; ++core) {
            if (std::ranges::find(allowed, core) == allowed.end())
                throw std::invalid_argument(fmt::format("this process may not use core {}", core));
            cores.push_back(core);
        }
    }
    return cores;
}

/// The number of agents of this run on this host with a lower rank.
std::size_t agents_before() {
    const char* rank = std::getenv("OMPI_COMM_WORLD_LOCAL_RANK");  // set by mpirun
    return rank == nullptr ? 0 : std::strtoul(rank, nullptr, 10);
}

void set_affinity(const std::vector<int>& cores) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int core : cores) CPU_SET(core, &set);
    sched_setaffinity(0, sizeof set, &set);
}

}  // namespace

void add_threads(CLI::App& command, ThreadOptions& options, OtherEnd other_end) {
    begin_group(command, "Engine");
    add_parsed(command, "--threads", options.count, parse_threads,
               "number of engines, each in its own thread (default 1)");
    add_parsed(command, "--cpu", options.cores, parse_cores,
               other_end == OtherEnd::may_be_here
                   ? "cores to pin the engines to, round robin, e.g. 0,2,4-7; with --self, first this end's (default "
                     "not pinned)"
                   : "cores to pin the engines to, round robin, e.g. 0,2,4-7 (default not pinned)")
        ->type_name("CORES");
}

std::string engines_text(const ThreadOptions& threads) {
    return threads.count == 1 ? "" : fmt::format("{} engines, ", threads.count);
}

std::vector<int> allowed_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<int> cores;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return cores;
    for (int core = 0; core < CPU_SETSIZE; ++core)
        if (CPU_ISSET(core, &set)) cores.push_back(core);
    return cores;
}

std::optional<int> core_of(const ThreadOptions& threads, Side side, std::size_t index) {
    if (threads.cores.empty()) return std::nullopt;
    index += threads.count * agents_before() + (side == Side::far ? threads.count : 0);
    return threads.cores[index % threads.cores.size()];
}

Pinned::Pinned(std::optional<int> core) {
    if (!core) return;
    before_ = allowed_cores();
    set_affinity({*core});
}

Pinned::~Pinned() {
    if (!before_.empty()) set_affinity(before_);
}

}  // namespace ringpost::apps
