// States: waiting (for an answer), established, failed. One timer: the next Init, or the end of the time.
//
// The Noise message is made once; each Init has the same, so that a server which has answered it answers the same
// again. What changes is the cookie. A Cookie makes the next Init due at once, but only once between two Inits of the
// timer, so that nobody who repeats Cookies makes us send more than the timer does twice.
//
// The first bytes of the Init, up to the cookie, are the prologue, and the header of the Response is repeated in its
// payload, so that all of both is authenticated.

#include "codec/native/initiator.hpp"

#include <algorithm>
#include <type_traits>

#include "codec/base/check.hpp"

namespace ringpost::native {

Initiator::Initiator(const InitiatorOptions& options, crypto::RandomStream& random, Instant now)
    : mac_key_(mac_key_of(options.pattern, options.keys.remote, options.keys.psk)),
      deadline_(now + options.timeout),
      due_(now) {
    RINGPOST_CHECK(!fault_of(options.parameters));
    if (options.pattern != crypto::Pattern::nn_psk0) server_key_ = options.keys.remote;
    write_message(options, random);
}

void Initiator::write_message(const InitiatorOptions& options, crypto::RandomStream& random) {
    packet_.header.pattern = static_cast<std::uint8_t>(options.pattern);
    packet_.header.suite = static_cast<std::uint8_t>(options.suite);
    random.fill(packet_.header.random);
    packet_.header.source = options.local;
    packet_.key_id = mac_key_.id;

    std::array<std::byte, init_bytes> prologue;
    write_init(prologue, packet_);
    noise_.start(options.pattern, options.suite, crypto::Role::initiator, options.keys,
                 std::span(prologue).first(init_prologue_bytes));

    std::array<std::byte, first_payload_bytes_max> payload;
    const std::size_t size = write_payload(payload, {options.clock_ms, options.reset_token, options.parameters},
                                           random.value<std::uint32_t>());
    crypto::KeyPair ephemeral = crypto::key_pair_of(random.value<crypto::Key>());
    const auto written = noise_.write(ephemeral, std::span(payload).first(size), message_);
    if (!written) {
        state_ = State::failed;
        failure_ = Failure::weak_key;
        return;
    }
    packet_.noise = std::span(message_).first(*written);
}

bool Initiator::handle(Instant now, std::span<const std::byte> datagram) {
    if (state_ != State::waiting) return false;
    const auto parsed = parse_long(datagram);
    if (!parsed) {
        ++counters_.malformed;
        return false;
    }
    return std::visit(
        [&]<class Packet>(const Packet& packet) {
            if constexpr (std::is_same_v<Packet, InitPacket> || std::is_same_v<Packet, ResetPacket>) {
                ++counters_.foreign;
                return false;
            } else {
                return is_ours(packet.header, packet.destination) && on(now, datagram, packet);
            }
        },
        *parsed);
}

bool Initiator::is_ours(const LongHeader& header, const Id& destination) {
    const bool ours = destination == packet_.header.source && header.pattern == packet_.header.pattern &&
                      header.suite == packet_.header.suite;
    if (!ours) ++counters_.foreign;
    return ours;
}

bool Initiator::on(Instant now, std::span<const std::byte> datagram, const ResponsePacket& packet) {
    std::array<std::byte, response_noise_bytes_max> space;
    const std::span<std::byte> message = std::span(space).first(packet.noise.size());
    std::ranges::copy(packet.noise, message.begin());
    const auto payload = noise_.read(message);
    if (!payload) {
        ++counters_.not_authentic;
        return false;
    }
    const auto answer = parse_second_payload(*payload);
    if (!answer) {
        // The same would come again.
        ++counters_.bad_parameters;
        state_ = State::failed;
        failure_ = Failure::bad_parameters;
        return false;
    }
    if (!std::ranges::equal(answer->header, datagram.first(long_header_bytes))) {
        noise_.unread();
        ++counters_.not_authentic;
        return false;
    }
    answer_ = *answer;
    remote_ = packet.header.source;
    // Which of several Inits it answers is unknown, unless Cookies have answered the others.
    if (counters_.sent == counters_.cookies + 1) rtt_ = now - sent_at_;
    state_ = State::established;
    return true;
}

bool Initiator::on(Instant now, std::span<const std::byte> datagram, const CookiePacket& packet) {
    if (!mac_holds(mac_key_, datagram, {}, packet.mac)) {
        ++counters_.bad_mac;
        return false;
    }
    ++counters_.cookies;
    packet_.cookie = packet.cookie;
    if (hurry_ == Hurry::none) {
        hurry_ = Hurry::due;
        due_ = now;
    }
    return true;
}

bool Initiator::on(Instant, std::span<const std::byte> datagram, const VersionsPacket& packet) {
    if (!mac_holds(mac_key_, datagram, {}, packet.mac)) {
        ++counters_.bad_mac;
        return false;
    }
    // A server that speaks our version does not answer with Versions.
    if (std::ranges::find(packet.versions.begin(), packet.versions.begin() + packet.count, version_1) !=
        packet.versions.begin() + packet.count)
        return false;
    ++counters_.versions;
    return true;
}

Instant Initiator::expires_at() const { return state_ == State::waiting ? std::min(due_, deadline_) : never; }

std::size_t Initiator::transmit(Instant now, std::span<std::byte> out) {
    if (state_ != State::waiting || now < due_ || now >= deadline_) return 0;
    due_ = now + interval_;
    if (hurry_ == Hurry::due) {
        hurry_ = Hurry::sent;
    } else {
        hurry_ = Hurry::none;
        interval_ = std::min(interval_ * 2, limits::native_init_interval_max);
    }
    ++counters_.sent;
    sent_at_ = now;
    const std::size_t size = write_init(out, packet_);
    write_mac(out, mac_of(mac_key_, out, packet_.noise));
    return size;
}

void Initiator::expire(Instant now) {
    if (state_ != State::waiting || now < deadline_) return;
    state_ = State::failed;
    failure_ = counters_.versions > 0 ? Failure::no_common_version : Failure::timed_out;
}

Established Initiator::take() {
    RINGPOST_CHECK(state_ == State::established);
    crypto::NoiseHandshake::Split split = noise_.split();
    const auto suite = static_cast<crypto::Suite>(packet_.header.suite);
    Established out{crypto::PacketKey(suite, split.send), crypto::PacketKey(suite, split.receive)};
    crypto::wipe(split.send);
    crypto::wipe(split.receive);
    noise_.forget();
    out.local = packet_.header.source;
    out.remote = remote_;
    out.parameters = answer_.parameters;
    out.reset_token = answer_.reset_token;
    out.role = crypto::Role::initiator;
    out.pattern = static_cast<crypto::Pattern>(packet_.header.pattern);
    out.suite = suite;
    out.rtt = rtt_;
    out.peer_key = server_key_;
    out.handshake_hash = split.handshake_hash;
    state_ = State::failed;
    return out;
}

}  // namespace ringpost::native
