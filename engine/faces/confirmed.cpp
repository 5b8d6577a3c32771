// send() and the counters access the endpoint directly. The blocking calls run turns of a PolledEndpoint until the
// endpoint has the outcome or message that they wait for, and leave other events in the endpoint for later calls.

#include <ringpost/confirmed.hpp>

#include <utility>

#include "codec/confirmed/endpoint.hpp"
#include "engine/faces/fresh_options.hpp"
#include "engine/faces/polled_endpoint.hpp"

namespace ringpost::confirmed {

Result<Messenger> Messenger::open(const OpenOptions& options) {
    SocketOptions socket;
    socket.bind = options.bind;
    socket.reports_errors = options.reports_errors;
    auto polled = PolledEndpoint<Endpoint>::open(socket, options.engine, fresh_options(options.protocol));
    if (!polled) return std::unexpected(polled.error());
    return Messenger(std::move(*polled));
}

Messenger::Messenger(std::unique_ptr<PolledEndpoint<Endpoint>> polled) : polled_(std::move(polled)) {}
Messenger::Messenger(Messenger&&) noexcept = default;
Messenger& Messenger::operator=(Messenger&&) noexcept = default;
Messenger::~Messenger() = default;

std::expected<SendNumber, Refused> Messenger::send(const Value& message, const SendOptions& how) {
    return polled_->endpoint.send(now(), message, how);
}

std::expected<SendNumber, Refused> Messenger::send(std::string_view text, const SendOptions& how) {
    return polled_->endpoint.send(now(), text, how);
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
    polled_->wait_for(never, [&] { return (ended = polled_->endpoint.take_outcome(*sent)).has_value(); });
    return Answer{ended->outcome, std::move(ended->message)};
}

std::optional<Message> Messenger::query(Duration timeout) {
    std::optional<Event> received;
    if (!polled_->wait_for(timeout, [&] { return (received = polled_->endpoint.take_message()).has_value(); }))
        return {};
    return Message{std::move(received->message), received->status, received->peer};
}

bool Messenger::poll(Duration timeout, const Handler& handler) { return polled_->poll(timeout, handler); }

void Messenger::wake() const { polled_->wake(); }

const Address& Messenger::target() const { return polled_->endpoint.target(); }
std::uint32_t Messenger::in_flight() const { return polled_->endpoint.in_flight(); }
const Counters& Messenger::counters() const { return polled_->endpoint.counters(); }
EngineCounters Messenger::engine_counters() const { return polled_->counters(); }
const Address& Messenger::local() const { return polled_->local; }
const char* Messenger::backend() const { return polled_->backend; }
const std::string& Messenger::note() const { return polled_->note; }

}  // namespace ringpost::confirmed
