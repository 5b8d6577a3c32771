// A script for two connections: messages, time, packets that arrive, are lost, duplicated, changed or exchanged, and
// frames of any content behind a valid seal. Nothing may fail an assertion. As long as no frame was forged, messages
// arrive in order, each once.
//
// Each step is a byte that names the operation, and its operands.

#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "codec/native/connection.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::native_connection {

using namespace ringpost::native;

namespace {

constexpr std::size_t steps_max = 400;
constexpr std::uint32_t channels = 3;

ConnectionOptions options_of(std::uint64_t seed) {
    ConnectionOptions options;
    options.channels = channels;
    options.send_log_bytes = 8 << 10;
    options.channel_window = 6 << 10;
    options.connection_window = 10 << 10;
    options.message_bytes_max = 5 << 10;
    options.packets_in_flight_max = 128;
    options.receive_window = 128;
    options.seed = seed;
    return options;
}

crypto::PacketKey key_of(int direction) {
    crypto::Key key{};
    key[0] = static_cast<std::byte>(direction);
    return {crypto::Suite::insecure, key};
}

struct Play {
    Play() {
        PeerOptions peer;
        peer.channels = channels;
        peer.channel_window = 6 << 10;
        peer.connection_window = 10 << 10;
        peer.message_bytes_max = 5 << 10;
        for (int i = 0; i < 2; ++i)
            ends[i] = std::make_unique<native::Connection>(0, options_of(static_cast<std::uint64_t>(i)), peer,
                                                           key_of(i), key_of(1 - i));
    }

    void send(int from, std::uint32_t channel, std::size_t bytes) {
        std::vector<std::byte> message(bytes, static_cast<std::byte>(sent[from][channel]));
        if (ends[from]->send(channel, message) != SendResult::queued) return;
        ++sent[from][channel];
    }
    void transmit(int from) {
        const auto train = ends[from]->poll_transmit(now, buffer);
        if (!train) return;
        fuzz::check_transmit({{}, 0, train->bytes, train->segment_bytes});
        for (std::size_t at = 0; at < train->bytes; at += train->segment_bytes) {
            const std::size_t bytes = std::min(train->segment_bytes, train->bytes - at);
            wires[from].emplace_back(buffer.begin() + static_cast<std::ptrdiff_t>(at),
                                     buffer.begin() + static_cast<std::ptrdiff_t>(at + bytes));
        }
    }
    void arrive(int at, Bytes packet, bool taking) {
        ends[at]->handle(now, packet);
        if (taking)
            take(at);
        else
            ends[at]->retain();
    }
    void take(int at) {
        while (const auto event = ends[at]->poll_event()) {
            if (event->kind != Event::Kind::run) continue;
            std::uint64_t& count = delivered[1 - at][event->channel];
            RINGPOST_CHECK(event->number == count);
            event->run.for_each([&](std::span<const std::byte> message) {
                if (!message.empty() && !forged) RINGPOST_CHECK(message.front() == static_cast<std::byte>(count));
                ++count;
            });
            RINGPOST_CHECK(forged || count <= sent[1 - at][event->channel]);
        }
    }
    void forge(int at, std::uint32_t number, const Bytes& frames, bool taking = true) {
        crypto::PacketKey key = key_of(1 - at);
        Bytes packet(short_header_bytes + frames.size() + key.tag_bytes());
        write_short_header(packet.data(), {{}, number, false, 0});
        if (!frames.empty()) std::memcpy(&packet[short_header_bytes], frames.data(), frames.size());
        key.seal(packet, short_header_bytes, number);
        forged = true;
        arrive(at, std::move(packet), taking);
    }
    /// Messages as a peer with the keys may send them: of any number, in any order, and untaken.
    void forge_messages(int at, std::uint8_t channel, std::uint32_t first, std::uint8_t count, std::size_t each) {
        const std::size_t body_bytes = integer_bytes(each) + count * each;
        Bytes frames(messages_header_bytes + body_bytes);
        FrameWriter writer(frames);
        std::byte* const body = writer.messages(FrameType::messages_of_one_length, channel, first, count, body_bytes);
        RINGPOST_CHECK(body != nullptr);
        write_integer(body, each);
        forge(at, forged_number++, frames, false);
    }

    std::unique_ptr<native::Connection> ends[2];
    std::deque<Bytes> wires[2];
    std::uint64_t sent[2][channels] = {}, delivered[2][channels] = {};
    Bytes buffer = Bytes(limits::datagram_bytes_max);
    Instant now = 0;
    bool forged = false;
    std::uint32_t forged_number = 1'000;
};

void step(Play& play, Script& script) {
    const std::uint8_t operation = script.u8();
    const int side = operation & 1;
    auto& wire = play.wires[side];
    switch (operation / 2 % 10) {
        case 0: play.send(side, script.u8() % channels, script.u8()); return;
        case 1: play.send(side, script.u8() % channels, script.u16() % (6 << 10)); return;
        case 2: play.transmit(side); return;
        case 3:
        case 4: {
            if (wire.empty()) return;
            Bytes packet = std::move(wire.front());
            wire.pop_front();
            play.arrive(1 - side, std::move(packet), operation % 20 != 6);
            return;
        }
        case 5:
            if (!wire.empty()) wire.pop_front();
            return;
        case 6: {
            if (wire.empty()) return;
            const std::uint8_t how = script.u8();
            if (how < 64) wire.push_back(wire.front());
            if (how >= 64 && how < 128) wire.front()[how % wire.front().size()] ^= std::byte{1};
            if (how >= 128) std::swap(wire.front(), wire[how % wire.size()]);
            return;
        }
        case 7:
            play.now += static_cast<Duration>(script.magnitude() % (10 * second));
            play.ends[side]->handle_timeout(play.now);
            play.take(side);
            return;
        case 8: {
            const std::uint32_t number = script.u8();
            play.forge(side, number, script.bytes(script.u8()));
            return;
        }
        case 9: {
            const std::uint8_t what = script.u8();
            if (what == 0) play.ends[side]->close(play.now, play.now + second);
            if (what >= 128) {
                const std::uint32_t first = script.u16() % 4'096;
                const auto count = static_cast<std::uint8_t>(1 + what / channels % 3);
                play.forge_messages(side, what % channels, first, count, script.u16() % 5'000);
            }
            return;
        }
        default: return;
    }
}

int run(const std::uint8_t* data, std::size_t size) {
    Script script(data, size, 16'384);
    Play play;
    for (std::size_t i = 0; i < steps_max && !script.over(); ++i) step(play, script);
    for (int i = 0; i < 2; ++i) play.take(i);
    return 0;
}

const Target registered("native/connection", run);

}  // namespace
}  // namespace ringpost::fuzz::native_connection
