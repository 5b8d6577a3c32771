// Compares a sink with a model that stores every sequence of four streams. A step is a byte; its lowest two bits select
// the datagram and its next two the stream:
//     0  the next sequence, after a gap as large as the upper four bits
//     1  an earlier sequence (magnitude)
//     2  a later sequence (magnitude)
//     3  raw bytes, as many as the next byte; if its top bit is set, a valid frame with one bit flipped instead

#include <set>

#include "codec/traffic/sink.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::traffic_sink {

using namespace ringpost::traffic;

namespace {

struct Stream {
    std::set<std::uint64_t> seen;
    std::uint64_t begin = 0;  ///< first sequence of a stream that the sink joined in the middle
    std::uint64_t end() const { return seen.empty() ? 0 : *seen.rbegin() + 1; }
};

class Play {
  public:
    void run(Script script) {
        while (!script.over()) {
            const std::uint8_t step = script.u8();
            const std::uint32_t stream = step >> 2 & 3;
            const std::uint64_t end = streams_[stream].end();
            switch (step & 3) {
                case 0: play(stream, end + (step >> 4)); break;
                case 1: play(stream, end - std::min(end, script.magnitude())); break;
                case 2: play(stream, end + script.magnitude()); break;
                default:
                    (step & 0x80) != 0 ? play_flipped(stream, end, script.u8()) : play_raw(script.bytes(script.u8()));
            }
            check();
        }
    }

  private:
    static Address address_of(std::uint32_t stream) {
        return Address::v4(10, 0, 0, 1, static_cast<std::uint16_t>(stream / 2));
    }

    Bytes frame(std::uint32_t stream, std::uint64_t sequence) const {
        Bytes bytes(writer_.frame_bytes());
        writer_.prepare(bytes, 1);
        writer_.write(bytes.data(), {stream % 2, sequence, 0}, 1);
        return bytes;
    }

    void hand_in(std::uint32_t stream, const Bytes& bytes) {
        sink_.handle(++received_, {address_of(stream), 0, bytes});
    }

    void play(std::uint32_t stream, std::uint64_t sequence) {
        hand_in(stream, frame(stream, sequence));
        Stream& model = streams_[stream];
        if (model.seen.empty() && sequence >= limits::load_window_sequences && sequence < sequence_end)
            model.begin = sequence;
        const std::uint64_t end = model.end();
        if (sequence >= sequence_end)
            ++corrupt_;
        else if (sequence < model.begin || (sequence < end && end - sequence > limits::load_window_sequences - 64))
            ++duplicate_;
        else if (!model.seen.insert(sequence).second)
            ++duplicate_;
        else
            reordered_ += sequence < end;
    }

    void play_flipped(std::uint32_t stream, std::uint64_t sequence, std::uint8_t bit) {
        Bytes bytes = frame(stream, sequence);
        bytes[bit / 8 % bytes.size()] ^= static_cast<std::byte>(1 << bit % 8);
        hand_in(stream, bytes);
        ++corrupt_;
    }

    // If raw bytes happen to form a frame, it belongs to a stream that the model does not follow.
    void play_raw(const Bytes& bytes) {
        if (decode(bytes)) return;
        hand_in(0, bytes);
        ++corrupt_;
    }

    void check() const {
        const SinkCounters counts = sink_.counters();
        std::uint64_t lost = 0;
        for (const Stream& stream : streams_)
            if (!stream.seen.empty()) lost += stream.end() - stream.begin - stream.seen.size();
        RINGPOST_CHECK(counts.received == static_cast<std::uint64_t>(received_));
        RINGPOST_CHECK(counts.corrupt == corrupt_);
        RINGPOST_CHECK(counts.duplicate == duplicate_);
        RINGPOST_CHECK(counts.reordered == reordered_);
        RINGPOST_CHECK(counts.lost == lost);
        RINGPOST_CHECK(counts.streams_forgotten == 0);
    }

    FrameWriter writer_{30};
    Sink sink_{{.key = SipKey{1, 2}}};
    Stream streams_[4];
    Instant received_ = 0;
    std::uint64_t corrupt_ = 0, duplicate_ = 0, reordered_ = 0;
};

int run(const std::uint8_t* data, std::size_t size) {
    Play().run(Script(data, size, 1'024));
    return 0;
}

const Target registered("traffic/sink", run);

}  // namespace
}  // namespace ringpost::fuzz::traffic_sink
