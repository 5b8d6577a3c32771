// A device `m` with six streams and eight addresses. A step is a byte: the lowest four bits select the operation, the
// upper four its object:
//     0      receive an advert of raw bytes
//     1      receive a valid advert: hello or alive, with one of eight names
//     2      accept a connection
//     3..5   receive bytes on a stream: raw; `NAME/EOL`; a valid frame, or its first part
//     6      report a stream as connected or written
//     7      report a stream as closed
//     8      call the endpoint: a message, to one or all; an ask; an answer
//     9      advance the time (magnitude, below an hour) and run the timers
//     10     poll all transmits and stream requests
//     11     poll one event
//     12     poll all events
//     13     add or remove a link
//     14     close, if the next byte is 0
//
// The driver follows its contract and checks that of the endpoint: requests only for existing streams, one write at a
// time, and exactly one end per ask.

#include <array>
#include <set>
#include <string>

#include "codec/devices/endpoint.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::devices_endpoint {

using namespace ringpost::devices;

namespace {

constexpr std::uint32_t streams = 6;

class Play {
  public:
    Play() { endpoint_.add_interface(0, 0, address(0)); }

    void run(Script script) {
        while (!script.over()) step(script);
        events(SIZE_MAX);
        now_ += 3'600 * second;
        endpoint_.handle_timeout(now_);
        events(SIZE_MAX);
        RINGPOST_CHECK(asks_.empty());
        if (!closed_) return;
        drain();
        RINGPOST_CHECK(endpoint_.finished());
    }

  private:
    struct Stream {
        bool used = false, stands = false, writing = false, paused = false;
    };

