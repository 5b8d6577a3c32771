// The rate of messages or questions between two named devices over one connection on loopback.
//
//   devices_rate messages|questions uring|mmsg SECONDS [QUESTIONS_AT_ONCE]
//
// Numbered messages of 64 bytes, checked by the receiver; or numbered questions of 64 bytes, QUESTIONS_AT_ONCE of them
// pending, whose answers repeat the text and are checked as well. Two processes, pinned to two cores: aaa at 127.0.0.1
// connects to bbb at 127.0.0.2, which it learns from an advert passed to it directly. Prints one JSON object.

#include <array>
#include <string>
#include <string_view>

#include <ringpost/devices.hpp>
#include "bench/peer.hpp"
#include "codec/devices/advert.hpp"
#include "codec/devices/endpoint.hpp"
#include "engine/loop/open.hpp"
#include "engine/os/clock.hpp"
#include "engine/tcp/stream_socket.hpp"

namespace bench {
namespace {

using namespace ringpost;
using devices::Endpoint, devices::Event, devices::Sent;

constexpr std::string_view source_name = "aaa", target_name = "bbb";

/// Generates texts of 64 bytes: a number of 16 digits and padding.
class NumberedText {
  public:
    NumberedText() { text_.fill('x'); }
    std::string_view next() {
        write(next_++);
        return {text_.data(), text_.size()};
    }
    std::uint64_t given() const { return next_; }

    void check_next(std::string_view text) {
        if (text != next()) die("sequence check");
    }

  private:
    // Increments the decimal digits in place, of which usually only the last changes.
    void write(std::uint64_t number) {
        if (number == 0) std::fill_n(text_.begin(), digits, '0');
        if (number == 0) return;
        for (std::size_t at = digits; at-- > 0;) {
            if (++text_[at] <= '9') return;
            text_[at] = '0';
        }
    }

    static constexpr std::size_t digits = 16;
    std::array<char, 64> text_;
    std::uint64_t next_ = 0;
};

devices::Options options(std::string_view name, std::uint16_t port) {
    devices::Options out;
    out.name = name;
    out.key = {.k0 = port, .k1 = 1};
    out.tcp_port = port;
    out.start = now();
    return out;
}

/// The receiving end: checks messages, answers questions, and ends when the peer disconnects.
struct Target {
    Endpoint& endpoint;
    Shared& shared;
    NumberedText expected{};
    bool over = false;

    void on_event(Instant at, const Event& event) {
        switch (event.kind) {
            case Event::Kind::message: expected.check_next(event.text); break;
            case Event::Kind::question: {
                expected.check_next(event.text);
                const std::string answer(event.text);  // event.text is valid only until the next call
                if (endpoint.answer(at, event.question, answer) != Sent::queued) die("an answer");
                break;
            }
            case Event::Kind::disconnected: over = true; break;
            default: break;
        }
    }
    Instant on_turn(Instant) {
        shared.received = expected.given();
        return never;
    }
};

/// The sending end: sends or asks as much as fits until the time is over, waits for the remaining answers, and closes.
struct Source {
    Endpoint& endpoint;
    Duration duration;
    std::size_t questions_at_once;  ///< 0: messages
    NumberedText text{}, answered{};
    std::string_view held{};  ///< a message refused because the queue was full
    Instant start = 0;
    bool closing = false;

    void on_event(Instant, const Event& event) {
        if (event.kind == Event::Kind::disconnected && !closing) die("the connection");
        if (event.kind != Event::Kind::answers) return;
        if (event.answers[0].reply != devices::Reply::answered) die("an answer");
        answered.check_next(event.answers[0].text);
    }
    Instant on_turn(Instant at) {
        if (start == 0) {
            const auto peers = endpoint.peers();
            if (peers.empty() || !peers[0].is_ringpost) return never;
            start = at;
        }
        if (at < start + duration) {
            questions_at_once > 0 ? ask(at) : send(at);
            return start + duration;
        }
        if (!closing && (questions_at_once == 0 || answered.given() == text.given())) {
            endpoint.close(at);
            closing = true;
        }
        return never;
    }

