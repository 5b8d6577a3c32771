// Compares an answering sink with a deque of expected replies: each reply must equal the front of the deque. A step is
// a byte; its lowest two bits select the operation and its next two one of four sources:
//     0  one poll_transmit, into one of the buffers selected by the upper four bits
//     1  the next frame, of 24 bytes plus the upper four bits
//     2  an earlier frame, as far back as the upper four bits; unless it is 0, the next byte selects a bit to flip
//     3  a run of frames, as many as the next byte, of 24 bytes plus 64 times the upper four bits
// After 400 frames there are no more.

#include <deque>
#include <map>

#include "codec/base/reflection.hpp"
#include "codec/traffic/answering_sink.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::traffic_answering_sink {

using namespace ringpost::traffic;

namespace {

struct Expected {
    Address source;
    SocketIndex socket;
    std::size_t bytes;
    Instant due;
};

struct Peer {
    std::uint64_t next = 0, answers = 0;
    std::uint32_t stream = 0;
};

class Play {
  public:
    void run(Script script) {
        while (!script.over()) {
            const std::uint8_t step = script.u8();
            const unsigned who = step >> 2 & 3;
            const std::size_t extra = step >> 4;
            switch (step & 3) {
                case 0: poll(extra); break;
                case 1: fresh(who, 24 + extra); break;
                case 2: again(who, extra, script.u8()); break;
                default:
                    for (int count = script.u8(); count > 0; --count) fresh(who, 24 + 64 * extra);
            }
            ++now_;
        }
        while (poll(0)) continue;
        RINGPOST_CHECK(expected_.empty());
        const SinkCounters counts = sink_.sink().counters();
        const AnswerCounters answers = sink_.answers();
        RINGPOST_CHECK(answers.sent + answers.refused == counts.received - counts.duplicate - counts.corrupt);
        RINGPOST_CHECK(answers.dropped == 0 && answers.sources_forgotten == 0);
    }

  private:
    // 0: an echo port; 1 and 2: one address on two sockets; 3: another address.
    static Address address_of(unsigned who) { return Address::v4(10, 0, 0, who == 3 ? 2 : 1, who == 0 ? 7 : 1'000); }
    Peer& peer_of(unsigned who) { return peers_[who == 2 ? 1 : who]; }

    Bytes frame(unsigned who, std::uint64_t sequence, std::size_t size) const {
        Bytes bytes(size, std::byte{0x5a});
        encode({who == 2 ? 1u : who, sequence, 0}, bytes);
        return bytes;
    }

    void fresh(unsigned who, std::size_t size) {
        if (++frames_ > 400) return;
        sink_.handle(now_, {address_of(who), who == 2, frame(who, peer_of(who).next++, size)});
        if (!reflects(address_of(who).port)) expected_.push_back({address_of(who), who == 2, size, now_});
    }

    void again(unsigned who, std::size_t back, std::uint8_t bit) {
        const std::uint64_t next = peer_of(who).next;
        if (next <= back) return;
        Bytes bytes = frame(who, next - 1 - back, 31);
        if (bit > 0) bytes[bit / 8 % bytes.size()] ^= static_cast<std::byte>(1 << bit % 8);
        sink_.handle(now_, {address_of(who), 0, bytes});
    }

    bool poll(std::size_t buffer) {
        auto& out = buffers_[buffer % std::size(buffers_)];
        const auto transmit = sink_.poll_transmit(now_, out);
        if (!transmit) return false;
        fuzz::check_transmit(*transmit);
        Peer& peer = peer_of(transmit->destination == address_of(3) ? 3 : 1);
        for (std::size_t at = 0; at < transmit->bytes; at += transmit->segment_bytes) {
            RINGPOST_CHECK(!expected_.empty());
            const Expected expected = expected_.front();
            expected_.pop_front();
            RINGPOST_CHECK(expected.source == transmit->destination && expected.socket == transmit->socket);
            RINGPOST_CHECK(expected.bytes == transmit->segment_bytes);
            const auto bytes = std::span<const std::byte>(out).subspan(at, expected.bytes);
            const auto frame = decode(bytes);
            RINGPOST_CHECK(frame && frame->sequence == peer.answers && frame->due == expected.due);
            RINGPOST_CHECK(fuzz::same_bytes(bytes.subspan(frame_bytes_min), fill_of(expected.bytes - frame_bytes_min)));
            if (peer.answers++ == 0) peer.stream = frame->stream;
            RINGPOST_CHECK(frame->stream == peer.stream);
        }
        return true;
    }

    AnsweringSink sink_{{.sink = {.key = SipKey{1, 2}}, .seed = 3}};
    std::map<unsigned, Peer> peers_;
    std::deque<Expected> expected_;
    Bytes buffers_[3] = {Bytes(limits::datagram_bytes_max), Bytes(limits::datagram_bytes_max),
                         Bytes(limits::datagram_bytes_max)};
    Instant now_ = 0;
    int frames_ = 0;
};

int run(const std::uint8_t* data, std::size_t size) {
    Play().run(Script(data, size, 512));
    return 0;
}

const Target registered("traffic/answering_sink", run);

}  // namespace
}  // namespace ringpost::fuzz::traffic_answering_sink
