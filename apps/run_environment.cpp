#include "apps/run_environment.hpp"

#include <sys/resource.h>
#include <sys/utsname.h>

#include <array>
#include <ctime>
#include <fstream>
#include <thread>

namespace ringpost::apps {
namespace {

/// As the kernel calls it; "" where it does not say.
std::string cpu_model() {
    std::ifstream lines("/proc/cpuinfo");
    for (std::string line; std::getline(lines, line);) {
        const std::size_t colon = line.find(": ");
        if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
    }
    return "";
}

}  // namespace

Json run_environment() {
    utsname system{};
    uname(&system);
    return {{"ringpost", RINGPOST_VERSION},
            {"kernel", system.release},
            {"machine", system.machine},
            {"cpu", cpu_model()},
            {"cores", std::thread::hardware_concurrency()}};
}

std::string utc_text(Duration since_1970) {
    const auto whole_s = static_cast<std::time_t>(since_1970 / second);
    std::tm parts{};
    gmtime_r(&whole_s, &parts);
    std::array<char, 32> text;
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

double cpu_seconds() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto in_seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return in_seconds(used.ru_utime) + in_seconds(used.ru_stime);
}

}  // namespace ringpost::apps