  private:
    void send(Instant at) {
        for (bool room = true; room;) {
            const std::string_view message = held.empty() ? text.next() : held;
            room = endpoint.send(at, target_name, message) == Sent::queued;
            held = room ? std::string_view() : message;
        }
    }
    void ask(Instant at) {
        while (text.given() - answered.given() < questions_at_once)
            if (!endpoint.ask(at, std::span(&target_name, 1), text.next(), at + 10 * second)) die("an ask");
    }
};

/// Forwards to an application and stops the loop when done() is true.
template <class AnyLoop, class Application, class DoneWhen>
struct Until {
    AnyLoop& loop;
    Application& application;
    DoneWhen done;
    void on_event(Instant at, const Event& event) { application.on_event(at, event); }
    Instant on_turn(Instant at) {
        const Instant next = application.on_turn(at);
        if (done()) loop.stop();
        return next;
    }
};

template <class AnyLoop, class Application, class DoneWhen>
void run_until(AnyLoop& loop, Endpoint& endpoint, Application& application, DoneWhen done) {
    Until<AnyLoop, Application, DoneWhen> until{loop, application, done};
    loop.run(endpoint, until);
}

void receive(Shared& shared, BackendChoice backend) {
    auto listener = StreamListener::open(Address::v4(127, 0, 0, 2, 0));
    if (!listener) die("listen");
    const std::uint16_t port = listener->local().port;
    Endpoint endpoint(options(target_name, port));
    Target target{endpoint, shared};
    const auto use = [&](auto& loop) {
        if (!loop.backend().listen(std::move(*listener))) die("listen");
        shared.port = port;
        shared.ready = true;
        run_until(loop, endpoint, target, [&] { return target.over; });
        return true;
    };
    if (!with_loop({.backend = backend}, [](const std::string&) {}, use)) die("the backend");
}

void introduce(Endpoint& endpoint, std::string_view name, const Address& address) {
    std::array<std::byte, limits::devices_advert_bytes_max> advert;
    const std::size_t bytes = devices::encode_advert({devices::AdvertKind::alive, name}, advert);
    endpoint.handle(now(), Datagram{address, 0, std::span(advert).first(bytes)});
}

void send(Shared& shared, BackendChoice backend, double seconds, std::size_t questions_at_once, const char* name) {
    Endpoint endpoint(options(source_name, static_cast<std::uint16_t>(shared.port.load())));
    introduce(endpoint, target_name, Address::v4(127, 0, 0, 2, devices::default_group.port));
    Source source{endpoint, static_cast<Duration>(seconds * 1e9), questions_at_once};
    const auto use = [&](auto& loop) {
        run_until(loop, endpoint, source, [&] { return source.closing && endpoint.finished(); });
        return true;
    };
    if (!with_loop({.backend = backend}, [](const std::string&) {}, use)) die("the backend");
    const std::uint64_t sent = questions_at_once > 0 ? source.answered.given() : endpoint.counters().messages_sent;
    report(name, 64, sent, shared, static_cast<std::uint64_t>(source.start));
}

}  // namespace
}  // namespace bench

int main(int count, char** arguments) {
    using namespace bench;
    const std::string_view what = count > 1 ? arguments[1] : "", on = count > 2 ? arguments[2] : "";
    if (count < 4 || (what != "messages" && what != "questions") || (on != "uring" && on != "mmsg"))
        usage("devices_rate messages|questions uring|mmsg SECONDS [QUESTIONS_AT_ONCE]");
    const BackendChoice backend = on == "uring" ? BackendChoice::uring : BackendChoice::mmsg;
    const std::size_t at_once = what == "messages" ? 0 : count > 4 ? std::strtoul(arguments[4], nullptr, 10) : 256;
    run_pair(
        Cores::pinned, [&](Shared& shared) { receive(shared, backend); },
        [&](Shared& shared) { send(shared, backend, std::strtod(arguments[3], nullptr), at_once, arguments[1]); });
}
