// Reads the file with libpcap. It is loaded on demand, because its ten dependencies would slow down every start of the
// command.

#include "apps/measuring/capture.hpp"

#include <dlfcn.h>
#include <fmt/core.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "apps/cli/options.hpp"
#include "codec/traffic/capture.hpp"

namespace ringpost::apps {
namespace {

struct Pcap {
    decltype(&pcap_open_offline) open_offline;
    decltype(&pcap_next_ex) next_ex;
    decltype(&pcap_datalink) datalink;
    decltype(&pcap_geterr) geterr;
    decltype(&pcap_close) close;
};

Pcap load_pcap(const std::string& where) {
    void* library = dlopen("libpcap.so.0.8", RTLD_NOW);  // Debian's name for it
    if (library == nullptr) library = dlopen("libpcap.so.1", RTLD_NOW);
    if (library == nullptr) throw Failure(Exit::failed, where + ": libpcap is not installed");
    const auto find = [&]<class F>(F& function, const char* name) {
        function = reinterpret_cast<F>(dlsym(library, name));
        if (function == nullptr) throw Failure(Exit::failed, fmt::format("{}: libpcap lacks {}", where, name));
    };
    Pcap pcap;
    find(pcap.open_offline, "pcap_open_offline");
    find(pcap.next_ex, "pcap_next_ex");
    find(pcap.datalink, "pcap_datalink");
    find(pcap.geterr, "pcap_geterr");
    find(pcap.close, "pcap_close");
    return pcap;
}

std::optional<traffic::Link> link_of(int datalink) {
    constexpr int linux_cooked_2 = 276, ipv4 = 228, ipv6 = 229;  // their names are younger than some pcap.h
    switch (datalink) {
        case DLT_EN10MB: return traffic::Link::ethernet;
        case DLT_LINUX_SLL: return traffic::Link::linux_cooked;
        case linux_cooked_2: return traffic::Link::linux_cooked_2;
        case DLT_RAW:
        case ipv4:
        case ipv6: return traffic::Link::raw;
        default: return std::nullopt;
    }
}

/// `; 12 left out: 10 TCP, 2 fragmented`, most frequent first, or "".
std::string left_out_text(const std::array<std::size_t, traffic::skips>& skipped, std::size_t empty) {
    std::vector<std::pair<std::size_t, std::string>> kinds = {{empty, "empty"}};
    for (std::size_t i = 0; i < skipped.size(); ++i)
        kinds.emplace_back(skipped[i], describe(static_cast<traffic::Skip>(i)));
    std::erase_if(kinds, [](const auto& kind) { return kind.first == 0; });
    std::ranges::sort(kinds, [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    std::size_t all = 0;
    std::string text;
    for (const auto& [count, name] : kinds) {
        text += fmt::format("{}{} {}", all == 0 ? "" : ", ", count, name);
        all += count;
    }
    return all == 0 ? "" : fmt::format("; {} left out: {}", all, text);
}

}  // namespace

std::string read_capture(traffic::Payload& payload, const std::string& where, const std::string& path) {
    const Pcap pcap = load_pcap(where);
    const auto refuse = [&](const std::string& why) { throw Failure(Exit::usage, where + ": " + why); };
    char error[PCAP_ERRBUF_SIZE] = "";
    const std::unique_ptr<pcap_t, decltype(pcap.close)> file(pcap.open_offline(path.c_str(), error), pcap.close);
    if (!file) refuse(error);
    const auto link = link_of(pcap.datalink(file.get()));
    if (!link) refuse("not Ethernet, raw IP or Linux cooked packets");
    std::size_t packets = 0, empty = 0;
    std::array<std::size_t, traffic::skips> skipped{};
    pcap_pkthdr* header = nullptr;
    const unsigned char* bytes = nullptr;
    int got = 0;
    while ((got = pcap.next_ex(file.get(), &header, &bytes)) == 1) {
        ++packets;
        const auto found = traffic::udp_payload(*link, std::as_bytes(std::span(bytes, header->caplen)));
        if (!found)
            ++skipped[static_cast<std::size_t>(found.error())];
        else if (found->empty())
            ++empty;
        else if (const auto added = payload.add_bytes(*found); !added)
            refuse(fmt::format("packet {}: {}", packets, describe(added.error().kind)));
    }
    if (got == PCAP_ERROR) refuse(fmt::format("after packet {}: {}", packets, pcap.geterr(file.get())));
    const std::string counted =
        fmt::format("{} of {} packets are payloads{}", payload.count(), packets, left_out_text(skipped, empty));
    if (payload.count() == 0) refuse(counted);
    return where + ": " + counted;
}

}  // namespace ringpost::apps
