// A scenario and arbitrary replies to it. The first byte sets options: open or closed loop, four sessions at a time.
// The text is what follows, up to the first zero byte; each further byte is an operation, by its lowest two bits:
//     0  advance the time (magnitude, below a second) and send what is due
//     1  reply to a flow with what it sent last, shortened by the upper bits
//     2  reply with raw bytes, as many as the upper bits
//     3  repeat the last reply

#include <array>
#include <string_view>

#include "codec/traffic/scenario_runner.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::traffic_scenario {

using namespace ringpost::traffic;

namespace {

constexpr Instant start = 1'000;
constexpr std::uint32_t flows = 3;
/// A run of sends without replies does not end.
constexpr int datagrams_max = 256;

class Play {
  public:
    Play(const Scenario& scenario, Script script, std::uint8_t choice)
        : scenario_(scenario), script_(script), runner_(options(scenario, choice)), out_(limits::datagram_bytes_max) {}

    void run() {
        while (!script_.over()) {
            const std::uint8_t operation = script_.u8();
            const std::size_t upper = operation >> 2;
            switch (operation & 3) {
                case 0: pass(static_cast<Duration>(script_.magnitude() % second)); break;
                case 1: {
                    reply_ = sent_[upper % flows];
                    reply_.resize(reply_.size() - std::min(reply_.size(), upper / flows));
                    hand_in(static_cast<SocketIndex>(upper % flows));
                    break;
                }
                case 2:
                    reply_ = script_.bytes(upper);
                    hand_in(script_.u8() % (flows + 1));
                    break;
                default: hand_in(static_cast<SocketIndex>(upper % flows));
            }
            check();
        }
    }

  private:
    static ScenarioOptions options(const Scenario& scenario, std::uint8_t choice) {
        return {.scenario = &scenario,
                .rate_per_s = (choice & 1) == 0 ? 0.0 : 1e5,
                .window = (choice & 2) == 0 ? 1u : 4u,
                .timeout = 10 * millisecond,
                .start = start,
                .warm_up = (choice & 4) == 0 ? 0 : millisecond,
                .count = 100,
                .flows = flows};
    }

    /// In memory of exactly its size.
    void hand_in(SocketIndex socket) {
        const Bytes reply(reply_);
        runner_.handle(now_, {{}, socket, reply});
    }

    void pass(Duration duration) {
        now_ += duration;
        if (const auto at = runner_.poll_timeout(); at && *at <= now_) runner_.handle_timeout(now_);
        for (int i = 0; i < datagrams_max; ++i) {
            const auto transmit = runner_.poll_transmit(now_, out_);
            if (!transmit) {
                const auto next = runner_.poll_timeout();
                RINGPOST_CHECK(!next || *next > now_);
                return;
            }
            fuzz::check_transmit(*transmit);
            RINGPOST_CHECK(transmit->socket < flows);
            RINGPOST_CHECK(transmit->bytes >= scenario_.bytes_min() && transmit->bytes <= scenario_.bytes_max());
            sent_[transmit->socket].assign(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(transmit->bytes));
        }
    }

    void check() const {
        const ScenarioCounters& counts = runner_.counters();
        RINGPOST_CHECK(runner_.active() <= flows);
        RINGPOST_CHECK(counts.completed + counts.wrong + counts.timed_out + counts.unended <= counts.sessions);
        RINGPOST_CHECK(counts.lost() <= counts.wrong + counts.timed_out + counts.unended + runner_.active());
        RINGPOST_CHECK(runner_.response().count() == counts.completed);
        RINGPOST_CHECK(runner_.response().max() <= now_ - start);
        for (std::size_t i = 0; i < runner_.rows().size(); ++i) {
            const ScenarioRowCounters& row = runner_.rows()[i];
            RINGPOST_CHECK(row.answered + row.wrong + row.timed_out <= row.sent);
            RINGPOST_CHECK(runner_.row_times()[i].count() == row.answered);
            RINGPOST_CHECK(runner_.row_times()[i].max() <= now_ - start);
        }
    }

    const Scenario& scenario_;
    Script script_;
    ScenarioRunner runner_;
    Bytes out_, reply_;
    std::array<Bytes, flows> sent_;
    Instant now_ = start;
};

int run(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view all(reinterpret_cast<const char*>(data) + 1, size - 1);
    std::string_view text = all.substr(0, all.find('\0'));
    std::vector<std::string_view> lines;
    for (std::string_view rest = text; !rest.empty();) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        lines.push_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    const auto scenario = Scenario::parse(lines);
    if (!scenario) {
        RINGPOST_CHECK(scenario.error().line <= lines.size() && !scenario.error().reason.empty());
        RINGPOST_CHECK(scenario.error().line == 0 ||
                       lines[scenario.error().line - 1].find(scenario.error().word) != std::string_view::npos);
        return 0;
    }
    const std::size_t script = std::min(text.size() + 1, all.size());
    Play(*scenario, Script(data + 1 + script, size - 1 - script, 512), data[0]).run();
    return 0;
}

const Target registered("traffic/scenario", run);

}  // namespace
}  // namespace ringpost::fuzz::traffic_scenario
