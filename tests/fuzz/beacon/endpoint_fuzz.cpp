// A beacon with two targets and arbitrary senders. A step is a byte; its lowest three bits select the operation:
//     0, 1  receive raw bytes; the next byte is their number, the upper bits select the source
//     2, 3  receive a beacon with any timestamp and a quote of raw bytes
//     4     advance the time (magnitude, below an hour), run the timers and send everything
//     5     poll one event
//     6     poll all events
//     7     step the wall clock (magnitude, below thirty years)

#include <deque>
#include <map>
#include <string>

#include "codec/beacon/endpoint.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::beacon_endpoint {

using namespace ringpost::beacon;

namespace {

constexpr Duration period = 2 * second;

Options options() {
    Options options;
    options.targets = {{Address::v4(10, 0, 0, 1, 1), {1, 1, 1, 1}}, {Address::v4(10, 0, 0, 2, 2), {2, 2, 2, 2}}};
    options.advertised_port = 5'005;
    options.period = period;
    options.rounds = 100;
    options.sources_max = 8;
    options.queue_bytes = 512u << 10;
    return options;
}

struct Received {
    Address source;
    std::uint64_t count;
    std::int64_t unix_s;
    Bytes bytes;
};

class Play {
  public:
    void run(Script script) {
        while (!script.over()) {
            const std::uint8_t step = script.u8();
            switch (step & 7) {
                case 0:
                case 1: receive(step >> 3, script.bytes(script.u8())); break;
                case 2:
                case 3: receive(step >> 3, beacon(script)); break;
                case 4: pass(static_cast<Duration>(script.magnitude() % (3'600 * second))); break;
                case 5: event(); break;
                case 6:
                    while (event()) continue;
                    break;
                default: step_clock(static_cast<Duration>(script.magnitude() % (1'000'000'000 * second)));
            }
        }
        while (event()) continue;
        const Counters counts = endpoint_.counters();
        RINGPOST_CHECK(counts.received == received_ && counts.sent == sent_);
        RINGPOST_CHECK(counts.too_short + counts.checksum + counts.not_utf8 == bad_);
        RINGPOST_CHECK(counts.events_dropped == 0 && counts.sources_forgotten == 0);
    }

  private:
    static Bytes beacon(Script& script) {
        const std::uint64_t timestamp = script.u64();
        const Bytes quote = script.bytes(script.u8() % 64);
        Bytes bytes(header_bytes + quote.size());
        encode({timestamp, {3, 3, 3, 3}, 33, {reinterpret_cast<const char*>(quote.data()), quote.size()}}, bytes);
        return bytes;
    }

    void receive(unsigned who, const Bytes& bytes) {
        const Address source =
            Address::v4(10, 0, 1, static_cast<std::uint8_t>(who % 8), static_cast<std::uint16_t>(who));
        endpoint_.handle(now_, {source, 0, bytes});
        ++received_;
        pending_.push_back({source, ++counts_[who % 8], (now_ + unix_offset_) / second, bytes});
    }

    bool event() {
        const auto event = endpoint_.poll_event();
        RINGPOST_CHECK(event.has_value() == !pending_.empty());
        if (!event) return false;
        const Received received = pending_.front();
        pending_.pop_front();
        RINGPOST_CHECK(event->source == received.source && event->count == received.count);
        const auto frame = decode(received.bytes);
        bad_ += !frame;
        RINGPOST_CHECK(event->error.has_value() == !frame);
        if (!frame) return true;
        RINGPOST_CHECK(event->ipv4 == frame->ipv4 && event->port == frame->port && event->quote == frame->quote);
        __extension__ using Wide = __int128;
        const Wide elapsed_s = Wide{received.unix_s} - Wide{frame->unix_s};
        const bool fits = elapsed_s >= INT64_MIN && elapsed_s <= INT64_MAX;
        RINGPOST_CHECK(event->elapsed_s.has_value() == fits && (!fits || *event->elapsed_s == elapsed_s));
        return true;
    }

    void pass(Duration duration) {
        now_ += duration;
        const auto due = endpoint_.poll_timeout();
        const bool round = due && *due <= now_;
        if (round) endpoint_.handle_timeout(now_);
        std::size_t target = 0;
        for (; const auto transmit = endpoint_.poll_transmit(now_, out_); ++target) {
            fuzz::check_transmit(*transmit);
            RINGPOST_CHECK(target < 2 && transmit->destination == options_.targets[target].destination);
            const auto frame = decode(std::span(out_).first(transmit->bytes));
            RINGPOST_CHECK(frame && frame->ipv4 == options_.targets[target].advertised_ipv4 && frame->port == 5'005);
            RINGPOST_CHECK(frame->quote == default_quote);
        }
        RINGPOST_CHECK(target == (round ? 2u : 0u));
        sent_ += target;
        const auto next = endpoint_.poll_timeout();
        RINGPOST_CHECK(next ? *next > now_ && *next <= std::max(now_, due.value_or(0)) + period
                            : sent_ == 2 * options_.rounds);
    }

    void step_clock(Duration unix_offset) {
        unix_offset_ = unix_offset;
        endpoint_.set_unix_offset(unix_offset);
    }

    Options options_ = options();
    Endpoint endpoint_{options_};
    Instant now_ = 0;
    Duration unix_offset_ = 0;
    std::deque<Received> pending_;
    std::map<unsigned, std::uint64_t> counts_;
    Bytes out_ = Bytes(limits::datagram_bytes_max);
    std::uint64_t received_ = 0, sent_ = 0, bad_ = 0;
};

int run(const std::uint8_t* data, std::size_t size) {
    Play().run(Script(data, size, 1'024));
    return 0;
}

const Target registered("beacon/endpoint", run);

}  // namespace
}  // namespace ringpost::fuzz::beacon_endpoint
