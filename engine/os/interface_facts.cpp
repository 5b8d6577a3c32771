#include "engine/os/interface_facts.hpp"

#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>

namespace ringpost {
namespace {

/// Interrupts of one interface that are listed.
constexpr std::size_t irqs_max = 128;
constexpr std::uint32_t features_max = 512;

/// The first line; null if there is none.
std::optional<std::string> first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    if (!std::getline(file, line) || line.empty()) return std::nullopt;
    return line;
}

/// Null for what is no number, and for those below zero, which stand for unknown.
std::optional<std::uint32_t> number_in(const std::string& path) {
    const auto line = first_line(path);
    if (!line) return std::nullopt;
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(line->data(), line->data() + line->size(), number);
    return error == std::errc{} && end == line->data() + line->size() ? std::optional(number) : std::nullopt;
}

std::vector<std::string> names_in(const std::string& directory) {
    std::vector<std::string> out;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error))
        out.push_back(entry.path().filename());
    std::ranges::sort(out);
    return out;
}

bool has_address(const ifaddrs& entry, const Address& local) {
    if (entry.ifa_addr == nullptr) return false;
    if (local.family == Family::v4 && entry.ifa_addr->sa_family == AF_INET) {
        const auto* const v4 = reinterpret_cast<const sockaddr_in*>(entry.ifa_addr);
        return std::memcmp(&v4->sin_addr, &local.ip[12], sizeof v4->sin_addr) == 0;
    }
    if (local.family != Family::v6 || entry.ifa_addr->sa_family != AF_INET6) return false;
    const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(entry.ifa_addr);
    return std::memcmp(&v6->sin6_addr, local.ip.data(), sizeof v6->sin6_addr) == 0;
}

std::optional<std::string> interface_of(const Address& local) {
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return std::nullopt;
    const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next)
        if (has_address(*entry, local)) return entry->ifa_name;
    return std::nullopt;
}

/// One request of ethtool(8). The structure at `data` begins with its command.
class Ethtool {
  public:
    explicit Ethtool(const std::string& name) : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        std::strncpy(request_.ifr_name, name.c_str(), IFNAMSIZ - 1);
    }
    ~Ethtool() {
        if (fd_ >= 0) ::close(fd_);
    }
    Ethtool(const Ethtool&) = delete;
    Ethtool& operator=(const Ethtool&) = delete;

    bool ask(void* data) {
        ifreq request = request_;
        request.ifr_data = static_cast<char*>(data);
        return fd_ >= 0 && ioctl(fd_, SIOCETHTOOL, &request) == 0;
    }

  private:
    int fd_;
    ifreq request_{};
};

std::optional<std::string> driver_of(Ethtool& ethtool) {
    ethtool_drvinfo info{};
    info.cmd = ETHTOOL_GDRVINFO;
    if (!ethtool.ask(&info) || info.driver[0] == '\0') return std::nullopt;
    return std::string(info.driver, strnlen(info.driver, sizeof info.driver));
}

/// The kernel's structures end in an array, so they are laid out in bytes.
std::vector<std::pair<std::string, bool>> offloads_of(Ethtool& ethtool) {
    std::array<std::uint32_t, sizeof(ethtool_sset_info) / 4 + 1> sets{ETHTOOL_GSSET_INFO};
    const std::uint64_t features = std::uint64_t{1} << ETH_SS_FEATURES;
    std::memcpy(&sets[2], &features, sizeof features);
    if (!ethtool.ask(sets.data())) return {};
    const std::uint32_t count = std::min(sets.back(), features_max);
    const std::uint32_t blocks = (count + 31) / 32;
    std::vector<std::uint32_t> names((sizeof(ethtool_gstrings) + std::size_t{count} * ETH_GSTRING_LEN + 3) / 4);
    const std::uint32_t head[] = {ETHTOOL_GSTRINGS, ETH_SS_FEATURES, count};
    std::memcpy(names.data(), head, sizeof head);
    std::vector<std::uint32_t> states((sizeof(ethtool_gfeatures) + blocks * sizeof(ethtool_get_features_block)) / 4);
    states[0] = ETHTOOL_GFEATURES;
    states[1] = blocks;
    if (!ethtool.ask(names.data()) || !ethtool.ask(states.data())) return {};
    std::vector<std::pair<std::string, bool>> out;
    for (std::uint32_t i = 0; i < count; ++i) {
        const char* const name =
            reinterpret_cast<const char*>(names.data()) + sizeof(ethtool_gstrings) + std::size_t{i} * ETH_GSTRING_LEN;
        ethtool_get_features_block block{};
        std::memcpy(&block,
                    reinterpret_cast<const char*>(states.data()) + sizeof(ethtool_gfeatures) + i / 32 * sizeof block,
                    sizeof block);
        const std::uint32_t bit = 1u << i % 32;
        if (name[0] != '\0' && (block.available & bit) != 0)
            out.emplace_back(std::string(name, strnlen(name, ETH_GSTRING_LEN)), (block.active & bit) != 0);
    }
    return out;
}

/// The interrupts of a device on PCI are its own or, of a virtual one, those of the device above it.
std::vector<std::pair<std::string, std::string>> irqs_of(const std::string& name) {
    std::vector<std::pair<std::string, std::string>> out;
    for (const char* above : {"/device/msi_irqs", "/device/../msi_irqs"}) {
        for (const std::string& irq : names_in("/sys/class/net/" + name + above)) {
            if (out.size() == irqs_max) return out;
            if (const auto cores = first_line("/proc/irq/" + irq + "/smp_affinity_list")) out.emplace_back(irq, *cores);
        }
        if (!out.empty()) return out;
    }
    return out;
}

}  // namespace

std::optional<InterfaceFacts> interface_facts(const Address& local) {
    const auto name = interface_of(local);
    if (!name) return std::nullopt;
    const std::string sys = "/sys/class/net/" + *name;
    Ethtool ethtool(*name);
    InterfaceFacts out{.name = *name,
                       .driver = driver_of(ethtool),
                       .mtu_bytes = number_in(sys + "/mtu"),
                       .speed_mbit = number_in(sys + "/speed"),
                       .numa_node = number_in(sys + "/device/numa_node"),
                       .offloads = offloads_of(ethtool),
                       .irqs = irqs_of(*name)};
    return out;
}

std::vector<std::string> cpu_governors() {
    std::vector<std::string> out;
    for (const std::string& name : names_in("/sys/devices/system/cpu/cpufreq")) {
        const auto governor = first_line("/sys/devices/system/cpu/cpufreq/" + name + "/scaling_governor");
        if (governor && std::ranges::find(out, *governor) == out.end()) out.push_back(*governor);
    }
    return out;
}

std::optional<std::uint32_t> numa_nodes() {
    std::uint32_t count = 0;
    for (const std::string& name : names_in("/sys/devices/system/node"))
        if (name.starts_with("node") && name.find_first_not_of("0123456789", 4) == std::string::npos && name.size() > 4)
            ++count;
    return count == 0 ? std::nullopt : std::optional(count);
}

}  // namespace ringpost
