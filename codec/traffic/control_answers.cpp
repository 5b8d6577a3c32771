#include "codec/traffic/control_answers.hpp"

#include "codec/base/limits.hpp"
#include "codec/base/reflection.hpp"

namespace ringpost::traffic {
namespace {

constexpr Duration control_interval = second / limits::control_answers_per_s;
constexpr Duration control_burst = control_interval * limits::control_answers_owed_max;

}  // namespace

ControlAnswers::ControlAnswers() : owed_(limits::control_answers_owed_max) {}

bool ControlAnswers::admit(Instant now, const Datagram& request) {
    ++counts_.asked;
    const Instant from = std::max(paid_until_, now - control_burst);
    if (from > now || owed_.full() || reflects(request.source.port)) {
        ++counts_.withheld;
        return false;
    }
    paid_until_ = from + control_interval;
    return true;
}

void ControlAnswers::answer(const Datagram& request, const Control& answer) {
    owed_.push({request.source, request.path(), answer});
}

std::optional<Transmit> ControlAnswers::poll_transmit(std::span<std::byte> out) {
    if (owed_.empty()) return std::nullopt;
    const Owed owed = owed_.front();
    owed_.pop();
    encode_control(owed.answer, out);
    ++counts_.answered;
    return Transmit{owed.to, owed.path.socket, control_bytes, control_bytes, owed.path.local};
}

}  // namespace ringpost::traffic
