#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/options.hpp"

namespace ringpost::apps {

inline constexpr std::uint32_t threads_max = 256;

/// The engines that a command runs, each in its own thread and on its own core.
struct ThreadOptions {
    std::uint32_t count = 1;
    std::vector<int> cores;  ///< of --cpu; empty: chosen by core_of()
    bool self = false;       ///< the other end runs on this machine, too, with the same number of engines
};

/// --threads and --cpu.
void add_threads(CLI::App& command, ThreadOptions& options);

/// `2 engines, `, or "" for a single engine.
std::string engines_text(const ThreadOptions& threads);

/// The cores that this process may use, ascending; empty if the kernel does not report them.
std::vector<int> allowed_cores();

/// `far` is the other end of a --self run.
enum class Side : std::uint8_t { near, far };

/// The core to pin engine `index` to; nothing leaves the choice to the kernel.
/// With --cpu, the listed cores are assigned round robin, first to the near end. Without it, the near end starts at the
/// first allowed core and the far end at the last; a single engine without a far end is not pinned, and nothing is
/// pinned on a single core. Agents on one host continue where the previous agent stopped.
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
