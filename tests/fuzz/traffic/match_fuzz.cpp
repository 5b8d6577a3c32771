// Compares a matcher with a naive model. The first byte selects rule and capacity. Each further step is a byte; its
// lowest two bits select the operation:
//     0  advance the time by the upper bits, and expire what was sent that long ago
//     1  receive a reply of raw bytes, as many as bits 2 to 4
//     2  send a probe of raw bytes, as many as bits 2 to 4 plus what the rule needs
//     3  echo one of the last 16 probes, selected by the upper bits

#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/unit/codec/traffic/match_model.hpp"

namespace ringpost::fuzz::traffic_match {

using namespace ringpost::traffic;

namespace {

constexpr MatchRule rules[] = {{MatchRule::Kind::bytes, 1, 0, 0},
                               {MatchRule::Kind::bytes, 2, 1, 0},
                               {.kind = MatchRule::Kind::echo},
                               {.kind = MatchRule::Kind::order}};

class Play {
  public:
    Play(Script script, const MatchRule& rule, std::uint32_t capacity)
        : script_(script), rule_(rule), matcher_(rule, {1, 2}, capacity, 40), model_(rule, capacity, 40) {}

    void run() {
        while (!script_.over()) {
            const std::uint8_t step = script_.u8();
            const std::size_t bytes = step >> 2 & 7;
            switch (step & 3) {
                case 0: pass(step >> 2); break;
                case 1: answer(script_.bytes(bytes)); break;
                case 2: send(script_.bytes(bytes)); break;
                default:
                    if (!probes_.empty()) answer(probes_[probes_.size() - 1 - (step >> 2) % probes_.size()]);
            }
            RINGPOST_CHECK(matcher_.waiting() == model_.waiting());
            RINGPOST_CHECK(matcher_.counters().given_up == model_.counts.given_up);
            RINGPOST_CHECK(matcher_.counters().reused == model_.counts.reused);
            RINGPOST_CHECK(matcher_.counters().overrun == model_.counts.overrun);
            RINGPOST_CHECK(matcher_.counters().ambiguous == model_.counts.ambiguous);
        }
    }

  private:
    void pass(Duration duration) {
        now_ += duration;
        matcher_.expire(now_ - 40);
        model_.expire(now_ - 40);
    }

    void answer(const Bytes& reply) { RINGPOST_CHECK(matcher_.answer(reply) == model_.answer(reply)); }

    void send(Bytes probe) {
        probe.resize(std::max(probe.size(), rule_.probe_bytes_min()));
        matcher_.sent(sent_++, now_ - 3, now_, probe);
        model_.sent(now_ - 3, now_, probe);
        probes_.push_back(std::move(probe));
        if (probes_.size() > 16) probes_.erase(probes_.begin());
    }

    Script script_;
    MatchRule rule_;
    Matcher matcher_;
    MatchModel model_;
    Instant now_ = 100;
    std::uint64_t sent_ = 0;
    std::vector<Bytes> probes_;
};

int run(const std::uint8_t* data, std::size_t size) {
    Script script(data, size, 1'024);
    const std::uint8_t choice = script.u8();
    Play(script, rules[choice & 3], 1u << (choice >> 2 & 7)).run();
    return 0;
}

const Target registered("traffic/match", run);

}  // namespace
}  // namespace ringpost::fuzz::traffic_match
