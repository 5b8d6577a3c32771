// our_peer ROLE PLAN: plays the handshakes of the plan (check.py) over stdin and stdout with codec/crypto. A message on
// a pipe is its length (2 bytes, little-endian) and its bytes.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <ringpost/bytes.hpp>
#include "codec/base/bytes.hpp"
#include "codec/crypto/noise.hpp"
#include "tests/unit/helpers.hpp"

namespace {

using namespace ringpost;
using namespace ringpost::crypto;

void expect(bool condition, const std::string& what) {
    if (condition) return;
    std::fprintf(stderr, "ours: %s\n", what.c_str());
    std::exit(1);
}

void read_all(std::span<std::byte> out) {
    while (!out.empty()) {
        const ssize_t got = read(STDIN_FILENO, out.data(), out.size());
        expect(got > 0, "the other side has ended");
        out = out.subspan(static_cast<std::size_t>(got));
    }
}

Bytes receive() {
    std::byte size[2];
    read_all(size);
    Bytes message(load_le<std::uint16_t>(size));
    read_all(message);
    return message;
}

// A message fits a pipe's buffer, so it is written whole.
void send(std::span<const std::byte> message) {
    Bytes framed(2 + message.size());
    store_le(framed.data(), static_cast<std::uint16_t>(message.size()));
    std::copy(message.begin(), message.end(), framed.begin() + 2);
    expect(write(STDOUT_FILENO, framed.data(), framed.size()) == static_cast<ssize_t>(framed.size()), "send");
}

Bytes text_of(std::size_t number) {
    Bytes text(number % 1'400);
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<std::byte>((number % 251 + i) % 251);
    return text;
}

Bytes header_of(std::uint64_t number) {
    Bytes header = bytes_of("header of ");
    header.resize(header.size() + sizeof number);
    store_le(&header[header.size() - sizeof number], number);
    return header;
}

struct Play {
    Pattern pattern;
    Suite suite;
    KeyPair initiator, responder, initiator_ephemeral, responder_ephemeral;
    Key psk;
    Bytes prologue;
    std::size_t packets = 0;
};

Play read_play(std::istream& in) {
    static const std::map<std::string, Pattern> patterns = {
        {"NNpsk0", Pattern::nn_psk0}, {"NK", Pattern::nk}, {"IK", Pattern::ik}, {"IKpsk2", Pattern::ik_psk2}};
    Play play;
    std::string pattern, cipher, prologue;
    in >> pattern >> cipher;
    const auto next_key = [&in] {
        std::string hex;
        in >> hex;
        const Bytes bytes = bytes_from_hex(hex);
        Key key{};
        std::copy_n(bytes.begin(), std::min(bytes.size(), key.size()), key.begin());
        return key;
    };
    for (KeyPair* const pair : {&play.initiator, &play.responder, &play.initiator_ephemeral, &play.responder_ephemeral})
        *pair = key_pair_of(next_key());
    play.psk = next_key();
    in >> prologue >> play.packets;
    if (!in) return play;
    play.prologue = bytes_from_hex(prologue);
    play.pattern = patterns.at(pattern);
    play.suite = cipher == "AESGCM" ? Suite::aes256_gcm : Suite::chacha20_poly1305;
    return play;
}

void write_message(NoiseHandshake& noise, const KeyPair& ephemeral, std::string_view payload) {
    Bytes out(payload.size() + 200);
    const auto size = noise.write(ephemeral, as_bytes(payload), out);
    expect(size.has_value(), "write");
    send(std::span(out).first(*size));
}

void read_message(NoiseHandshake& noise, std::string_view payload) {
    Bytes message = receive();
    const auto found = noise.read(message);
    expect(found && as_text(*found) == payload, "payload of a handshake message");
}

void shake_hands(NoiseHandshake& noise, const Play& play, Role role) {
    if (role == Role::initiator) {
        noise.start(play.pattern, play.suite, role, {play.initiator, play.responder.public_key, play.psk},
                    play.prologue);
        write_message(noise, play.initiator_ephemeral, "hello from the initiator");
        read_message(noise, "hello from the responder");
        return;
    }
    noise.start(play.pattern, play.suite, role, {play.responder, {}, play.psk}, play.prologue);
    read_message(noise, "hello from the initiator");
    write_message(noise, play.responder_ephemeral, "hello from the responder");
    const bool known = play.pattern == Pattern::ik || play.pattern == Pattern::ik_psk2;
    expect(!known || noise.remote() == play.initiator.public_key, "the initiator's key");
}

void send_packet(PacketKey& key, std::size_t number) {
    const Bytes header = header_of(number);
    Bytes packet = header;
    const Bytes text = text_of(number);
    packet.insert(packet.end(), text.begin(), text.end());
    packet.resize(packet.size() + key.tag_bytes());
    key.seal(packet, header.size(), number);
    send(std::span(packet).subspan(header.size()));
}

void receive_packet(PacketKey& key, std::size_t number) {
    const Bytes header = header_of(number), sealed = receive();
    Bytes packet = header;
    packet.insert(packet.end(), sealed.begin(), sealed.end());
    expect(key.open(packet, header.size(), number), "packet " + std::to_string(number) + " does not open");
    const Bytes text = text_of(number);
    expect(Bytes(packet.begin() + static_cast<std::ptrdiff_t>(header.size()),
                 packet.end() - static_cast<std::ptrdiff_t>(key.tag_bytes())) == text,
           "packet " + std::to_string(number) + " differs");
}

void exchange(const NoiseHandshake::Split& keys, const Play& play, Role role) {
    PacketKey sender(play.suite, keys.send), receiver(play.suite, keys.receive);
    for (std::size_t number = 0; number < play.packets; ++number) {
        if (number == play.packets / 2) {
            sender.rekey();
            receiver.rekey();
        }
        if (role == Role::initiator) send_packet(sender, number);
        receive_packet(receiver, number);
        if (role == Role::responder) send_packet(sender, number);
    }
}

}  // namespace

int main(int argc, char** argv) {
    expect(argc == 3, "usage: our_peer ROLE PLAN");
    const Role role = argv[1] == std::string("initiator") ? Role::initiator : Role::responder;
    std::ifstream plan(argv[2]);
    NoiseHandshake noise;
    std::size_t played = 0;
    for (Play play = read_play(plan); plan; play = read_play(plan), ++played) {
        shake_hands(noise, play, role);
        exchange(noise.split(), play, role);
    }
    expect(played > 0, "an empty plan");
}
