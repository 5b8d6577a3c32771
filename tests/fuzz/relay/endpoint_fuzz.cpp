// A relay with arbitrary impairments between clients and a target. The oracle keeps what every datagram was: what the
// relay forwards has a client's bytes and goes to that client's socket, or back to that client, not before its delay,
// with one hop less, and at most twice. The first bytes set the options (see read_options). Each further step is a
// byte; its lowest three bits select the operation:
//     0  advance the time (magnitude, below a second) and send what is due
//     1  send what is due, but poll no event: new clients wait
//     2  a datagram of a client (upper bits), and its size in a byte
//     3  a train of equal datagrams of a client (upper bits), and its number and size in two bytes
//     4  a reply to the client of an open socket (upper bits), and its size in a byte
//     5  a datagram of any size (upper bits select the direction and the hop limit)
//     6  a datagram that could start a loop
//     7  poll events: attach a socket, or refuse the client (upper bits)

#include <cstring>
#include <iterator>
#include <map>

#include "codec/relay/endpoint.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::relay_endpoint {

using namespace ringpost::relay;

namespace {

constexpr SocketIndex listening = 0;
constexpr unsigned clients_played = 16;
const Address target = Address::v4(10, 0, 0, 2, 53), local = Address::v4(10, 0, 0, 1, 2'000);

Address client_address(unsigned client) { return Address::v4(10, 0, 1, static_cast<std::uint8_t>(client), 1'000); }

/// What was passed to the relay. The first four bytes of its datagram, where there are so many, are its number.
struct Sent {
    Direction direction = Direction::to_target;
    Address client;
    std::size_t bytes = 0;
    Instant at = 0;
    std::uint8_t hop_limit = 0;
    std::uint8_t forwarded = 0;
};

Impairments read_impairments(Script& script) {
    const std::uint8_t choice = script.u8();
    const auto chance = [&](unsigned bit) { return (choice >> bit & 1) == 0 ? 0.0 : script.u8() / 255.0; };
    Impairments out{.loss = chance(0), .duplicate = chance(1), .corrupt = chance(2), .reorder = chance(3)};
    if ((choice & 16) != 0) out.delay = static_cast<Duration>(script.magnitude() % second);
    if ((choice & 32) != 0) out.jitter = static_cast<Duration>(script.magnitude() % second);
    if ((choice & 64) != 0) out.rate_bits_per_s = 1 + script.magnitude() % 10'000'000'000;
    if ((choice & 128) != 0) {
        out.burst = script.u8() / 255.0;
        out.burst_datagrams = 1u + script.u8();
        out.blackhole_on = static_cast<Duration>(script.magnitude() % second);
        out.blackhole_off = static_cast<Duration>(script.magnitude() % second);
    }
    return out;
}

/// Small tables, which are full soon, and are made for every input.
Options read_options(Script& script) {
    const std::uint8_t choice = script.u8();
    Options options{.listening_socket = listening, .target = target, .seed = choice, .key = SipKey{1, 2}};
    options.to_target = read_impairments(script);
    options.to_client = read_impairments(script);
    options.clients_max = 1u << choice % 4;
    options.held_max = 1u << (choice >> 2) % 8;
    options.held_bytes_max = (choice & 32) == 0 ? 4'096 : 2 * limits::datagram_bytes_max;
    options.new_clients_per_s = (choice & 64) == 0 ? 1'000 : 1;
    options.deferred_max = 4;
    return options;
}

class Play {
  public:
    explicit Play(Script script) : script_(script), options_(read_options(script_)), relay_(options_) {}

    void run() {
        while (!script_.over()) {
            const std::uint8_t step = script_.u8();
            const std::uint8_t upper = step >> 3;
            switch (step & 7) {
                case 0:
                    now_ += static_cast<Duration>(script_.magnitude() % second);
                    send_due();
                    break;
                case 1: send_due(); break;
                case 2: request(upper, script_.u8()); break;
                case 3: train(upper); break;
                case 4: reply(upper, script_.u8()); break;
                case 5: any_size(upper); break;
                case 6: loop(upper); break;
                default: poll_events(upper);
            }
            check_counters();
        }
        end();
    }

  private:
    static constexpr std::uint8_t hops_unknown = 0;

    void request(unsigned client, std::size_t size, std::uint8_t hop_limit = hops_unknown) {
        const Address source = client_address(client % clients_played);
        pass({.source = source, .socket = listening, .bytes = {}, .local = local, .hop_limit = hop_limit},
             Direction::to_target, source, size);
    }

    void train(unsigned client) {
        const unsigned count = 1u + script_.u8();
        const std::size_t size = script_.u8();
        for (unsigned i = 0; i < count; ++i) request(client, size);
    }

    void reply(unsigned choice, std::size_t size, std::uint8_t hop_limit = hops_unknown) {
        if (sockets_.empty()) return;
        const auto& [socket, client] = *std::next(sockets_.begin(), choice % sockets_.size());
        pass({.source = target, .socket = socket, .bytes = {}, .local = local, .hop_limit = hop_limit},
             Direction::to_client, client, size);
    }

    void any_size(unsigned choice) {
        const std::uint8_t hops[] = {hops_unknown, 1, 2, 255};
        const std::size_t size = script_.u16();
        if ((choice & 1) == 0) request(choice >> 3, size, hops[choice >> 1 & 3]);
        if ((choice & 1) != 0) reply(choice >> 3, size, hops[choice >> 1 & 3]);
    }

    /// From the target, the relay itself, or a port that answers everything.
    void loop(unsigned choice) {
        const Address sources[] = {target, local, Address::v4(10, 0, 3, 1, 7), Address::v4(10, 0, 3, 1, 0)};
        const std::uint64_t refused = relay_.counts(Direction::to_target).refused;
        relay_.handle(now_, {.source = sources[choice % 4], .socket = listening, .bytes = {}, .local = local});
        ++received_;
        RINGPOST_CHECK(relay_.counts(Direction::to_target).refused == refused + 1);
    }

    void pass(Datagram in, Direction direction, const Address& client, std::size_t size) {
        Bytes bytes(size, std::byte{0x55});
        const auto number = static_cast<std::uint32_t>(sent_.size());
        if (size >= sizeof number) std::memcpy(bytes.data(), &number, sizeof number);
        sent_.push_back({direction, client, size, now_, in.hop_limit, 0});
        in.bytes = bytes;
        relay_.handle(now_, in);
        ++received_;
    }

    void poll_events(unsigned choice) {
        while (const auto event = relay_.poll_event()) {
            if (event->kind == Event::Kind::client_removed) {
                RINGPOST_CHECK(sockets_.erase(event->socket) == 1);
            } else if ((choice & 1) != 0) {
                relay_.refuse(event->client);
            } else {
                attach(*event);
            }
        }
        RINGPOST_CHECK(sockets_.size() <= options_.clients_max);
    }

    /// To the lowest socket that is free, as the engine does.
    void attach(const Event& event) {
        SocketIndex socket = listening + 1;
        while (sockets_.contains(socket)) ++socket;
        // A later datagram may have removed the client since; its socket is closed at once.
        if (relay_.attach(event.client, socket)) sockets_.emplace(socket, event.address);
    }

    void send_due() {
        while (const auto transmit = relay_.poll_transmit(now_, out_)) {
            fuzz::check_transmit(*transmit);
            const std::size_t count = segment_count(transmit->bytes, transmit->segment_bytes);
            for (std::size_t i = 0; i < count; ++i) {
                const std::size_t from = i * transmit->segment_bytes;
                const std::size_t until = std::min(from + transmit->segment_bytes, transmit->bytes);
                check_forwarded(*transmit, std::span(out_).subspan(from, until - from));
            }
        }
        const auto next = relay_.poll_timeout();
        RINGPOST_CHECK(!next || *next > now_);
    }

    void check_forwarded(const Transmit& transmit, std::span<const std::byte> bytes) {
        const Direction direction = transmit.socket == listening ? Direction::to_client : Direction::to_target;
        const Impairments& impairments = direction == Direction::to_target ? options_.to_target : options_.to_client;
        std::uint32_t number = 0;
        const bool open = direction == Direction::to_client || sockets_.contains(transmit.socket);
        RINGPOST_CHECK(open);
        // A corrupt number names another datagram.
        if (bytes.size() < sizeof number || impairments.corrupt > 0) return;
        std::memcpy(&number, bytes.data(), sizeof number);
        RINGPOST_CHECK(number < sent_.size());
        Sent& sent = sent_[number];
        RINGPOST_CHECK(sent.direction == direction && sent.bytes == bytes.size());
        RINGPOST_CHECK(now_ >= sent.at + impairments.delay);
        RINGPOST_CHECK(transmit.hop_limit == (sent.hop_limit == 0 ? 0 : sent.hop_limit - 1));
        RINGPOST_CHECK(++sent.forwarded <= (impairments.duplicate > 0 ? 2 : 1));
        if (direction == Direction::to_client)
            RINGPOST_CHECK(transmit.destination == sent.client && transmit.local == local);
        else
            RINGPOST_CHECK(sockets_.at(transmit.socket) == sent.client);
    }

    void check_counters() const {
        std::uint64_t in = 0, out = relay_.held();
        for (const Direction direction : {Direction::to_target, Direction::to_client}) {
            const Counters& counts = relay_.counts(direction);
            RINGPOST_CHECK(counts.forwarded + counts.lost + counts.burst_lost + counts.blackholed + counts.refused <=
                           counts.received + counts.duplicated);
            in += counts.received + counts.duplicated;
            out += counts.forwarded + counts.lost + counts.burst_lost + counts.blackholed + counts.overflow +
                   counts.abandoned + counts.refused + counts.hops_exhausted;
        }
        RINGPOST_CHECK(in == out);
        RINGPOST_CHECK(relay_.held() <= options_.held_max);
        RINGPOST_CHECK(received_ ==
                       relay_.counts(Direction::to_target).received + relay_.counts(Direction::to_client).received);
    }

    /// Once every client has its socket, nothing is left behind.
    void end() {
        for (int i = 0; i < 1'000 && relay_.held() > 0; ++i) {
            poll_events(0);
            send_due();
            now_ = relay_.poll_timeout().value_or(now_);
        }
        RINGPOST_CHECK(relay_.held() == 0);
        check_counters();
    }

    Script script_;
    Options options_;
    Endpoint relay_;
    Instant now_ = 0;
    std::uint64_t received_ = 0;
    std::vector<Sent> sent_;
    std::map<SocketIndex, Address> sockets_;  ///< the client of each open one
    Bytes out_ = Bytes(limits::datagram_bytes_max);
};

int run(const std::uint8_t* data, std::size_t size) {
    Play(Script(data, size, 512)).run();
    return 0;
}

const Target registered("relay/endpoint", run);

}  // namespace
}  // namespace ringpost::fuzz::relay_endpoint
