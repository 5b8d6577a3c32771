#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/options.hpp"

namespace ringpost::apps {

inline constexpr std::uint32_t threads_max = 256;

/// How many engines a command runs, each in a thread and on a core of its own.
struct ThreadOptions {
    std::uint32_t count = 1;
    std::vector<int> cores;  ///< of --cpu; empty: as core_of() says
    bool self = false;       ///< the other end runs on this machine too, with as many engines
};

/// --threads and --cpu.
void add_threads(CLI::App& command, ThreadOptions& options);

/// `2 engines, ` where there are several, else "".
std::string engines_text(const ThreadOptions& threads);

/// The cores that this process may use, ascending; empty where the kernel does not say.
std::vector<int> allowed_cores();

/// Where engine `index` of this end, or of the other end of a --self run, is to stay. --cpu's cores are taken in turn,
/// first by this end. Without it the two ends begin at opposite ends of the allowed cores, several engines take them in
/// turn, and a single one that is alone is left to the kernel, as all are where there is but one core. Agents of one
/// host take cores one after another.
enum class Side : std::uint8_t { near, far };
std::optional<int> core_of(const ThreadOptions& threads, Side side, std::size_t index);

/// Keeps the calling thread on a core while it lives, and lets it go where it could before afterwards.
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
