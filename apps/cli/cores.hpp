#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/options.hpp"

namespace ringpost::apps {

inline constexpr std::uint32_t threads_max = 256;

/// The engines that a command runs, each in its own thread.
struct ThreadOptions {
    std::uint32_t count = 1;
    std::vector<int> cores;  ///< of --cpu; empty: not pinned
    bool self = false;       ///< the other end runs on this machine, too, with the same number of engines
};

/// Whether the other end may run in this process, with --self.
enum class OtherEnd : std::uint8_t { elsewhere, may_be_here };

/// --threads and --cpu.
void add_threads(CLI::App& command, ThreadOptions& options, OtherEnd other_end = OtherEnd::elsewhere);

/// `2 engines, `, or "" for a single engine.
std::string engines_text(const ThreadOptions& threads);

/// The cores that this process may use, ascending; empty if the kernel does not report them.
std::vector<int> allowed_cores();

/// `far` is the other end of a --self run.
enum class Side : std::uint8_t { near, far };

/// The core of --cpu to pin engine `index` to: the listed cores are assigned round robin, first to the near end. Agents
/// on one host continue where the previous agent stopped. Nothing without --cpu: the kernel moves an engine away from a
/// core that others hold.
std::optional<int> core_of(const ThreadOptions& threads, Side side, std::size_t index);

/// Pins the calling thread to a core; the destructor restores its former affinity.
class Pinned {
  public:
    explicit Pinned(std::optional<int> core);
    ~Pinned();
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;

  private:
    std::vector<int> before_;
};

}  // namespace ringpost::apps
