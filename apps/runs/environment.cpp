#include "apps/runs/environment.hpp"

#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <array>
#include <ctime>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

#include "apps/cli/version.hpp"
#include "engine/os/clock.hpp"
#include "engine/os/interface_facts.hpp"

namespace ringpost::apps {
namespace {

/// "" if the kernel does not name it.
std::string cpu_model() {
    std::ifstream lines("/proc/cpuinfo");
    for (std::string line; std::getline(lines, line);) {
        const std::size_t colon = line.find(": ");
        if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
    }
    return "";
}

/// How the kernel chooses the frequency of the first core; "" if it does not, as in most virtual machines.
std::string cpu_governor() {
    std::ifstream file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    std::string governor;
    std::getline(file, governor);
    return governor;
}

template <class T>
Json json_or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json();
}

Json nic_json(const Address& local) {
    const auto facts = interface_facts(local);
    if (!facts) return nullptr;
    Json offloads = Json::object(), irqs = Json::object();
    for (const auto& [name, on] : facts->offloads) offloads[name] = on;
    for (const auto& [number, cores] : facts->irqs) irqs[number] = cores;
    return {{"name", facts->name},
            {"driver", json_or_null(facts->driver)},
            {"mtu", json_or_null(facts->mtu_bytes)},
            {"speed_mbit", json_or_null(facts->speed_mbit)},
            {"numa_node", json_or_null(facts->numa_node)},
            {"offloads", facts->offloads.empty() ? Json() : offloads},
            {"irq_affinity", facts->irqs.empty() ? Json() : irqs}};
}

}  // namespace

Json run_environment(const Address& local) {
    utsname system{};
    uname(&system);
    const std::vector<std::string> governors = cpu_governors();
    return {{"ringpost", version_text()},
            {"kernel", system.release},
            {"machine", system.machine},
            {"cpu", cpu_model()},
            {"cores", std::thread::hardware_concurrency()},
            {"governor", cpu_governor()},
            {"governors", governors.empty() ? Json() : Json(governors)},
            {"numa_nodes", json_or_null(numa_nodes())},
            {"nic", nic_json(local)}};
}

Json clock_json() {
    const ClockReport report = clock_report();
    return {{"source", report.source == ClockReport::Source::tsc ? "tsc" : "vdso"},
            {"read_ns", report.read_ns},
            {"other_read_ns", report.other_read_ns},
            {"error_ppm", report.error_ppm}};
}

std::string clock_text(const Json& clock) {
    const bool tsc = clock["source"] == "tsc";
    const auto other_ns = clock["other_read_ns"].get<double>();
    return fmt::format("clock       {}, {:.1f} ns to read{}, {:+.2f} ppm off", tsc ? "tsc" : "vdso",
                       clock["read_ns"].get<double>(),
                       other_ns > 0 ? fmt::format(" ({} {:.1f})", tsc ? "vdso" : "tsc", other_ns) : "",
                       clock["error_ppm"].get<double>());
}

std::string utc_text(Duration since_1970) {
    const auto whole_s = static_cast<std::time_t>(since_1970 / second);
    std::tm parts{};
    gmtime_r(&whole_s, &parts);
    std::array<char, 32> text;
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto in_seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return in_seconds(usage.ru_utime) + in_seconds(usage.ru_stime);
}

}  // namespace ringpost::apps
