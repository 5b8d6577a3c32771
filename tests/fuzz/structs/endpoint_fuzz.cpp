// An endpoint with arbitrary senders. A step is a byte; its lowest three bits select the operation:
//     0, 1  receive a datagram of raw bytes; the next byte is their number, the upper bits select the source
//     2, 3  receive a datagram of packets, as many as the upper bits: known, unknown or damaged
//     4     send to the address in the upper bits: known, unknown, or of a wrong length
//     5     send everything
//     6     poll one event
//     7     poll all events

#include <deque>
#include <string>
#include <utility>

#include "codec/structs/endpoint.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/unit/codec/structs/model.hpp"

namespace ringpost::fuzz::structs_endpoint {

using namespace ringpost::structs;

namespace {

constexpr structs::MessageId ids[] = {0, 22, 0xffff};
constexpr const char* formats[] = {"", "<hB", "!8s"};

Library make_library() {
    Library library;
    for (std::size_t i = 0; i < 3; ++i) RINGPOST_CHECK(library.add(ids[i], std::to_string(i), formats[i]));
    return library;
}

/// An expected event: the first of several consecutive failures, or a packet.
struct Expected {
    Address source;
    model::Found found;
    std::uint32_t failures = 0;
};

Address address(unsigned who) { return Address::v4(10, 0, 0, 1, static_cast<std::uint16_t>(who)); }

class Play {
  public:
    void run(Script script) {
        while (!script.over()) {
            const std::uint8_t step = script.u8();
            const unsigned upper = step >> 3;
            switch (step & 7) {
                case 0:
                case 1: receive(upper, script.bytes(script.u8())); break;
                case 2:
                case 3: receive(upper & 1, packets(script, upper)); break;
                case 4: send(script, upper); break;
                case 5: leave(); break;
                case 6: event(); break;
                default:
                    while (event()) continue;
            }
        }
        while (event()) continue;
        leave();
        const Counters& counts = endpoint_.counters();
        RINGPOST_CHECK(counts.received == received_ && counts.app_behind == 0 && counts.sent == sent_);
        RINGPOST_CHECK(counts.messages + counts.unknown_id + counts.wrong_size == packets_);
        RINGPOST_CHECK(counts.past_end + counts.size_small + counts.checksum == failures_);
        RINGPOST_CHECK(counts.skipped_bytes == skipped_ && counts.without_packet == without_packet_);
        RINGPOST_CHECK(!endpoint_.poll_timeout() && endpoint_.waiting() == 0);
    }

  private:
    static Bytes packets(Script& script, unsigned count) {
        Bytes out;
        for (unsigned i = 0; i < count; ++i) {
            const std::uint8_t what = script.u8();
            const Bytes payload = script.bytes(what % 12);
            Bytes packet(header_bytes + payload.size());
            encode({(what & 0x40) != 0 ? ids[what % 3] : script.u16(), payload}, packet);
            if ((what & 0x80) != 0) packet[script.u8() % packet.size()] ^= static_cast<std::byte>(script.u8());
            out.insert(out.end(), packet.begin(), packet.end());
        }
        return out;
    }

    void receive(unsigned who, const Bytes& bytes) {
        endpoint_.handle(0, {address(who), 0, bytes});
        ++received_;
        skipped_ += bytes.size();
        bool any = false;
        for (model::Found& found : model::scan(bytes)) {
            const bool goes_on = found.error && failing_;
            failing_ = found.error.has_value();
            failures_ += failing_;
            packets_ += !failing_;
            any |= !failing_;
            if (!failing_) skipped_ -= header_bytes + found.payload.size();
            if (!goes_on) expected_.push_back({address(who), std::move(found), 0});
            if (failing_) ++expected_.back().failures;
        }
        failing_ = false;
        without_packet_ += !any;
    }

    bool event() {
        const auto event = endpoint_.poll_event();
        RINGPOST_CHECK(event.has_value() == !expected_.empty());
        if (!event) return false;
        const Expected expected = std::move(expected_.front());
        expected_.pop_front();
        RINGPOST_CHECK(event->source == expected.source && event->offset == expected.found.offset);
        RINGPOST_CHECK((event->kind == Event::Kind::damage) == expected.found.error.has_value());
        if (expected.found.error) {
            RINGPOST_CHECK(event->error == *expected.found.error && event->failures == expected.failures);
            return true;
        }
        const Definition* definition = library_.find(expected.found.id);
        RINGPOST_CHECK(event->id == expected.found.id && event->definition == definition);
        RINGPOST_CHECK(fuzz::same_bytes(event->payload, expected.found.payload));
        const bool fits = definition != nullptr && definition->format.bytes() == event->payload.size();
        RINGPOST_CHECK((event->kind == Event::Kind::message) == fits);
        RINGPOST_CHECK((event->kind == Event::Kind::unknown_id) == (definition == nullptr));
        return true;
    }

    void send(Script& script, unsigned who) {
        const std::uint8_t what = script.u8();
        const structs::MessageId id = what % 4 < 3 ? ids[what % 4] : script.u16();
        const Definition* definition = library_.find(id);
        const std::size_t bytes = (what & 0x80) != 0 || definition == nullptr ? what % 11 : definition->format.bytes();
        Bytes payload = script.bytes(bytes);
        payload.resize(bytes);
        const auto taken = endpoint_.send(address(who), {id, payload});
        const bool good = definition != nullptr && definition->format.bytes() == bytes;
        RINGPOST_CHECK(taken.has_value() == good);
        if (good) outgoing_.push_back({address(who), {id, std::move(payload)}});
    }

    void leave() {
        while (const auto transmit = endpoint_.poll_transmit(0, out_)) {
            fuzz::check_transmit(*transmit);
            const std::size_t count = segment_count(transmit->bytes, transmit->segment_bytes);
            for (std::size_t i = 0; i < count; ++i, ++sent_) {
                const std::size_t from = i * transmit->segment_bytes;
                const auto datagram =
                    std::span(out_).subspan(from, std::min(transmit->segment_bytes, transmit->bytes - from));
                const auto packet = decode(datagram);
                RINGPOST_CHECK(packet && header_bytes + packet->payload.size() == datagram.size());
                RINGPOST_CHECK(!outgoing_.empty() && transmit->destination == outgoing_.front().first);
                const auto& [id, payload] = outgoing_.front().second;
                RINGPOST_CHECK(packet->id == id && fuzz::same_bytes(packet->payload, payload));
                outgoing_.pop_front();
            }
        }
        RINGPOST_CHECK(outgoing_.empty());
    }

    inline static const Library library_ = make_library();
    Endpoint endpoint_{library_};
    std::deque<Expected> expected_;
    std::deque<std::pair<Address, std::pair<structs::MessageId, Bytes>>> outgoing_;
    bool failing_ = false;
    Bytes out_ = Bytes(limits::datagram_bytes_max);
    std::uint64_t received_ = 0, sent_ = 0, packets_ = 0, failures_ = 0, skipped_ = 0, without_packet_ = 0;
};

int run(const std::uint8_t* data, std::size_t size) {
    Play().run(Script(data, size, 1'024));
    return 0;
}

const Target registered("structs/endpoint", run);

}  // namespace
}  // namespace ringpost::fuzz::structs_endpoint
