// Datagram Packetization Layer Path MTU Discovery (RFC 8899): probes that must not be fragmented, whatever the kernel
// has learnt from ICMP. A size is confirmed by one answer to three probes (MAX_PROBES) and fails without any. The
// search begins with the size that the kernel expects of the path, which is most often right: then one more byte fails.
// Otherwise it bisects, down from there to BASE_PLPMTU or up to the largest datagram.

#include "apps/commands/latency_mtu.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "codec/traffic/frame.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

constexpr std::size_t base_bytes = 1'200;
constexpr std::uint64_t probes_of_a_size = 3;
constexpr double probes_per_s = 100;
constexpr Duration wait_for_answers = 500 * millisecond;

class MtuSearch {
  public:
    MtuSearch(LatencyOptions options, const Address& target, const Agents& agents,
              const std::function<void(const std::string&)>& notify)
        : options_(std::move(options)), target_(target), agents_(agents), notify_(notify) {}

    /// What the kernel expects of the path, as bytes of payload.
    std::size_t expected_bytes() const {
        SocketOptions socket;
        socket.connect = target_;
        const UdpSocket opened = open_flow(options_, socket, 0, 1);
        const std::size_t headers = headers_bytes(target_.family);
        const std::size_t mtu = path_mtu(opened).value_or(base_bytes + headers);
        return std::clamp(mtu - std::min(headers, mtu), traffic::frame_bytes_min, limits::datagram_bytes_max);
    }

    bool returns(std::size_t bytes) {
        options_.sizes = traffic::Sizes::fixed(bytes);
        Report silent(Report::Form::silent);
        RunDirectory unkept({}, "latency", silent);
        const Outcome outcome = measure_latency(options_, target_, agents_, silent, unkept, notify_);
        ++tried_;
        unreachable_ = unreachable_ || outcome.counts["unreachable"] > 0;
        return outcome.snapshot.lost < static_cast<std::int64_t>(outcome.snapshot.sent);
    }

    /// The largest size that returns, above `low`, which does, and below `high`, which does not.
    std::size_t bisect(std::size_t low, std::size_t high) {
        while (high - low > 1 && received_signal() == 0) {
            const std::size_t middle = low + (high - low) / 2;
            (returns(middle) ? low : high) = middle;
        }
        return low;
    }

    /// 0: nothing returns.
    std::size_t run() {
        const std::size_t expected = expected_bytes(), most = limits::datagram_bytes_max;
        if (returns(expected)) {
            if (expected == most || !returns(expected + 1)) return expected;
            return returns(most) ? most : bisect(expected + 1, most);
        }
        if (unreachable_) return 0;
        const std::size_t base = std::min(base_bytes, expected);
        if (base < expected && returns(base)) return bisect(base, expected);
        return returns(traffic::frame_bytes_min) ? bisect(traffic::frame_bytes_min, base) : 0;
    }

    std::size_t tried() const { return tried_; }

  private:
    LatencyOptions options_;
    const Address& target_;
    const Agents& agents_;
    const std::function<void(const std::string&)>& notify_;
    std::size_t tried_ = 0;
    bool unreachable_ = false;
};

}  // namespace

void add_mtu_search(CLI::App& command, LatencyOptions& options) {
    begin_group(command, "Several runs in one");
    command.add_flag("--mtu-search", options.mtu_search,
                     "find the largest datagram that an echo server returns and that left without fragments");
}

void check_mtu_search(const CLI::App& command, LatencyOptions& options) {
    if (!options.mtu_search) return;
    for (const char* other :
         {"--size",         "--rate",         "--window",   "--ping-pong", "--count",   "--duration",
          "--warmup",       "--arrivals",     "--burst",    "--profile",   "--payload", "--payload-hex",
          "--payload-file", "--payload-pcap", "--preset",   "--find-max",  "--sweep",   "--repeat",
          "--flows",        "--threads",      "--out",      "--fail-if",   "--strict",  "--transport",
          "--df",           "--prometheus",   "--per-flow", "--start-at",  "--stamps"})
        if (command.count(other) > 0) throw CLI::ValidationError(fmt::format("{}: not with --mtu-search", other));
    options.sender.socket.fragments = SendingOptions::Fragments::probe;
    options.rate = probes_per_s;
    options.count = probes_of_a_size;
    if (options.timeout == 0) options.timeout = wait_for_answers;
}

int search_mtu(const LatencyOptions& options, const Address& target, const Agents& agents, Report& report,
               const std::function<void(const std::string&)>& notify) {
    if (!agents.alone()) throw Failure(Exit::usage, "--mtu-search: not under mpirun");
    MtuSearch search(options, target, agents, notify);
    const std::size_t bytes = search.run();
    const std::size_t packet = bytes == 0 ? 0 : bytes + headers_bytes(target.family);
    report.event("summary", {{"payload_bytes", bytes}, {"packet_bytes", packet}, {"sizes_tried", search.tried()}});
    if (received_signal() != 0) return exit_code(Exit::failed);
    if (bytes == 0) {
        report.note(to_text(target) + ": no answer");
        return Exit::unreachable;
    }
    report.print(
        fmt::format("largest datagram that returns unfragmented: {} B of payload, an IP packet of {} B; {} sizes "
                    "tried",
                    bytes, packet, search.tried()));
    return Exit::done;
}

}  // namespace ringpost::apps
