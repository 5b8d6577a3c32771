#include "engine/os/resources.hpp"

#include <dirent.h>
#include <sys/resource.h>

#include <cstdint>

namespace ringpost {

std::size_t descriptors_max() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
    return limit.rlim_cur;
}

std::size_t descriptors_open() {
    DIR* const directory = opendir("/proc/self/fd");
    if (directory == nullptr) return 0;
    std::size_t count = 0;
    while (const dirent* entry = readdir(directory)) count += entry->d_name[0] != '.';
    closedir(directory);
    return count - 1;  // without the directory's own
}

}  // namespace ringpost
