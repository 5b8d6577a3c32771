// An endpoint with tiny tables and six addresses, one of which may be any. The first byte sets options. Each further
// step is a byte; its lowest three bits select the operation, its upper five (`arg`) the peer:
//     0  send as many bytes as the next byte; arg bit 4: with a deadline, the next byte in units of 50 ms; arg bit 3:
//        as a reply
//     1  cancel one of the latest sends, ended or not
//     2  receive a frame with the kind, identity and length given by the next bytes
//     3  receive the correct response to one of the latest frames sent
//     4  receive raw bytes, as many as the next byte
//     5  advance the time (magnitude, below an hour) and run the timers; if arg is odd, even before they are due
//     6  send one datagram or train; all if arg is odd
//     7  poll one event; all if arg is odd; arg 30: send raw bytes; arg 28: close the endpoint
// At the end, the endpoint is closed and the time moves from timeout to timeout until nothing is left to do.

#include <deque>
#include <map>
#include <optional>
#include <set>

#include "codec/gtudp/endpoint.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::gtudp_endpoint {

using namespace ringpost::gtudp;

namespace {

constexpr unsigned addresses = 6;
constexpr int resent_rank = 2, acks_rank = 5;
constexpr std::size_t headers = 20 + 8;  // IPv4 and UDP

Address address(unsigned who) { return Address::v4(10, 0, 0, static_cast<std::uint8_t>(who % addresses), 1); }
unsigned who_is(const Address& address) { return address.ip[15]; }

Options options(std::uint8_t choice) {
    Options options;
    options.sends_max = options.receives_max = 8;
    options.peers_max = (choice & 1) != 0 ? 2 : 4;
    options.payload_bytes = 512;
    options.event_bytes = 512;
    options.recv_from_any = (choice & 2) != 0;
    if ((choice & 4) != 0) options.resending.fixed_interval = 500 * millisecond;
    if ((choice & 8) != 0) options.sends_per_peer_max = options.receives_per_peer_max = 3;
    if ((choice & 16) != 0) options.first_identity = UINT32_MAX - 3;
    options.resending.patience = (choice & 32) != 0 ? second : 0;
    options.answering = (choice & 64) != 0;
    options.unproven_sends_max = 2;
    options.resending.data_sends_max = 3;
    options.resending.recv_sends_max = 4;
    options.remembered = 5 * second;
    options.unknown_acks_per_s = 4;
    options.seed = choice;
    options.key = {choice, 1};
    return options;
}

/// An accepted send whose outcome has not been reported.
struct Flight {
    ExchangeId id;
    unsigned to;
    Bytes data;
    Instant deadline;
    bool reply;  ///< may be withheld or displaced
    std::uint32_t sends = 0;
    Instant sent_at = 0;
    std::optional<Outcome> outcome;  ///< set if the outcome is already determined
};

struct Message {
    Event::Kind kind;
    unsigned from;
    Bytes bytes;
};

/// State of an exchange that has been delivered.
struct Delivered {
    Instant received_at;
    std::uint64_t forgotten_early;
};

/// Responses due to an address, and the limits on what may be sent to it.
struct Them {
    std::uint64_t bytes_received = 0, bytes_sent = 0;  ///< with headers; sent: RECVs, ACKs, replies
    bool proven = false;
    std::multiset<Identity> acks;  ///< one per RECV received
};

class Play {
  public:
    explicit Play(Script script) : script_(script), options_(options(script_.u8())), endpoint_(options_) {}

