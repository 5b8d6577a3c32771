// Reads the file packet by packet with libpcap, a compressed one from memory. It is loaded on demand, because its ten
// dependencies would slow down every start of the command.

#include "apps/measuring/capture.hpp"

#include <dlfcn.h>
#include <fmt/core.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "apps/cli/text_lines.hpp"
#include "apps/measuring/gzip.hpp"
#include "codec/traffic/capture.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

struct Pcap {
    decltype(&pcap_open_offline_with_tstamp_precision) open_offline;
    decltype(&pcap_fopen_offline_with_tstamp_precision) fopen_offline;
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
    find(pcap.open_offline, "pcap_open_offline_with_tstamp_precision");
    find(pcap.fopen_offline, "pcap_fopen_offline_with_tstamp_precision");
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
        case DLT_NULL:
        case DLT_LOOP: return traffic::Link::loopback;
        case DLT_LINUX_SLL: return traffic::Link::linux_cooked;
        case linux_cooked_2: return traffic::Link::linux_cooked_2;
        case DLT_RAW:
        case ipv4:
        case ipv6: return traffic::Link::raw;
        default: return std::nullopt;
    }
}

using CountedKinds = std::vector<std::pair<std::size_t, std::string>>;

/// `; 12 left out: 10 TCP, 2 fragmented`, most frequent first, or "".
std::string left_out_text(const std::array<std::size_t, traffic::skips>& skipped, CountedKinds kinds) {
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

/// The destination of --pcap-to; its port is 0 for any.
Address parse_destination(const std::string& where, const std::string& text) {
    const bool bracketed = text.starts_with('[');
    const bool with_port = bracketed ? !text.ends_with(']') : std::ranges::count(text, ':') == 1;
    const std::string host = bracketed && !with_port ? text.substr(1, text.size() - 2) : text;
    const auto address = with_port ? resolve_host_port(text) : resolve(host, 0);
    if (!address) throw Failure(Exit::usage, fmt::format("{}: --pcap-to {}", where, address.error().text));
    return *address;
}

bool is_to(const Address& wanted, const Address& destination) {
    return wanted.family == destination.family && wanted.ip == destination.ip &&
           (wanted.port == 0 || wanted.port == destination.port);
}

double parse_speed(const std::string& text) {
    const double speed = parse_fixed_rate(text);
    if (speed > 1'000) throw std::invalid_argument("expected a factor of 0.001 to 1000, such as 2 or 0.5");
    return speed;
}

/// Collects the payloads of one file.
class CaptureReader {
  public:
    CaptureReader(traffic::Payload& payload, const std::string& where, const CaptureOptions& options)
        : payload_(payload), where_(where), options_(options) {
        if (!options.to.empty()) to_ = parse_destination(where, options.to);
    }

    void add(traffic::Link link, const pcap_pkthdr& header, const unsigned char* bytes) {
        ++packets_;
        const auto found = traffic::udp_datagram(link, std::as_bytes(std::span(bytes, header.caplen)));
        if (!found)
            ++skipped_[static_cast<std::size_t>(found.error())];
        else if (found->payload.empty())
            ++empty_;
        else if (to_ && !is_to(*to_, found->destination))
            ++elsewhere_;
        else
            add_datagrams(found->payload, options_.timing ? time_of(header) : 0);
    }

    Capture finish(const std::string& cut) {
        std::string note = fmt::format("{} of {} packets are payloads", used_, packets_);
        if (payload_.count() > used_) note += fmt::format(", {} datagrams", payload_.count());
        note += left_out_text(skipped_, {{empty_, "empty"}, {elsewhere_, "to another destination"}});
        if (backwards_ > 0) note += fmt::format("; {} are earlier than the one before", backwards_);
        if (!cut.empty()) note += fmt::format("; the file ends in packet {} ({})", packets_ + 1, cut);
        if (payload_.count() == 0) refuse(note);
        times_.shrink_to_fit();
        return {
            where_ + ": " + note,
            options_.timing ? std::make_shared<const traffic::Recording>(std::move(times_), options_.speed) : nullptr};
    }

    [[noreturn]] void refuse(const std::string& why) const { throw Failure(Exit::usage, where_ + ": " + why); }
    std::size_t packets() const { return packets_; }

  private:
    /// Since 1970; the file is read with nanoseconds in tv_usec.
    Duration time_of(const pcap_pkthdr& header) const {
        constexpr Duration latest_s = std::numeric_limits<Duration>::max() / second - 1;
        if (header.ts.tv_sec < 0 || header.ts.tv_sec > latest_s || header.ts.tv_usec < 0 || header.ts.tv_usec >= second)
            refuse(fmt::format("packet {}: its time is not between 1970 and 2262", packets_));
        return header.ts.tv_sec * second + header.ts.tv_usec;
    }

    void add_datagrams(std::span<const std::byte> bytes, Duration at) {
        ++used_;
        const std::size_t size = options_.split > 0 ? options_.split : bytes.size();
        for (; !bytes.empty(); bytes = bytes.subspan(std::min(size, bytes.size()))) {
            if (const auto added = payload_.add_bytes(bytes.first(std::min(size, bytes.size()))); !added)
                refuse(fmt::format("packet {}: {}", packets_, describe(added.error().kind)));
            if (options_.timing) add_time(at);
        }
    }

    void add_time(Duration at) {
        if (times_.empty()) first_ = at;
        const Duration offset = at - first_;
        const Duration before = times_.empty() ? 0 : times_.back();
        backwards_ += offset < before;
        times_.push_back(std::max(offset, before));
    }

    traffic::Payload& payload_;
    const std::string& where_;
    const CaptureOptions& options_;
    std::optional<Address> to_;
    std::size_t packets_ = 0, used_ = 0, empty_ = 0, elsewhere_ = 0, backwards_ = 0;
    std::array<std::size_t, traffic::skips> skipped_{};
    std::vector<Duration> times_;
    Duration first_ = 0;
};

/// The contents if the file is compressed, else "".
std::string decompressed(const CaptureReader& reader, const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    char begin[2] = {};
    if (!file.read(begin, sizeof begin) || !is_gzip({begin, sizeof begin})) return "";
    const auto contents = contents_of(path);
    if (!contents) reader.refuse(contents.error());
    auto plain = gunzip(*contents);
    if (!plain) reader.refuse(plain.error());
    return std::move(*plain);
}

}  // namespace

void add_capture(CLI::App& command, CaptureOptions& options, CLI::Option& pcap) {
    auto* timing = command.add_flag("--pcap-timing", options.timing,
                                    "send as in the capture, and end with it unless --duration is given (default at "
                                    "the --rate)");
    timing->needs(&pcap);
    add_parsed(command, "--pcap-speed", options.speed, parse_speed,
               "with --pcap-timing: playback speed factor (default 1)")
        ->needs(timing)
        ->type_name("FACTOR");
    command
        .add_option("--pcap-to", options.to,
                    "send only what was captured to this address, and port if given (default both directions)")
        ->needs(&pcap)
        ->type_name("ADDRESS[:PORT]");
    add_parsed(
        command, "--pcap-split", options.split, parse_datagram_size,
        "a longer payload is a train that the kernel had not split yet, of datagrams of this size (default whole)")
        ->needs(&pcap)
        ->type_name("BYTES");
}

Capture read_capture(traffic::Payload& payload, const std::string& where, const std::string& path,
                     const CaptureOptions& options) {
    const Pcap pcap = load_pcap(where);
    CaptureReader reader(payload, where, options);
    char error[PCAP_ERRBUF_SIZE] = "";
    std::string plain = decompressed(reader, path);
    pcap_t* opened = nullptr;
    if (plain.empty())
        opened = pcap.open_offline(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, error);
    else if (FILE* memory = fmemopen(plain.data(), plain.size(), "rb"); memory != nullptr)
        opened = pcap.fopen_offline(memory, PCAP_TSTAMP_PRECISION_NANO, error);
    const std::unique_ptr<pcap_t, decltype(pcap.close)> file(opened, pcap.close);
    if (!file) reader.refuse(error);
    const auto link = link_of(pcap.datalink(file.get()));
    if (!link) reader.refuse("not Ethernet, raw IP, Linux cooked or loopback packets");
    pcap_pkthdr* header = nullptr;
    const unsigned char* bytes = nullptr;
    int got = 0;
    while ((got = pcap.next_ex(file.get(), &header, &bytes)) == 1) reader.add(*link, *header, bytes);
    const std::string end = got == PCAP_ERROR ? pcap.geterr(file.get()) : "";
    if (!end.empty() && end.find("truncated") == std::string::npos)
        reader.refuse(fmt::format("after packet {}: {}", reader.packets(), end));
    return reader.finish(end);
}

}  // namespace ringpost::apps
