// A flow is free, or has a session that sends, expects a reply or waits, or rests. Flows that send are in a queue,
// which poll_transmit() empties before it begins new sessions; each other flow but a free one has one timer. proceed()
// runs the steps between two datagrams. It ends because every repeat sends, so each step runs at most once in it, and
// `end` at most twice.

#include "codec/traffic/scenario_runner.hpp"

#include <bit>
#include <cstring>
#include <limits>

#include "codec/base/bytes.hpp"
#include "codec/base/check.hpp"

namespace ringpost::traffic {
namespace {

constexpr Instant long_ago = std::numeric_limits<Instant>::min();

}  // namespace

ScenarioRunner::ScenarioRunner(const ScenarioOptions& options)
    : options_(options),
      steps_(options.scenario->steps()),
      schedule_(schedule_of(options)),
      flows_(options.flows),
      variables_bytes_(options.scenario->variables().size() * scenario_variable_stride),
      variables_(options.flows * variables_bytes_),
      free_(std::bit_ceil(options.flows)),
      ready_(std::bit_ceil(options.flows)),
      timers_(options.flows, options.start),
      starved_at_(long_ago),
      last_begun_at_(options.start),
      last_ended_at_(options.start),
      rows_(options.scenario->rows().size()),
      row_times_(options.scenario->rows().size()) {
    RINGPOST_CHECK(options.flows > 0 && options.flows <= limits::load_flows_max);
    RINGPOST_CHECK(options.window > 0 && options.timeout > 0);
    for (std::uint32_t index = 0; index < options.flows; ++index) free_.push(index);
}

void ScenarioRunner::postpone(Duration by) {
    options_.start += by;
    if (options_.stop != never) options_.stop += by;
    schedule_ = Schedule(schedule_of(options_));
    last_begun_at_ = last_ended_at_ = options_.start;
}

// ---- sessions -------------------------------------------------------------------------------------

Instant ScenarioRunner::closing() const {
    return options_.stop == never || !open_loop() ? options_.stop
                                                  : options_.stop + overtime(options_.start, options_.stop);
}

bool ScenarioRunner::begins(Instant now) const {
    if (!has_more()) return false;
    return now < options_.stop || (now < closing() && schedule_.next() < options_.stop);
}

bool ScenarioRunner::is_due(Instant now) const {
    if (now < options_.start || !begins(now)) return false;
    return open_loop() ? schedule_.next() <= now : active_ < options_.window;
}

void ScenarioRunner::begin_session(Instant now) {
    Instant due = now;
    if (open_loop()) {
        due = schedule_.next();
        schedule_.advance();
    }
    const std::uint32_t index = free_.front();
    free_.pop();
    Flow& flow = flows_[index];
    flow.due = flow.step_due = due;
    flow.late = flow.late_sent = 0;
    flow.session = begun_++ * options_.share_of + options_.share_index;
    flow.step = 0;
    flow.measured = due >= options_.start + options_.warm_up;
    flow.begun = false;
    for (std::size_t at = 0; at < variables_bytes_; at += scenario_variable_stride) variables_of(index)[at] = {};
    counts_.sessions += flow.measured;
    counts_.waited += flow.measured && open_loop() && due <= starved_at_;
    ++active_;
    last_begun_at_ = now;
    proceed(index, now);
}

void ScenarioRunner::proceed(std::uint32_t index, Instant now) {
    Flow& flow = flows_[index];
    while (flow.step < steps_.size()) {
        const ScenarioStep& step = step_of(flow);
        switch (step.kind) {
            case ScenarioStep::Kind::send:
                flow.stage = Stage::sending;
                ready_.push(index);
                return;
            case ScenarioStep::Kind::expect: expect_reply(index, now); return;
            case ScenarioStep::Kind::wait:
                flow.step_due += step.time;
                ++flow.step;
                if (flow.step_due <= now) break;  // its time has passed while this sender was held up
                flow.stage = Stage::waiting;
                timers_.schedule(index, flow.step_due);
                return;
            case ScenarioStep::Kind::repeat:
                flow.rounds[step.depth] = step.times;
                flow.step = static_cast<std::uint16_t>(repeats(index, step) ? flow.step + 1 : step.index + 1);
                break;
            case ScenarioStep::Kind::end: {
                const bool holds = repeats(index, step);
                const bool last = holds && --flow.rounds[step.depth] == 0;
                if (last && step.mask != 0) return fail(index, now, Failure::unended);
                flow.step = static_cast<std::uint16_t>(holds && !last ? step.index + 1 : flow.step + 1);
                break;
            }
        }
    }
    complete(index, now);
}

/// Whether the condition of a repeat holds.
bool ScenarioRunner::repeats(std::uint32_t index, const ScenarioStep& step) const {
    return step.mask == 0 || (variable_number(variable_value(variables_of(index), step.variable)) & step.mask) != 0;
}

void ScenarioRunner::expect_reply(std::uint32_t index, Instant now) {
    Flow& flow = flows_[index];
    const ScenarioStep& step = step_of(flow);
    if (step.slot > 0 && flow.measured) ++rows_[step.row].sent;
    flow.stage = Stage::replying;
    timers_.schedule(index, now + within(step));
}

void ScenarioRunner::complete(std::uint32_t index, Instant now) {
    const Flow& flow = flows_[index];
    if (flow.measured) {
        ++counts_.completed;
        response_.record(now - flow.due);
        if (open_loop()) service_.record(flow.step_due - flow.due - flow.late);
    }
    --active_;
    last_ended_at_ = now;
    set_free(index);
}

void ScenarioRunner::fail(std::uint32_t index, Instant now, Failure failure) {
    Flow& flow = flows_[index];
    // After the last round of a repeat no reply is missing.
    const bool rests = failure != Failure::unended;
    if (flow.measured) {
        counts_.wrong += failure == Failure::wrong;
        counts_.timed_out += failure == Failure::timed_out;
        counts_.unended += failure == Failure::unended;
        if (rests) {
            ScenarioRowCounters& row = rows_[step_of(flow).row];
            ++(failure == Failure::wrong ? row.wrong : row.timed_out);
        }
    }
    --active_;
    last_ended_at_ = now;
    if (!rests) return set_free(index);
    flow.stage = Stage::resting;
    timers_.schedule(index, now + 2 * within(step_of(flow)));
}

void ScenarioRunner::set_free(std::uint32_t index) {
    flows_[index].stage = Stage::free;
    free_.push(index);
}

std::uint64_t ScenarioRunner::unsent() const {
    if (!open_loop() || options_.stop == never) return 0;
    return schedule_.count_due(options_.start + options_.warm_up, options_.stop, options_.count - counts_.sessions);
}

// ---- replies --------------------------------------------------------------------------------------

void ScenarioRunner::handle(Instant now, const Datagram& in) {
    ++counts_.datagrams_received;
    const SocketIndex index = in.socket - options_.first_socket;
    if (index >= options_.flows) {
        ++counts_.foreign;
        return;
    }
    Flow& flow = flows_[index];
    if (flow.stage != Stage::replying) {
        ++(flow.stage == Stage::resting ? counts_.late : counts_.surplus);
        return;
    }
    const ScenarioStep& step = step_of(flow);
    if (!selects(step, flow, in.bytes)) {
        ++counts_.foreign;
        return;
    }
    if (!accepts(index, step, in.bytes)) return fail(index, now, Failure::wrong);
    if (flow.measured) {
        ++rows_[step.row].answered;
        row_times_[step.row].record(now - flow.step_due);
    }
    flow.step_due = now;
    flow.late = flow.late_sent;
    ++flow.step;
    timers_.cancel(index);
    proceed(index, now);
}

bool ScenarioRunner::selects(const ScenarioStep& step, const Flow& flow, std::span<const std::byte> reply) const {
    const auto& rule = options_.scenario->reply_of(step).match;
    if (!rule) return true;
    return reply.size() >= rule->reply_bytes_min() && key_of(*rule, reply, rule->reply_offset) == flow.keys[step.slot];
}

/// Whether the reply is what the step expects; takes the variables out of it.
bool ScenarioRunner::accepts(std::uint32_t index, const ScenarioStep& step, std::span<const std::byte> reply) {
    const ScenarioReply& expected = options_.scenario->reply_of(step);
    if (expected.check.any()) {
        const auto status = expected.check.inspect(reply);
        if (!status || expected.check.statuses()[*status].error) return false;
    }
    return std::ranges::all_of(expected.takes, [&](const ScenarioTake& take) {
        const auto value = take.find(reply);
        if (!value) return false;
        std::byte* const at = variables_of(index) + take.variable * scenario_variable_stride;
        *at = static_cast<std::byte>(value->size());
        std::ranges::copy(*value, at + 1);
        return true;
    });
}

std::uint64_t ScenarioRunner::key_of(const MatchRule& rule, std::span<const std::byte> bytes,
                                     std::size_t offset) const {
    if (rule.kind == MatchRule::Kind::echo) return siphash(options_.key, bytes);
    std::byte key[8]{};
    std::memcpy(key, &bytes[offset], rule.bytes);
    return load_le<std::uint64_t>(key);
}

// ---- datagrams ------------------------------------------------------------------------------------

std::optional<Transmit> ScenarioRunner::poll_transmit(Instant now, std::span<std::byte> out) {
    while (ready_.empty() && is_due(now)) {
        if (free_.empty()) {
            starved_at_ = now;
            return std::nullopt;
        }
        begin_session(now);
    }
    if (ready_.empty()) return std::nullopt;
    const std::uint32_t index = ready_.front();
    ready_.pop();
    const std::size_t size = write(index, now, out);
    ++flows_[index].step;
    proceed(index, now);
    return Transmit{.destination = {}, .socket = options_.first_socket + index, .bytes = size, .segment_bytes = size};
}

std::size_t ScenarioRunner::write(std::uint32_t index, Instant now, std::span<std::byte> out) {
    Flow& flow = flows_[index];
    const ScenarioStep& step = step_of(flow);
    const std::size_t size = options_.scenario->payload_of(step).write(out,
                                                                       {.sequence = counts_.datagrams_sent,
                                                                        .in_flow = flow.sent++,
                                                                        .due = flow.step_due,
                                                                        .unix_offset = options_.unix_offset,
                                                                        .seed = options_.seed},
                                                                       flow.session, variables_of(index));
    ++counts_.datagrams_sent;
    set_keys(flow, out.first(size));
    const Duration late = now - flow.step_due;
    flow.late_sent = flow.late + late;
    if (flow.measured) {
        ++rows_[step.row].sent;
        if (!flow.begun && open_loop()) slip_.record(late);
    }
    flow.begun = true;
    return size;
}

/// Of all replies to this datagram: variables that its payload used may change with the first.
void ScenarioRunner::set_keys(Flow& flow, std::span<const std::byte> sent) {
    for (std::size_t at = flow.step + std::size_t{1};
         at < steps_.size() && steps_[at].kind == ScenarioStep::Kind::expect; ++at)
        if (const auto& rule = options_.scenario->reply_of(steps_[at]).match)
            flow.keys[steps_[at].slot] = key_of(*rule, sent, rule->probe_offset);
}

void ScenarioRunner::handle_timeout(Instant now) {
    timers_.expire(now, [&](TimerIndex index, Instant) {
        switch (flows_[index].stage) {
            case Stage::replying: fail(index, now, Failure::timed_out); break;
            case Stage::waiting: proceed(index, now); break;
            case Stage::resting: set_free(index); break;
            case Stage::free:
            case Stage::sending: break;  // have no timer
        }
    });
    if (now >= closing()) stopped_ = true;
}

std::optional<Instant> ScenarioRunner::poll_timeout() const {
    if (!ready_.empty()) return flows_[ready_.front()].step_due;
    Instant at = timers_.next().value_or(never);
    if (!stopped_ && has_more() && !free_.empty()) {
        const Instant due = open_loop() ? schedule_.next() : active_ < options_.window ? options_.start : never;
        if (due < options_.stop) at = std::min(at, due);
    }
    return at == never ? std::nullopt : std::optional(at);
}

}  // namespace ringpost::traffic