    void run() {
        while (!script_.over()) step(script_.u8());
        endpoint_.close();
        int turns = 0;
        for (leave(true); endpoint_.poll_timeout(); leave(true)) {
            RINGPOST_CHECK(++turns < 1'000);
            now_ = std::max(now_, *endpoint_.poll_timeout());
            run_timers();
        }
        while (event()) continue;
        RINGPOST_CHECK(flights_.empty() && endpoint_.in_flight() == 0 && messages_.empty() && raws_.empty());
        check_counts();
    }

  private:
    void step(std::uint8_t step) {
        const unsigned arg = step >> 3;
        switch (step & 7) {
            case 0: send(arg); break;
            case 1: cancel(arg); break;
            case 2: receive_frame(arg); break;
            case 3: answer(arg); break;
            case 4: receive(arg, script_.bytes(script_.u8() % 96)); break;
            case 5: pass(arg); break;
            case 6: leave(arg % 2 == 1); break;
            default: other(arg);
        }
        check_counts();
    }

    void send(unsigned arg) {
        const Bytes data = script_.bytes(script_.u8() % 96);
        const Instant deadline = arg >= 16 ? now_ + (script_.u8() - 8) * 50 * millisecond : never;
        const bool reply = (arg & 8) != 0;
        const auto id = endpoint_.send(now_, address(arg), data, deadline, reply ? Origin::reply : Origin::own);
        if (!id) {
            RINGPOST_CHECK((id.error() == Refusal::not_ready) == closed_ && id.error() != Refusal::too_large);
            return;
        }
        RINGPOST_CHECK(!closed_ && id->index < options_.sends_max);
        for (const Flight& flight : flights_) {
            RINGPOST_CHECK(flight.id.index != id->index);
            RINGPOST_CHECK(flight.to != arg % addresses || flight.id.identity != id->identity);
        }
        flights_.push_back(
            {.id = *id, .to = arg % addresses, .data = data, .deadline = deadline, .reply = reply, .outcome = {}});
        ids_.push_front(*id);
    }

    void cancel(unsigned arg) {
        if (ids_.empty()) return;
        const ExchangeId id = ids_[arg % ids_.size()];
        Flight* flight = find([&](const Flight& each) { return each.id == id; });
        const bool cancelled = endpoint_.cancel(id);
        RINGPOST_CHECK(!cancelled || (flight != nullptr && !flight->outcome));
        if (cancelled) flight->outcome = Outcome::cancelled;
        RINGPOST_CHECK(!endpoint_.cancel(id));
    }

    // ---- input -------------------------------------------------------------------------------------

    void receive_frame(unsigned arg) {
        const auto kind = static_cast<Kind>(script_.u8() % 3);
        const std::uint8_t low = script_.u8();
        const Identity identity = options_.first_identity + low % 16 + (kind == Kind::recv ? offset_of(arg) : 0);
        const Bytes data = kind == Kind::data ? script_.bytes(script_.u8() % 64) : Bytes{};
        receive(arg, frame(kind, identity, data));
    }

    /// Guesses what an attacker cannot guess.
    Identity offset_of(unsigned who) const {
        const Address peer = address(who);
        return static_cast<Identity>(siphash(options_.key, std::as_bytes(std::span<const Address, 1>(&peer, 1))) >> 32);
    }

    void answer(unsigned arg) {
        if (transmitted_.empty()) return;
        const auto& [who, kind, identity] = transmitted_[arg % transmitted_.size()];
        if (kind != Kind::ack) receive(who, frame(kind == Kind::data ? Kind::recv : Kind::ack, identity, {}));
    }

    Bytes frame(Kind kind, Identity identity, const Bytes& data) const {
        Bytes out(options_.codec.header_bytes());
        options_.codec.write_header(out.data(), kind, identity);
        out.insert(out.end(), data.begin(), data.end());
        return out;
    }

    void receive(unsigned arg, const Bytes& bytes) {
        const unsigned from = arg % addresses;
        const Counters before = endpoint_.counters();
        endpoint_.handle(now_, {address(from), 0, bytes});
        const Counters after = endpoint_.counters();
        const auto frame = options_.codec.decode(bytes);
        if (!frame) {
            RINGPOST_CHECK(after.foreign == before.foreign + 1);
            if (options_.recv_from_any && after.foreign_dropped == before.foreign_dropped)
                messages_.push_back({Event::Kind::foreign, from, bytes});
            return;
        }
        them_[from].bytes_received += headers + bytes.size();
        if (frame->kind == Kind::data) received_data(from, *frame, before, after);
        if (frame->kind == Kind::recv) received_recv(from, frame->identity, after.confirmed > before.confirmed);
    }

    void received_data(unsigned from, const Frame& frame, const Counters& before, const Counters& after) {
        const auto known = delivered_.find({from, frame.identity});
        if (after.delivered > before.delivered) {
            // A second delivery requires that the window has passed, or that an exchange was evicted early.
            if (known != delivered_.end())
                RINGPOST_CHECK(now_ - known->second.received_at >= options_.remembered ||
                               after.forgotten_early > known->second.forgotten_early);
            delivered_[{from, frame.identity}] = {now_, after.forgotten_early};
            messages_.push_back({Event::Kind::message, from, {frame.data.begin(), frame.data.end()}});
        } else if (after.duplicates > before.duplicates) {
            RINGPOST_CHECK(known != delivered_.end());
            known->second.received_at = now_;
        }
    }

    void received_recv(unsigned from, Identity identity, bool confirmed) {
        them_[from].acks.insert(identity);
        Flight* flight = find([&](const Flight& each) {
            return each.to == from && each.id.identity == identity && each.sends > 0 && !each.outcome;
        });
        if (confirmed) {
            RINGPOST_CHECK(flight != nullptr);
            flight->outcome = Outcome::confirmed;
            them_[from].proven = true;
        } else if (flight != nullptr && !flight->reply) {  // given up, but not yet reported
            RINGPOST_CHECK(flight->sends >= options_.resending.data_sends_max);
        }
    }

    // ---- output ------------------------------------------------------------------------------------

    void leave(bool all) {
        int rank = 0;
        do {
            const std::uint64_t resent = endpoint_.counters().data_resent;
            const auto transmit = endpoint_.poll_transmit(now_, out_);
            resending_ = endpoint_.counters().data_resent > resent;
            if (!transmit) return;
            fuzz::check_transmit(*transmit);
            const unsigned to = who_is(transmit->destination);
            RINGPOST_CHECK(transmit->destination == address(to));
            const std::size_t count = segment_count(transmit->bytes, transmit->segment_bytes);
            std::optional<int> of_first;
            for (std::size_t i = 0; i < count; ++i) {
                const std::size_t at = i * transmit->segment_bytes;
                const int each = left(
                    to, std::span(out_).subspan(at, std::min(transmit->segment_bytes, transmit->bytes - at)), count);
                RINGPOST_CHECK(each == of_first.value_or(each));
                of_first = each;
            }
            if (*of_first == acks_rank && acks_owed() >= limits::train_segments_max) continue;
            RINGPOST_CHECK(*of_first >= rank);  // RECVs, retransmissions, new messages, ACKs; many ACKs go first
            // What congestion control has held, retransmissions and new messages alike, leaves after the others.
            rank = *of_first == acks_rank ? acks_rank : std::min(*of_first, resent_rank);
        } while (all);
    }

    /// Checks the number of responses queued at most; some may have been withheld.
    std::size_t acks_owed() const {
        std::size_t pending = 1;  // the one just sent
        for (const auto& [who, them] : them_) pending += them.acks.size();
        return pending;
    }

    /// Checks one datagram. Returns its rank in the order of transmission.
    int left(unsigned to, std::span<const std::byte> bytes, std::size_t of) {
        const auto frame = options_.codec.decode(bytes);
        if (!frame) {
            RINGPOST_CHECK(of == 1 && !raws_.empty() && raws_.front().from == to);
            RINGPOST_CHECK(fuzz::same_bytes(raws_.front().bytes, bytes));
            raws_.pop_front();
            return 3;
        }
        transmitted_.push_front({to, frame->kind, frame->identity});
        if (transmitted_.size() > 16) transmitted_.pop_back();
        if (frame->kind == Kind::data) return left_data(to, *frame);
        Them& them = them_[to];
        check_amplification(them, bytes.size());
        if (frame->kind == Kind::ack) {
            const auto pending = them.acks.find(frame->identity);
            RINGPOST_CHECK(pending != them.acks.end());
            them.acks.erase(pending);
            return acks_rank;
        }
        RINGPOST_CHECK(delivered_.contains({to, frame->identity}));
        return 1;
    }

    static void check_amplification(Them& them, std::size_t bytes) {
        them.bytes_sent += headers + bytes;
        RINGPOST_CHECK(them.proven || them.bytes_sent <= 3 * them.bytes_received);
    }

    int left_data(unsigned to, const Frame& frame) {
        Flight* flight = find([&](const Flight& each) { return each.to == to && each.id.identity == frame.identity; });
        RINGPOST_CHECK(flight != nullptr && !flight->outcome && fuzz::same_bytes(flight->data, frame.data));
        const Duration least = options_.resending.fixed_interval.value_or(2 * options_.resending.timeout_min);
        RINGPOST_CHECK(flight->sends == 0 || now_ - flight->sent_at >= least);
        RINGPOST_CHECK(flight->sends < options_.resending.data_sends_max || options_.resending.patience > 0);
        RINGPOST_CHECK(flight->sends == 0 || resending_);
        if (flight->reply) check_amplification(them_[to], options_.codec.header_bytes() + frame.data.size());
        flight->sent_at = now_;
        ++flight->sends;
        return resending_ ? resent_rank : 4;
    }

    // ---- time and events ---------------------------------------------------------------------------

    void pass(unsigned arg) {
        now_ += static_cast<Duration>(script_.magnitude() % (3'600 * second));
        const auto due = endpoint_.poll_timeout();
        if (arg % 2 == 1 || (due && *due <= now_)) run_timers();
    }

    void run_timers() {
        endpoint_.handle_timeout(now_);
        RINGPOST_CHECK(endpoint_.poll_timeout().value_or(never) > now_);
        for (Flight& flight : flights_)
            if (!flight.outcome && flight.deadline <= now_) flight.outcome = Outcome::gave_up_deadline;
    }

    void other(unsigned arg) {
        if (arg == 28) {
            endpoint_.close();
            closed_ = true;
        } else if (arg == 30) {
            Bytes bytes = script_.bytes(script_.u8() % 32);
            if (!bytes.empty()) bytes.front() = std::byte{0xff};  // not a valid type
            const unsigned to = script_.u8() % addresses;
            RINGPOST_CHECK(endpoint_.send_raw(address(to), bytes));
            raws_.push_back({Event::Kind::foreign, to, bytes});
        } else {
            while (event() && arg % 2 == 1) continue;
            if (arg % 2 == 1) RINGPOST_CHECK(endpoint_.in_flight() == flights_.size() && messages_.empty());
        }
    }

    bool event() {
        const auto event = endpoint_.poll_event();
        if (!event) return false;
        if (event->kind == Event::Kind::outcome) {
            ended(*event);
            return true;
        }
        RINGPOST_CHECK(!messages_.empty() && messages_.front().kind == event->kind);
        RINGPOST_CHECK(event->peer == address(messages_.front().from));
        RINGPOST_CHECK(fuzz::same_bytes(messages_.front().bytes, event->bytes));
        messages_.pop_front();
        return true;
    }

    void ended(const Event& event) {
        const Flight* flight = find([&](const Flight& each) { return each.id == event.id; });
        RINGPOST_CHECK(flight != nullptr && event.peer == address(flight->to));
        RINGPOST_CHECK(flight->reply ? event.sends >= flight->sends : event.sends == flight->sends);
        if (event.outcome == Outcome::gave_up_attempts) {  // possibly long before its deadline
            RINGPOST_CHECK(flight->reply || flight->sends >= options_.resending.data_sends_max);
            RINGPOST_CHECK(!flight->outcome || *flight->outcome == Outcome::gave_up_deadline);
        } else {
            RINGPOST_CHECK(flight->outcome == event.outcome);
        }
        flights_.erase(flights_.begin() + (flight - flights_.data()));
    }

    void check_counts() const {
        const Counters c = endpoint_.counters();
        RINGPOST_CHECK(c.taken ==
                       c.confirmed + c.gave_up_attempts + c.gave_up_deadline + c.cancelled + endpoint_.in_flight());
        RINGPOST_CHECK(c.data_received == c.delivered + c.duplicates + c.app_behind + c.receives_full +
                                              c.receives_peer_full + c.peers_full + c.corrupt);
        RINGPOST_CHECK(c.recv_received == c.confirmed + c.recv_unknown);
        RINGPOST_CHECK(c.data_resent <= c.data_sent && c.recv_resent <= c.recv_sent && c.ack_unknown <= c.ack_received);
        RINGPOST_CHECK(c.identities_skipped == 0);
    }

    template <class Is>
    Flight* find(Is&& is) {
        const auto found = std::ranges::find_if(flights_, is);
        return found == flights_.end() ? nullptr : &*found;
    }

    struct Transmitted {
        unsigned who;
        Kind kind;
        Identity identity;
    };

    Script script_;
    const Options options_;
    Endpoint endpoint_;
    Instant now_ = 0;
    bool closed_ = false, resending_ = false;
    std::vector<Flight> flights_;
    std::deque<ExchangeId> ids_;           // of all sends, the latest first
    std::deque<Transmitted> transmitted_;  // the latest first
    std::deque<Message> messages_, raws_;
    std::map<std::pair<unsigned, Identity>, Delivered> delivered_;
    std::map<unsigned, Them> them_;
    Bytes out_ = Bytes(limits::datagram_bytes_max);
};

int run(const std::uint8_t* data, std::size_t size) {
    Play(Script(data, size, 1'024)).run();
    return 0;
}

const Target registered("gtudp/endpoint", run);

}  // namespace
}  // namespace ringpost::fuzz::gtudp_endpoint
