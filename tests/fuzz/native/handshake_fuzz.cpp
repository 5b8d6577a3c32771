// A script of a client, a server and an attacker between them, who delivers, repeats, changes and makes up datagrams.
// Whatever happens, an answer is at most a quarter of its cause, each datagram is counted once, and when the server has
// confirmed a handshake, both ends have the same keys.

#include <algorithm>
#include <cstring>

#include "codec/native/initiator.hpp"
#include "codec/native/responder.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::native_handshake {

using namespace ringpost::native;

namespace {

crypto::Key key_of(std::uint8_t number) {
    crypto::Key key{};
    key[0] = std::byte{number};
    return key;
}

std::uint64_t handled(const ResponderCounters& c) {
    return c.malformed + c.unknown_key + c.bad_mac + c.versions_sent + c.refused_pattern + c.refused_suite +
           c.repeated + c.cookies_sent + c.not_authentic + c.not_allowed + c.replayed + c.bad_parameters + c.answered +
           c.confirmed + c.unconfirmed + c.unknown_id;
}

class HandshakePlay {
  public:
    explicit HandshakePlay(Script& script)
        : script_(script),
          client_random_(key_of(1)),
          server_random_(key_of(2)),
          server_pair_(crypto::key_pair_of(key_of(3))) {
        const std::uint8_t setting = script_.u8();
        options_.pattern = crypto::all_patterns[setting % 4];
        constexpr crypto::Suite suites[] = {crypto::Suite::aes256_gcm, crypto::Suite::chacha20_poly1305,
                                            crypto::Suite::insecure};
        options_.suite = suites[setting / 4 % 3];
        options_.keys = {crypto::key_pair_of(key_of(4)), server_pair_.public_key, key_of(5)};
        options_.local = {1, {std::byte{1}}};
        ResponderOptions server;
        server.patterns = {crypto::Pattern::nn_psk0, crypto::Pattern::nk, crypto::Pattern::ik,
                           crypto::Pattern::ik_psk2};
        server.suites = {crypto::Suite::aes256_gcm, crypto::Suite::chacha20_poly1305, crypto::Suite::insecure};
        server.pair = server_pair_;
        server.psk = key_of(5);
        server.half_open_max = 4;
        server.clocks_max = 4;
        server.handshakes_per_second = setting & 0x40 ? 0 : 3;
        server_.emplace(server, nullptr, server_random_);
        start_client();
    }

    void run() {
        for (int step = 0; step < 200 && !script_.over(); ++step) play(script_.u8());
    }

  private:
    void start_client() {
        options_.clock_ms += script_.u8() % 3;
        client_.emplace(options_, client_random_, now_);
        established_.reset();
    }

    void play(std::uint8_t operation) {
        switch (operation % 8) {
            case 0: return send_init();
            case 1: return to_server(chosen(from_client_));
            case 2: return to_client(chosen(from_server_));
            case 3: return to_server(changed(chosen(from_client_)));
            case 4: return to_client(changed(chosen(from_server_)));
            case 5: now_ += Duration{script_.u16()} * millisecond; return client_->expire(now_);
            case 6: return confirm(operation);
            default:
                if (operation & 0x80) return start_client();
                return to_server(script_.bytes(script_.u8()));
        }
    }

    void send_init() {
        Bytes out(init_bytes);
        out.resize(client_->transmit(now_, out));
        if (!out.empty()) from_client_.push_back(out);
    }

    void to_server(const Bytes& datagram) {
        if (form_of(datagram) == Form::short_packet) {
            const std::uint64_t before = handled(server_->counters());
            Bytes out(reset_bytes_max);
            RINGPOST_CHECK(server_->reset(datagram, out) < std::max<std::size_t>(datagram.size(), 1));
            if (auto confirmed = server_->confirm(now_, datagram)) check_same(*confirmed);
            RINGPOST_CHECK(handled(server_->counters()) == before + 1);
            return;
        }
        Bytes out(response_bytes_max);
        const std::uint64_t before = handled(server_->counters());
        out.resize(server_->handle(now_, Address::v4(10, 0, 0, script_.u8() % 4, 1), datagram, out));
        RINGPOST_CHECK(handled(server_->counters()) == before + 1);
        RINGPOST_CHECK(out.size() * 4 <= datagram.size());
        RINGPOST_CHECK(server_->half_open() <= 4);
        if (!out.empty()) from_server_.push_back(out);
    }

    void to_client(const Bytes& datagram) {
        if (client_->handle(now_, datagram) && client_->state() == Initiator::State::established)
            established_ = client_->take();
    }

    // The first packet of a client; the attacker may change one.
    void confirm(std::uint8_t operation) {
        if (!established_) return;
        Bytes packet(short_header_bytes + 20 + established_->send.tag_bytes());
        write_short_header(packet.data(), {established_->remote, number_, false, 0});
        established_->send.seal(packet, short_header_bytes, number_++);
        to_server(operation & 0x80 ? changed(packet) : packet);
    }

    void check_same(Established& server) {
        // The client may have begun anew since.
        if (!established_ || server.handshake_hash != established_->handshake_hash) return;
        RINGPOST_CHECK(server.local == established_->remote && server.remote == established_->local);
        Bytes packet(short_header_bytes + server.send.tag_bytes());
        server.send.seal(packet, short_header_bytes, 0);
        RINGPOST_CHECK(established_->receive.open(packet, short_header_bytes, 0));
    }

    Bytes chosen(const std::vector<Bytes>& sent) { return sent.empty() ? Bytes() : sent[script_.u8() % sent.size()]; }

    Bytes changed(Bytes datagram) {
        if (datagram.empty()) return datagram;
        const std::uint16_t where = script_.u16();
        const std::uint8_t how = script_.u8();
        if (how == 0) {
            datagram.resize(where % (datagram.size() + 100));
        } else {
            datagram[where % datagram.size()] ^= std::byte{how};
        }
        return datagram;
    }

    Script& script_;
    crypto::RandomStream client_random_, server_random_;
    crypto::KeyPair server_pair_;
    InitiatorOptions options_;
    std::optional<Initiator> client_;
    std::optional<Responder> server_;
    std::optional<Established> established_;
    std::vector<Bytes> from_client_, from_server_;
    Instant now_ = 1'000 * second;
    std::uint32_t number_ = 0;
};

int run(const std::uint8_t* data, std::size_t size) {
    Script script(data, size, 2'048);
    HandshakePlay(script).run();
    return 0;
}

const Target registered("native/handshake", run);

}  // namespace
}  // namespace ringpost::fuzz::native_handshake
