// A prober with arbitrary replies. The first byte sets options: open or closed loop, Poisson arrivals, four in flight,
// a warm-up, timestamps, three flows. Each further step is a byte; its lowest two bits select the operation:
//     0  advance the time (magnitude, below a second) and send what is due
//     1  echo one of the last 64 probes, selected by the upper bits, possibly again
//     2  any frame with a valid CRC (stream near ours, sequence, due)
//     3  raw bytes, as many as the upper bits

#include <set>

#include "codec/traffic/prober.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::traffic_prober {

using namespace ringpost::traffic;

namespace {

constexpr std::uint32_t stream = 1;
constexpr Instant start = 1'000;

class Play {
  public:
    explicit Play(Script script) : script_(script), options_(options(script_.u8())), prober_(options_) {}

    void run() {
        while (!script_.over()) {
            const std::uint8_t step = script_.u8();
            switch (step & 3) {
                case 0: pass(static_cast<Duration>(script_.magnitude() % second)); break;
                case 1:
                    if (!probes_.empty()) hand_in(probes_[probes_.size() - 1 - (step >> 2) % probes_.size()]);
                    break;
                case 2:
                    hand_in(frame({stream + (step >> 7), script_.u8() % 16u, static_cast<Instant>(script_.u64())}));
                    break;
                default: hand_in(script_.bytes(step >> 2));
            }
            check();
        }
    }

  private:
    static ProberOptions options(std::uint8_t choice) {
        return {.sizes = traffic::Sizes::fixed(24),
                .stream = stream,
                .rate_per_s = (choice & 1) == 0 ? 0.0 : 1e5,
                .arrivals = (choice & 2) == 0 ? Arrivals::fixed : Arrivals::poisson,
                .window = (choice & 4) == 0 ? 1u : 4u,
                .timeout = 10 * millisecond,
                .start = start,
                .warm_up = (choice & 8) == 0 ? 0 : millisecond,
                .count = 1'000,
                .flows = (choice & 32) == 0 ? 1u : 3u,
                .stamps = (choice & 16) != 0};
    }

    Bytes frame(const Frame& frame) const {
        const FrameWriter writer(24);
        Bytes bytes(24);
        writer.write(bytes.data(), frame, 1);
        return bytes;
    }

    /// With or without a timestamp, possibly an impossible one.
    void hand_in(const Bytes& bytes) {
        const std::uint8_t choice = options_.stamps ? script_.u8() : 0;
        Instant stamp = never;
        if (choice % 4 == 1) stamp = now_ - choice;
        if (choice % 4 == 2) stamp = static_cast<Instant>(script_.u64());
        prober_.handle(now_, {{}, choice % options_.flows, bytes, stamp});
    }

    void pass(Duration duration) {
        now_ += duration;
        if (const auto at = prober_.poll_timeout(); at && *at <= now_) prober_.handle_timeout(now_);
        Bytes out(limits::datagram_bytes_max);
        while (const auto transmit = prober_.poll_transmit(now_, out)) {
            fuzz::check_transmit(*transmit);
            RINGPOST_CHECK(transmit->socket == probes_.size() % options_.flows);
            probes_.emplace_back(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(transmit->bytes));
            const auto probe = decode(probes_.back());
            RINGPOST_CHECK(probe && probe->stream == stream && probe->due <= now_);
            RINGPOST_CHECK(probe->sequence + 1 == probes_.size());
        }
        const auto next = prober_.poll_timeout();
        RINGPOST_CHECK(!next || *next > now_);
    }

    void check() const {
        const ProberCounters& counts = prober_.counters();
        RINGPOST_CHECK(counts.sent <= probes_.size());
        RINGPOST_CHECK(counts.lost() <= counts.sent);
        RINGPOST_CHECK(prober_.response().count() == counts.sent - counts.lost());
        RINGPOST_CHECK(prober_.response().max() <= now_ - start);
        RINGPOST_CHECK(prober_.path().count() == prober_.pickup().count());
        RINGPOST_CHECK(prober_.path().count() + counts.unstamped == (options_.stamps ? prober_.response().count() : 0));
        RINGPOST_CHECK(prober_.path().max() <= now_ - start && prober_.pickup().max() <= now_ - start);
    }

    Script script_;
    ProberOptions options_;
    Prober prober_;
    Instant now_ = start;
    std::vector<Bytes> probes_;
};

int run(const std::uint8_t* data, std::size_t size) {
    Play(Script(data, size, 1'024)).run();
    return 0;
}

const Target registered("traffic/prober", run);

}  // namespace
}  // namespace ringpost::fuzz::traffic_prober
