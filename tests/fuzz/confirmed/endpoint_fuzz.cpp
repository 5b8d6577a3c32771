// An endpoint with four peers. The first byte sets options. Each further step is a byte; its lowest three bits select
// the operation, the rest the peer:
//     0     send a text; the next bytes give length and timeout
//     1     send a report
//     2     receive raw bytes
//     3     receive a neutral message: a text of the next bytes, or `initialize`
//     4     receive a confirmation or a failure report
//     5     advance the time (magnitude, below a minute), run the timers and send everything
//     6     poll events
//     7     take the awaited outcome or the next message
// Every accepted send must end once. At most one message to a peer is in flight, and none is sent to it while an
// earlier answer may still arrive.

#include <map>
#include <set>

#include "codec/confirmed/endpoint.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::confirmed_endpoint {

using namespace ringpost::confirmed;

namespace {

Options options_of(std::uint8_t choice) {
    Options options;
    options.reply = choice & 1 ? Reply::to_source : Reply::to_port;
    if (choice & 2) options.target = Address::v4(10, 0, 0, 1, 5'005);
    options.retarget = choice & 4;
    options.copies_within = choice & 8 ? 100 * millisecond : 0;
    options.answers_within = choice & 16 ? 0 : 2 * second;
    options.sends_max = choice & 32 ? 8 : 64;
    options.sends_per_peer_max = choice & 32 ? 4 : 64;
    options.peers_max = choice & 64 ? 2 : 8;
    options.replies_max = choice & 64 ? 2 : 64;
    options.event_bytes = choice & 128 ? 1'000 : 100'000;
    return options;
}

class Play {
  public:
    explicit Play(Script script) : script_(script), options_(options_of(script_.u8())), endpoint_(options_) {}

    void run() {
        while (!script_.over()) step(script_.u8());
        // All deadlines are below a minute.
        for (int i = 0; i < 3; ++i) pass(60 * second);
        while (event(endpoint_.poll_event())) continue;
        RINGPOST_CHECK(waiting_.empty() && endpoint_.in_flight() == 0);
        RINGPOST_CHECK(endpoint_.peers() == 0 && !endpoint_.poll_timeout());
        check_counts();
    }

  private:
    static Address address_of(unsigned who) {
        return Address::v4(10, 0, 0, static_cast<std::uint8_t>(1 + who % 4),
                           static_cast<std::uint16_t>(5'005 + who / 4 % 2));
    }

    void step(std::uint8_t step) {
        const unsigned who = step >> 3;
        switch (step & 7) {
            case 0: return send(who, Status::none);
            case 1: return send(who, who & 8 ? Status::ok : Status::failed);
            case 2: return receive(who, script_.bytes(script_.u8()));
            case 3: return receive_frame(who, who & 16 ? std::string(initialize_text) : text(), Status::none);
            case 4: return receive_frame(who, text(), who & 16 ? Status::failed : Status::ok);
            case 5: return pass(static_cast<Duration>(script_.magnitude() % (60 * second)));
            case 6:
                for (unsigned i = 0; i <= who; ++i) event(endpoint_.poll_event());
                return;
            default:
                if (who & 1 || waiting_.empty()) return void(event(endpoint_.take_message()));
                event(endpoint_.take_outcome(*waiting_.begin()));
        }
    }

    std::string text() {
        const Bytes bytes = script_.bytes(script_.u8() % 16);
        std::string out;
        for (const std::byte byte : bytes) out += static_cast<char>(std::to_integer<unsigned>(byte) & 0x7f);
        return out;
    }

    void send(unsigned who, Status status) {
        SendOptions how;
        how.status = status;
        if (who & 16) how.to = address_of(who);
        how.timeout = 1 + static_cast<Duration>(script_.magnitude() % (60 * second));
        const std::string content(script_.u8() * 5u, 'm');
        const std::size_t bytes = encode({Value::of_text(content).value(), status}).size();
        const auto sent = endpoint_.send(now_, content, how);
        const bool no_target = how.to.family == Family::none && endpoint_.target().family == Family::none;
        if (no_target || bytes > options_.bytes_max) RINGPOST_CHECK(!sent);
        if (!sent) {
            RINGPOST_CHECK(sent.error().bytes == bytes);
            RINGPOST_CHECK((sent.error().reason == Refusal::no_target) == no_target);
            ++refused_;
            return;
        }
        RINGPOST_CHECK(waiting_.insert(*sent).second);
        RINGPOST_CHECK(waiting_.size() <= options_.sends_max);
    }

    void receive(unsigned who, const Bytes& bytes) {
        endpoint_.handle(now_, {address_of(who), 0, bytes});
        if (const auto frame = decode(bytes); frame && frame->status != Status::none) in_flight_.erase(key_of(who));
    }
    void receive_frame(unsigned who, const std::string& content, Status status) {
        const std::string bytes = encode({Value::of_text(content).value(), status});
        const auto view = std::as_bytes(std::span(bytes));
        receive(who, {view.begin(), view.end()});
    }

    Address key_of(const Address& address) const {
        Address out = address;
        if (options_.reply == Reply::to_port) out.port = 0;
        return out;
    }
    Address key_of(unsigned who) const { return key_of(address_of(who)); }

    void pass(Duration duration) {
        now_ += duration;
        if (const auto due = endpoint_.poll_timeout(); due && *due <= now_) endpoint_.handle_timeout(now_);
        while (const auto transmit = endpoint_.poll_transmit(now_, out_)) {
            fuzz::check_transmit(*transmit);
            RINGPOST_CHECK(transmit->bytes <= options_.bytes_max && transmit->segment_bytes == transmit->bytes);
            const auto frame = decode(std::span(out_).first(transmit->bytes));
            RINGPOST_CHECK(frame && transmit->destination.family != Family::none);
            if (frame->status == Status::none) left(key_of(transmit->destination));
        }
        if (const auto next = endpoint_.poll_timeout()) RINGPOST_CHECK(*next > now_);
    }

    /// Must not be sent before the answer to the previous one, or before the end of the time in which that may arrive.
    void left(const Address& peer) {
        const auto [it, fresh] = in_flight_.try_emplace(peer, now_);
        RINGPOST_CHECK(fresh || now_ >= it->second + options_.answers_within);
        it->second = now_;
    }

    bool event(const std::optional<Event>& event) {
        if (!event) return false;
        if (event->kind == Event::Kind::outcome) RINGPOST_CHECK(waiting_.erase(event->number) == 1);
        if (event->kind == Event::Kind::target) RINGPOST_CHECK(event->peer.family != Family::none);
        return true;
    }

    void check_counts() const {
        const Counters& counts = endpoint_.counters();
        std::uint64_t malformed = 0;
        for (const std::uint64_t count : counts.malformed) malformed += count;
        RINGPOST_CHECK(counts.taken == counts.confirmed + counts.failed + counts.timed_out + counts.reported);
        RINGPOST_CHECK(counts.received == malformed + counts.delivered + counts.initialized + counts.app_behind +
                                              counts.replies_full + counts.confirmed + counts.failed +
                                              counts.answers_late + counts.answers_again + counts.answers_stray);
        RINGPOST_CHECK(refused_ == counts.refused_no_target + counts.refused_too_large + counts.refused_queue_full +
                                       counts.refused_peers_full);
        RINGPOST_CHECK(counts.replies_sent == counts.delivered + counts.initialized + counts.app_behind);
    }

    struct Less {
        bool operator()(const Address& a, const Address& b) const {
            return std::pair(a.ip, a.port) < std::pair(b.ip, b.port);
        }
    };

    Script script_;
    Options options_;
    Endpoint endpoint_;
    Instant now_ = 0;
    std::set<SendNumber> waiting_;
    std::map<Address, Instant, Less> in_flight_;  ///< when the last unanswered message was sent
    Bytes out_ = Bytes(limits::datagram_bytes_max);
    std::uint64_t refused_ = 0;
};

int run(const std::uint8_t* data, std::size_t size) {
    Play(Script(data, size, 2'048)).run();
    return 0;
}

const Target registered("confirmed/endpoint", run);

}  // namespace
}  // namespace ringpost::fuzz::confirmed_endpoint
