// send() and the counters access the endpoint directly. The blocking calls run turns of a PolledEndpoint until the
// endpoint has the outcome or message that they wait for, and leave other events in the endpoint for later calls.

#include <ringpost/confirmed.hpp>

#include <utility>

#include "codec/confirmed/endpoint.hpp"
#include "engine/faces/fresh_options.hpp"
#include "engine/faces/memory_budget.hpp"
#include "engine/faces/option_check.hpp"
#include "engine/faces/polled_endpoint.hpp"

namespace ringpost::confirmed {

Result<Messenger> Messenger::open(const OpenOptions& options) {
    if (auto wrong = check_options(options)) return std::unexpected(std::move(*wrong));
    SocketOptions socket;
    socket.bind = options.bind;
    socket.reports_errors = options.reports_errors;
    auto polled = PolledEndpoint<Endpoint>::open(socket, options.engine, fresh_options(options.protocol));
    if (!polled) return std::unexpected(polled.error());
    (*polled)->memory_bytes = engine_budget((*polled)->backend) + endpoint_budget(options.protocol);
    return Messenger(std::move(*polled));
}

Messenger::Messenger(std::unique_ptr<PolledEndpoint<Endpoint>> polled) : polled_(std::move(polled)) {}
Messenger::Messenger(Messenger&&) noexcept = default;
Messenger& Messenger::operator=(Messenger&&) noexcept = default;
Messenger::~Messenger() = default;

std::optional<Refused> Messenger::refuse(const SendOptions& how) {
    auto& polled = used(polled_);
    const Address& to = how.to.family != Family::none ? how.to : polled.endpoint.target();
    if (to.family == Family::none || may_be_peer(to, polled.local)) return std::nullopt;
    ++polled.bad_peers;
    return Refused{Refusal::bad_peer, 0};
}

std::expected<SendNumber, Refused> Messenger::send(const Value& message, const SendOptions& how) {
    if (const auto refused = refuse(how)) return std::unexpected(*refused);
    return used(polled_).change().send(now(), message, how);
}

std::expected<SendNumber, Refused> Messenger::send(std::string_view text, const SendOptions& how) {
    if (const auto refused = refuse(how)) return std::unexpected(*refused);
    return used(polled_).change().send(now(), text, how);
}

std::expected<Answer, Refused> Messenger::send_and_wait(const Value& message, Duration timeout, const Address& to) {
    return outcome_of(send(message, {.to = to, .timeout = timeout}));
}

std::expected<Answer, Refused> Messenger::send_and_wait(std::string_view text, Duration timeout, const Address& to) {
    return outcome_of(send(text, {.to = to, .timeout = timeout}));
}

/// Waits without a timeout, because the send itself expires.
std::expected<Answer, Refused> Messenger::outcome_of(const std::expected<SendNumber, Refused>& sent) {
    if (!sent) return std::unexpected(sent.error());
    std::optional<Event> ended;
    used(polled_).wait_for(never, [&] { return (ended = used(polled_).endpoint.take_outcome(*sent)).has_value(); });
    const int error = ended->outcome == Outcome::confirmed ? 0 : polled_->error_of(ended->peer);
    return Answer{ended->outcome, std::move(ended->message), error};
}

std::optional<Message> Messenger::query(Duration timeout) {
    std::optional<Event> received;
    if (!used(polled_).wait_for(timeout,
                                [&] { return (received = used(polled_).endpoint.take_message()).has_value(); }))
        return {};
    return Message{std::move(received->message), received->status, received->peer};
}

bool Messenger::poll(Duration timeout, const Handler& handler) { return used(polled_).poll(timeout, handler); }

void Messenger::wake() const { present(polled_).wake(); }
bool Messenger::usable() const { return polled_ != nullptr && polled_->usable(); }
int Messenger::fd() { return used(polled_).fd(); }
Instant Messenger::next_deadline() const { return used(polled_).next_deadline(); }

const Address& Messenger::target() const { return used(polled_).endpoint.target(); }
std::uint32_t Messenger::in_flight() const { return used(polled_).endpoint.in_flight(); }
Counters Messenger::counters() const {
    Counters out = used(polled_).endpoint.counters();
    out.refused_bad_peer = polled_->bad_peers;
    return out;
}
EngineCounters Messenger::engine_counters() const { return used(polled_).counters(); }
const Address& Messenger::local() const { return present(polled_).local; }
const char* Messenger::backend() const { return present(polled_).backend; }
const std::string& Messenger::note() const { return present(polled_).note; }
std::size_t Messenger::memory_bytes() const { return present(polled_).memory_bytes; }

}  // namespace ringpost::confirmed