    static Options options() {
        Options out;
        out.name = "m";
        out.names_max = 5;
        out.streams_max = streams;
        out.queue_bytes = limits::devices_frame_bytes_max;
        out.seeds = {address(9)};
        return out;
    }
    static Address address(unsigned host) { return Address::v4(10, 0, 0, static_cast<std::uint8_t>(host), 3'235); }
    static Bytes bytes_of(std::string_view text) {
        const auto bytes = std::as_bytes(std::span(text));
        return {bytes.begin(), bytes.end()};
    }
    static std::string text_of(const Bytes& bytes) {
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
    static std::string name(unsigned which) { return {"abmnyzčx"[which % 8]}; }

    void step(Script& script) {
        const std::uint8_t step = script.u8();
        const unsigned arg = step >> 4;
        switch (step & 15) {
            case 0: receive(arg, script.bytes(script.u8())); break;
            case 1: receive(arg, bytes_of((arg & 8 ? "hello:,:" : "alive:,:") + name(script.u8()))); break;
            case 2: accept(arg); break;
            case 3: bytes(arg, script.bytes(script.u8())); break;
            case 4: bytes(arg, bytes_of(name(script.u8()) + (script.u8() & 1 ? "/EOLPiNg/EOL" : "/EOL"))); break;
            case 5: bytes(arg, frame(script)); break;
            case 6: progress(arg); break;
            case 7: close_stream(arg, static_cast<StreamEnd>(script.u8() % 5)); break;
            case 8: call(arg, script); break;
            case 9: pass(static_cast<Duration>(script.magnitude() % (3'600 * second))); break;
            case 10: drain(); break;
            case 11: events(1); break;
            case 12: events(SIZE_MAX); break;
            case 13: link(arg); break;
            case 14:
                if (script.u8() != 0) break;
                endpoint_.close(now_);
                closed_ = true;
                break;
            default: break;
        }
    }

    static Bytes frame(Script& script) {
        const Frame frames[] = {{FrameKind::message, 0, "text"},
                                {FrameKind::question, script.u8(), "text?"},
                                {FrameKind::answer, script.u16(), "text."},
                                {FrameKind::ping, 0, {}},
                                {FrameKind::quit, 0, {}}};
        const Frame& chosen = frames[script.u8() % 5];
        Bytes out(frame_bytes(chosen));
        encode_frame(chosen, out);
        const std::uint8_t cut = script.u8();
        if (cut < out.size()) out.resize(cut);
        return out;
    }

    void receive(unsigned arg, const Bytes& bytes) {
        endpoint_.handle(now_, Datagram{address(arg % 8), arg % 2, bytes});
    }

    void accept(unsigned arg) {
        const auto stream = endpoint_.accept(now_, address(arg % 8));
        if (!stream) return;
        RINGPOST_CHECK(*stream < streams && !streams_[*stream].used);
        streams_[*stream] = {.used = true, .stands = true};
    }

    void bytes(unsigned arg, const Bytes& bytes) {
        const StreamIndex stream = arg % streams;
        if (!streams_[stream].stands || bytes.empty()) return;
        endpoint_.handle(now_, StreamInput{.kind = StreamInput::Kind::bytes, .stream = stream, .bytes = bytes});
    }

    void progress(unsigned arg) {
        const StreamIndex stream = arg % streams;
        Stream& reported = streams_[stream];
        if (!reported.used || (reported.stands && !reported.writing)) return;
        const auto kind = reported.stands ? StreamInput::Kind::written : StreamInput::Kind::connected;
        reported.stands = true;
        reported.writing = false;
        endpoint_.handle(now_, StreamInput{.kind = kind, .stream = stream, .bytes = {}});
    }

    void close_stream(unsigned arg, StreamEnd end) {
        const StreamIndex stream = arg % streams;
        if (!streams_[stream].used) return;
        streams_[stream] = {};
        endpoint_.handle(now_,
                         StreamInput{.kind = StreamInput::Kind::closed, .stream = stream, .bytes = {}, .end = end});
    }

    void call(unsigned arg, Script& script) {
        const std::string text = text_of(script.bytes(script.u8() % 32));
        const std::string to = name(arg), other = name(arg + 1);
        const std::string_view names[] = {to, other};
        switch (script.u8() % 6) {
            case 0: endpoint_.send(now_, to, text); break;
            case 1: RINGPOST_CHECK(endpoint_.send_all(now_, text).size() == endpoint_.peer_count()); break;
            case 2: asked(endpoint_.ask(now_, std::span(names).first(arg % 3), text, now_ + script.u16())); break;
            case 3: asked(endpoint_.ask_all(now_, text, now_ + second)); break;
            case 4: endpoint_.answer(now_, question_, text); break;
            default: endpoint_.send(now_, to, std::string(script.u16(), 'x'));
        }
    }

    void asked(const std::expected<AskId, AskRefusal>& id) {
        if (id) RINGPOST_CHECK(asks_.insert({id->index, id->generation}).second);
    }

    void pass(Duration duration) {
        now_ += duration;
        const auto due = endpoint_.poll_timeout();
        if (due && *due <= now_) endpoint_.handle_timeout(now_);
        RINGPOST_CHECK(endpoint_.peers().size() == endpoint_.peer_count());
    }

    void drain() {
        while (const auto transmit = endpoint_.poll_transmit(now_, out_)) {
            fuzz::check_transmit(*transmit);
            RINGPOST_CHECK(decode_advert(std::span(out_).first(transmit->bytes))->name == "m");
        }
        while (const auto request = endpoint_.poll_stream(now_, out_)) {
            RINGPOST_CHECK(request->stream < streams);
            Stream& asked = streams_[request->stream];
            RINGPOST_CHECK(asked.used == (request->kind != StreamRequest::Kind::connect));
            switch (request->kind) {
                case StreamRequest::Kind::connect: asked.used = true; break;
                case StreamRequest::Kind::close: asked = {}; break;
                case StreamRequest::Kind::write:
                    RINGPOST_CHECK(asked.stands && !asked.writing && request->bytes > 0);
                    asked.writing = true;
                    break;
                case StreamRequest::Kind::pause:
                case StreamRequest::Kind::resume:
                    RINGPOST_CHECK(asked.paused == (request->kind == StreamRequest::Kind::resume));
                    asked.paused = !asked.paused;
                    break;
            }
        }
        // Everything due now must have been polled; a driver that sleeps until poll_timeout() would miss the rest.
        const auto due = endpoint_.poll_timeout();
        if (due && *due <= now_) endpoint_.handle_timeout(now_);
    }

    void events(std::size_t count) {
        for (; count > 0; --count) {
            const auto event = endpoint_.poll_event();
            if (!event) return;
            if (event->kind == Event::Kind::question) question_ = event->question;
            if (event->kind != Event::Kind::answers) continue;
            RINGPOST_CHECK(asks_.erase({event->ask.index, event->ask.generation}) == 1);
            for (const Answer& answer : event->answers) RINGPOST_CHECK(answer.reply != Reply::waiting);
        }
    }

    void link(unsigned arg) {
        if (arg & 4)
            endpoint_.add_interface(now_, arg % 4, address(arg % 4 + 20));
        else
            endpoint_.remove_interface(arg % 4);
    }

    Endpoint endpoint_{options()};
    Instant now_ = 0;
    bool closed_ = false;
    std::array<Stream, streams> streams_;
    std::set<std::pair<std::uint32_t, std::uint32_t>> asks_;
    QuestionId question_;
    static inline Bytes out_ = Bytes(limits::stream_write_bytes_max);  // allocated once, since that takes
                                                                       // longer than a run
};

int run(const std::uint8_t* data, std::size_t size) {
    Play().run(Script(data, size, 1'024));
    return 0;
}

const Target registered("devices/endpoint", run);

}  // namespace
}  // namespace ringpost::fuzz::devices_endpoint
