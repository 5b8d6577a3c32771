// Open loop: a probe is sent when it is due, regardless of unanswered ones.
// Closed loop: a fixed number of probes is in flight. An answer lets the next one be sent at once. So does giving up a
// probe that has been unanswered for timeout, or after which limits::probes_in_flight_max others have been sent.
// A late answer still counts as received, and its round trip is recorded.

#include "codec/traffic/prober.hpp"

#include <algorithm>
#include <bit>

#include "codec/base/check.hpp"

namespace ringpost::traffic {

Prober::Prober(const ProberOptions& options)
    : options_(options),
      writer_(options.sizes.largest()),
      size_random_(options.sizes_seed),
      schedule_(schedule_of(options)),
      probes_(limits::probes_in_flight_max),
      last_sent_at_(options.start),
      last_answered_at_(options.start),
      window_words_(limits::load_window_sequences / 64),
      window_({&window_words_[0], window_words_.size()}),
      sent_by_flow_(options.flows),
      answered_by_flow_(options.flows) {
    RINGPOST_CHECK(options.flows > 0);
    RINGPOST_CHECK(options.sizes.smallest() >= frame_bytes_min);
    RINGPOST_CHECK(options.window > 0 && options.window <= limits::probes_in_flight_max);
    if (options.by_receiver) receivers_.emplace(options.key);
    if (options.dialect == nullptr) return;
    // All flows together have about the capacity of one.
    const auto capacity = std::bit_ceil(std::max(1u, limits::probe_keys_max / options.flows));
    matchers_.reserve(options.flows);
    tokens_.resize(std::size_t{options.flows} * options.dialect->token_bytes, std::byte{0xff});
    for (std::uint32_t flow = 0; flow < options.flows; ++flow)
        matchers_.emplace_back(options.dialect->match, options.key, capacity, options.timeout);
    statuses_.resize(options.dialect->check.statuses().size());
}

void Prober::postpone(Duration by) {
    options_.start += by;
    if (options_.stop != never) options_.stop += by;
    schedule_ = Schedule(schedule_of(options_));
    last_sent_at_ = last_answered_at_ = options_.start;
}

// ---- replies --------------------------------------------------------------------------------------

void Prober::handle(Instant now, const Datagram& in) {
    const std::optional<Answer> answer = matchers_.empty() ? match_frame(in.bytes) : match_reply(now, in);
    answered_any_ |= answer.has_value();
    if (answer && answer->sequence < warmed_up_) {
        close_probe(answer->sequence);
        return;
    }
    ++counts_.received;
    if (!answer) return;
    counts_.late += answer->late;
    if (receivers_) receivers_->record(in.source, answer->sequence, now - answer->due);
    switch (window_.record(answer->sequence)) {
        case Arrival::in_order: break;
        case Arrival::reordered: ++counts_.reordered; break;
        case Arrival::duplicate: ++counts_.duplicate; return;
    }
    last_answered_at_ = now;
    ++answered_by_flow_[answer->sequence % options_.flows];
    if (record_status(*answer) && options_.histograms) measure(now, *answer, in.stamped_at);
    close_probe(answer->sequence);
    if (answer->sequence < marked_ && missing_ > 0) --missing_;
}

void Prober::measure(Instant now, const Answer& answer, Instant stamped_at) {
    response_.record(now - answer.due);
    if (open_loop()) {
        if (answer.sent_at)
            service_.record(now - *answer.sent_at);
        else
            ++counts_.service_unknown;
    }
    if (!options_.stamps) return;
    // `never` is later than now.
    if (!answer.sent_at || stamped_at < *answer.sent_at || stamped_at > now) {
        ++counts_.unstamped;
        return;
    }
    path_.record(stamped_at - *answer.sent_at);
    pickup_.record(now - stamped_at);
}

std::optional<Prober::Answer> Prober::match_frame(std::span<const std::byte> bytes) {
    const std::optional<Frame> frame = decode(bytes);
    if (frame && is_own(*frame)) {
        std::optional<Instant> sent_at;
        if (is_recorded(frame->sequence)) sent_at = probe(frame->sequence).sent_at;
        return Answer{.sequence = frame->sequence, .due = frame->due, .sent_at = sent_at, .status = {}};
    }
    ++(frame ? counts_.foreign : counts_.corrupt);
    return std::nullopt;
}

/// Due times that we have not written are rejected: a forged one with a valid CRC would distort the histogram.
bool Prober::is_own(const Frame& frame) const {
    if (frame.stream != options_.stream || frame.sequence >= next_) return false;
    if (is_recorded(frame.sequence)) return frame.due == probe(frame.sequence).due;
    return frame.due >= options_.start && frame.due <= last_sent_at_;
}

std::optional<Prober::Answer> Prober::match_reply(Instant now, const Datagram& in) {
    // The reliable layer has one flow and passes messages without a socket.
    const SocketIndex flow = options_.flows == 1 ? 0 : in.socket - options_.first_socket;
    const AnswerCheck& check = options_.dialect->check;
    const auto status = check.inspect(in.bytes);
    if (const auto token = check.token(in.bytes);
        flow < options_.flows && token.size() == options_.dialect->token_bytes)
        std::ranges::copy(token, tokens_.begin() + static_cast<std::ptrdiff_t>(flow * token.size()));
    if (flow >= options_.flows || (check.any() && !status)) {
        ++counts_.foreign;
        counts_.not_a_reply += flow < options_.flows;
        return std::nullopt;
    }
    Matcher& matcher = matchers_[flow];
    matcher.expire(now - options_.timeout + 1);
    const Reply reply = matcher.answer(check.matched_part(in.bytes));
    switch (reply.kind) {
        case Reply::Kind::answer:
        case Reply::Kind::late:
            return Answer{reply.sequence * options_.flows + flow, reply.due, reply.sent_at,
                          reply.kind == Reply::Kind::late, status};
        case Reply::Kind::duplicate: ++counts_.duplicate; break;
        case Reply::Kind::surplus: ++counts_.surplus; break;
        case Reply::Kind::unknown: ++counts_.foreign; break;
    }
    return std::nullopt;
}

bool Prober::record_status(const Answer& answer) {
    if (!answer.status) return true;
    ++statuses_[*answer.status];
    const AnswerCheck::Status& status = options_.dialect->check.statuses()[*answer.status];
    counts_.errors += status.error;
    return !status.error && !status.step;
}

std::optional<MatchCounters> Prober::match_counts() const {
    if (matchers_.empty()) return std::nullopt;
    MatchCounters sum;
    for (const Matcher& matcher : matchers_) sum += matcher.counters();
    return sum;
}

std::uint64_t Prober::unanswered() const {
    std::uint64_t sum = 0;
    for (const Matcher& matcher : matchers_) sum += matcher.counters().given_up + matcher.waiting();
    return sum;
}

/// Marks a probe as no longer in flight. Has no effect on other probes.
void Prober::close_probe(std::uint64_t sequence) {
    if (!is_recorded(sequence) || !probe(sequence).open) return;
    probe(sequence).open = false;
    --in_flight_;
    while (oldest_open_ < next_ && !probe(oldest_open_).open) ++oldest_open_;
}

void Prober::handle_timeout(Instant now) {
    while (in_flight_ > 0 && now >= probe(oldest_open_).sent_at + options_.timeout) close_probe(oldest_open_);
    if (now >= closing()) stopped_ = true;
}

// ---- probes ---------------------------------------------------------------------------------------

std::optional<Transmit> Prober::poll_transmit(Instant now, std::span<std::byte> out) {
    if (!may_send(now)) return std::nullopt;
    Instant due = now;
    if (open_loop()) {
        due = schedule_.next();
        schedule_.advance();
    } else if (in_flight_ > 0 && next_ - oldest_open_ == limits::probes_in_flight_max) {
        close_probe(oldest_open_);
    }
    const std::size_t size = write_probe(out, due, now);
    const auto socket = options_.first_socket + static_cast<SocketIndex>(next_ % options_.flows);
    probe(next_) = {.due = due, .sent_at = now, .open = !open_loop()};
    in_flight_ += !open_loop();
    ++next_;
    if (due < options_.start + options_.warm_up) {
        warmed_up_ = next_;
    } else {
        ++counts_.sent;
        ++sent_by_flow_[socket - options_.first_socket];
        if (open_loop() && options_.histograms) slip_.record(now - due);
    }
    last_sent_at_ = now;
    return Transmit{.destination = options_.destination, .socket = socket, .bytes = size, .segment_bytes = size};
}

std::size_t Prober::write_probe(std::span<std::byte> out, Instant due, Instant now) {
    if (!matchers_.empty()) {
        const std::uint64_t in_flow = next_ / options_.flows;
        const std::size_t size = options_.dialect->payload.write(out, {.sequence = next_,
                                                                       .in_flow = in_flow,
                                                                       .due = due,
                                                                       .unix_offset = options_.unix_offset,
                                                                       .seed = options_.stream});
        if (const std::size_t bytes = options_.dialect->token_bytes; bytes > 0)
            std::ranges::copy(std::span(tokens_).subspan(next_ % options_.flows * bytes, bytes),
                              &out[options_.dialect->token_offset]);
        Matcher& matcher = matchers_[next_ % options_.flows];
        matcher.expire(now - options_.timeout + 1);
        matcher.sent(in_flow, due, now, out.first(size));
        return size;
    }
    writer_.prepare(out, 1);
    const std::size_t size = options_.sizes.draw(size_random_);
    if (size == writer_.frame_bytes())
        writer_.write(out.data(), {options_.stream, next_, due}, 1);
    else
        encode({options_.stream, next_, due}, out.first(size));
    return size;
}

Instant Prober::closing() const {
    return options_.stop == never || !open_loop() ? options_.stop
                                                  : options_.stop + overtime(options_.start, options_.stop);
}

bool Prober::sends(Instant now) const {
    if (!has_more()) return false;
    return now < options_.stop || (now < closing() && schedule_.next() < options_.stop);
}

std::uint64_t Prober::unsent() const {
    if (!open_loop() || options_.stop == never) return 0;
    return schedule_.count_due(options_.start + options_.warm_up, options_.stop, options_.count - counts_.sent);
}

std::optional<Instant> Prober::poll_timeout() const {
    if (in_flight_ == options_.window) return probe(oldest_open_).sent_at + options_.timeout;
    if (stopped_ || !has_more()) return std::nullopt;
    const Instant due = open_loop() ? schedule_.next() : options_.start;
    return due < options_.stop ? std::optional(due) : std::nullopt;
}

bool Prober::finished(Instant now, Duration linger) const {
    if (sends(now)) return false;
    return counts_.lost() == 0 || now >= last_sent_at_ + linger;
}

}  // namespace ringpost::traffic
