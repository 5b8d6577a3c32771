// An Init passes these gates, cheapest first; behind the first two everything is answered by at most one datagram, or
// by none, with a counter for each reason.
//
//     it has its one form -> its mac holds (else silence) -> its version, pattern and suite are ours
//     -> it is new (else the same answer again) -> under load: its cookie holds (else a Cookie, and no state)
//     -> its Noise message opens -> its client is allowed -> its clock is not old -> its parameters can be read
//
// State per handshake: half open, from the Response to the first authentic short packet, which makes it a connection.
// No timer: what was not touched for native_handshake_timeout is stale, and is dropped when the next Init arrives; when
// the table is full, the entry that was not touched for longest makes space. Clocks are remembered of confirmed
// connections only: a replay before that can do no more than an Init can.

#include "codec/native/responder.hpp"

#include <algorithm>
#include <cstring>

#include "codec/base/check.hpp"

namespace ringpost::native {
namespace {

constexpr Duration load_window = second;

bool names_client(std::uint8_t pattern) {
    return pattern == static_cast<std::uint8_t>(crypto::Pattern::ik) ||
           pattern == static_cast<std::uint8_t>(crypto::Pattern::ik_psk2);
}

std::size_t no_answer(std::uint64_t& counter) {
    ++counter;
    return 0;
}

std::nullopt_t nothing(std::uint64_t& counter) {
    ++counter;
    return std::nullopt;
}

std::size_t trial_index(std::uint8_t suite) {
    if (suite == static_cast<std::uint8_t>(crypto::Suite::insecure)) return 2;
    return suite == static_cast<std::uint8_t>(crypto::Suite::aes256_gcm) ? 0 : 1;
}

}  // namespace

Responder::Responder(const ResponderOptions& options, const crypto::AllowList* allow, crypto::RandomStream& random)
    : options_(options),
      allow_(allow),
      random_(random),
      public_mac_key_(mac_key_of_public(options.pair.public_key)),
      shared_mac_key_(mac_key_of_shared(options.psk)),
      sessions_(options.sessions_max, random.value<SipKey>()),
      cookies_(random.value<crypto::Key>()),
      by_attempt_(options.half_open_max, random.value<SipKey>()),
      by_id_(options.half_open_max, random.value<SipKey>()),
      newest_(options.clocks_max, random.value<SipKey>()),
      trial_keys_{crypto::PacketKey(crypto::Suite::aes256_gcm, {}),
                  crypto::PacketKey(crypto::Suite::chacha20_poly1305, {}),
                  crypto::PacketKey(crypto::Suite::insecure, {})} {
    RINGPOST_CHECK(!fault_of(options.parameters));
}

std::size_t Responder::handle(Instant now, const Address& source, std::span<const std::byte> datagram,
                              std::span<std::byte> out) {
    RINGPOST_CHECK(out.size() >= response_bytes_max);
    const auto parsed = parse_long(datagram);
    const InitPacket* const init = parsed ? std::get_if<InitPacket>(&*parsed) : nullptr;
    if (init == nullptr) {
        ++counters_.malformed;
        return 0;
    }
    return handle_init(now, source, datagram, *init, out);
}

std::size_t Responder::handle_init(Instant now, const Address& source, std::span<const std::byte> datagram,
                                   const InitPacket& packet, std::span<std::byte> out) {
    const NamedKey key = key_for(packet.key_id);
    if (key.mac_key == nullptr) return no_answer(counters_.unknown_key);
    if (!mac_holds(*key.mac_key, datagram, packet.noise, packet.mac)) return no_answer(counters_.bad_mac);
    if (packet.header.version != version_1) return answer_with_versions(*key.mac_key, packet, out);
    const bool with_public = packet.header.pattern != static_cast<std::uint8_t>(crypto::Pattern::nn_psk0);
    const bool offered = key.session != nullptr || options_.patterns.has(packet.header.pattern);
    if (with_public != key.is_public || !offered) return no_answer(counters_.refused_pattern);
    if (!options_.suites.has(packet.header.suite)) return no_answer(counters_.refused_suite);
    if (packet.noise.size() < crypto::key_bytes) return no_answer(counters_.not_authentic);

    HandshakeAttempt attempt{source, {}};
    std::ranges::copy(packet.noise.first(crypto::key_bytes), attempt.ephemeral.begin());
    forget_stale(now);
    if (const Id* const id = by_attempt_.find(attempt)) return answer_again(now, attempt, *id, out);
    if (is_under_load(now) && !cookies_.holds(now, source, attempt.ephemeral, packet.cookie))
        return answer_with_cookie(now, *key.mac_key, attempt, packet, out);
    return accept(now, *key.psk, attempt, datagram, packet, out);
}

Responder::NamedKey Responder::key_for(const KeyId& id) const {
    if (id == public_mac_key_.id) return {.mac_key = &public_mac_key_, .psk = &options_.psk, .is_public = true};
    if (id == shared_mac_key_.id) return {.mac_key = &shared_mac_key_, .psk = &options_.psk};
    const Session* const session = sessions_.find(id);
    if (session == nullptr) return {};
    return {.mac_key = &session->mac_key, .psk = &session->secret, .session = session};
}

std::size_t Responder::answer_again(Instant now, const HandshakeAttempt& attempt, const Id& id,
                                    std::span<std::byte> out) {
    const Id local = id;
    by_attempt_.touch(attempt);
    HalfOpen& half_open = by_id_.touch(local);
    half_open.touched_at = now;
    half_open.repeated = true;
    ++counters_.repeated;
    std::memcpy(out.data(), half_open.response.data(), half_open.response_bytes);
    return half_open.response_bytes;
}

std::size_t Responder::answer_with_versions(const MacKey& key, const InitPacket& packet, std::span<std::byte> out) {
    VersionsPacket answer;
    answer.header = packet.header;
    answer.header.version = version_1;
    random_.fill(answer.header.random);
    answer.header.source = {};
    answer.destination = packet.header.source;
    // The second is of no version, so that clients get used to numbers that they do not know.
    answer.versions = {version_1, static_cast<std::uint8_t>(0x80 | random_.value<std::uint8_t>())};
    answer.count = 2;
    const std::size_t size = write_versions(out, answer);
    write_mac(out, mac_of(key, out, {}));
    ++counters_.versions_sent;
    return size;
}

std::size_t Responder::answer_with_cookie(Instant now, const MacKey& key, const HandshakeAttempt& attempt,
                                          const InitPacket& packet, std::span<std::byte> out) {
    CookiePacket answer;
    answer.header = packet.header;
    random_.fill(answer.header.random);
    answer.header.source = {};
    answer.destination = packet.header.source;
    answer.cookie = cookies_.cookie(now, attempt.source, attempt.ephemeral);
    const std::size_t size = write_cookie(out, answer);
    write_mac(out, mac_of(key, out, {}));
    if (packet.cookie != Cookie{}) ++counters_.bad_cookies;
    ++counters_.cookies_sent;
    return size;
}

std::size_t Responder::accept(Instant now, const crypto::Key& psk, const HandshakeAttempt& attempt,
                              std::span<const std::byte> datagram, const InitPacket& packet, std::span<std::byte> out) {
    count_handshake(now);
    const auto first = read(psk, datagram, packet);
    if (!first) return 0;
    const Id local = issue_id();
    if (by_id_.size() == by_id_.capacity()) ++counters_.evicted;
    by_attempt_.touch(attempt) = local;
    HalfOpen& half_open = by_id_.touch(local);
    half_open.attempt = attempt;
    half_open.remote = packet.header.source;
    half_open.pattern = packet.header.pattern;
    half_open.suite = packet.header.suite;
    half_open.key_id = packet.key_id;
    if (names_client(half_open.pattern)) half_open.peer_key = noise_.remote();
    half_open.clock_ms = first->clock_ms;
    half_open.reset_token = first->reset_token;
    half_open.parameters = first->parameters;
    half_open.touched_at = now;
    half_open.response_bytes = respond(packet, local, half_open);
    if (half_open.response_bytes == 0) {
        forget(attempt, local);
        return no_answer(counters_.not_authentic);
    }
    ++counters_.answered;
    std::memcpy(out.data(), half_open.response.data(), half_open.response_bytes);
    return half_open.response_bytes;
}

std::optional<FirstPayload> Responder::read(const crypto::Key& psk, std::span<const std::byte> datagram,
                                            const InitPacket& packet) {
    noise_.start(static_cast<crypto::Pattern>(packet.header.pattern), static_cast<crypto::Suite>(packet.header.suite),
                 crypto::Role::responder, {options_.pair, {}, psk}, datagram.first(init_prologue_bytes));
    std::array<std::byte, init_noise_bytes_max> space;
    const std::span<std::byte> message = std::span(space).first(packet.noise.size());
    std::ranges::copy(packet.noise, message.begin());
    const auto payload = noise_.read(message);
    if (!payload) return nothing(counters_.not_authentic);
    const bool named = names_client(packet.header.pattern);
    if (named && allow_ != nullptr && allow_->find(noise_.remote()) == nullptr) return nothing(counters_.not_allowed);
    const auto first = parse_first_payload(*payload);
    if (!first) return nothing(counters_.bad_parameters);
    const NewestInit* const newest = named ? newest_.find(noise_.remote()) : nullptr;
    if (newest == nullptr) return *first;
    const bool old = first->clock_ms + limits::native_clock_slack_ms <= newest->clock_ms;
    if (old || std::ranges::equal(packet.noise.first(crypto::key_bytes), newest->ephemeral))
        return nothing(counters_.replayed);
    return *first;
}

// Returns 0 if the client's key is weak.
std::size_t Responder::respond(const InitPacket& packet, const Id& local, HalfOpen& half_open) {
    ResponsePacket answer;
    answer.header = packet.header;
    random_.fill(answer.header.random);
    answer.header.source = local;
    answer.destination = packet.header.source;

    SecondPayload second{{}, reset_token_of(options_.reset_secret, local), options_.parameters};
    write_long_header(second.header.data(), LongType::response, answer.header);
    std::array<std::byte, second_payload_bytes_max> payload;
    const std::size_t size = write_payload(payload, second, random_.value<std::uint32_t>());
    std::array<std::byte, response_noise_bytes_max> message;
    static_assert(message.size() >= second_payload_bytes_max + 48);
    crypto::KeyPair ephemeral = crypto::key_pair_of(random_.value<crypto::Key>());
    const auto written = noise_.write(ephemeral, std::span(payload).first(size), message);
    if (!written) return 0;
    answer.noise = std::span(message).first(*written);

    crypto::NoiseHandshake::Split split = noise_.split();
    half_open.send = split.send;
    half_open.receive = split.receive;
    half_open.handshake_hash = split.handshake_hash;
    crypto::wipe(split.send);
    crypto::wipe(split.receive);
    noise_.forget();
    return write_response(half_open.response, answer);
}

std::optional<Established> Responder::confirm(Instant now, std::span<const std::byte> datagram) {
    const auto header = parse_short_header(datagram);
    HalfOpen* const half_open = header ? by_id_.find(header->id) : nullptr;
    if (half_open == nullptr || now - half_open->touched_at >= limits::native_handshake_timeout)
        return nothing(counters_.unknown_id);
    const NamedKey key = key_for(half_open->key_id);
    if (key.mac_key == nullptr) return nothing(counters_.not_allowed);  // its session was removed
    const std::size_t index = trial_index(half_open->suite);
    // The datagram stays as it is, for the connection.
    if (datagram.size() > trial_.size()) return nothing(counters_.unconfirmed);
    std::ranges::copy(datagram, trial_.begin());
    trial_keys_[index].set_key(half_open->receive);
    const bool opened = !header->key_phase && trial_keys_[index].open(std::span(trial_).first(datagram.size()),
                                                                      short_header_bytes, header->number);
    trial_keys_[index].set_key({});
    if (!opened) return nothing(counters_.unconfirmed);

    const auto suite = static_cast<crypto::Suite>(half_open->suite);
    Established out{crypto::PacketKey(suite, half_open->send), crypto::PacketKey(suite, half_open->receive)};
    out.local = header->id;
    out.remote = half_open->remote;
    out.parameters = half_open->parameters;
    out.reset_token = half_open->reset_token;
    out.role = crypto::Role::responder;
    out.pattern = static_cast<crypto::Pattern>(half_open->pattern);
    out.suite = suite;
    if (!half_open->repeated) out.rtt = now - half_open->touched_at;
    out.peer_key = half_open->peer_key;
    out.handshake_hash = half_open->handshake_hash;
    if (key.session != nullptr) out.session = key.session->id;
    if (names_client(half_open->pattern)) {
        NewestInit& newest = newest_.touch(half_open->peer_key);
        if (half_open->clock_ms >= newest.clock_ms) newest = {half_open->clock_ms, half_open->attempt.ephemeral};
    }
    forget(half_open->attempt, header->id);
    ++counters_.confirmed;
    return out;
}

std::size_t Responder::reset(std::span<const std::byte> datagram, std::span<std::byte> out) {
    const auto header = parse_short_header(datagram);
    if (!header || datagram.size() <= reset_bytes_min) return 0;
    const std::size_t most = std::min(datagram.size() - 1, reset_bytes_max);
    const std::size_t size = reset_bytes_min + random_.value<std::uint8_t>() % (most - reset_bytes_min + 1);
    RINGPOST_CHECK(out.size() >= size);
    random_.fill(out.first(size));
    ResetPacket packet;
    random_.fill(packet.header.random);
    packet.destination = header->id;
    packet.token = reset_token_of(options_.reset_secret, header->id);
    return write_reset(out, packet, size);
}

bool Responder::is_under_load(Instant now) const {
    const std::uint32_t lately = now - second_began_at_ < load_window ? handshakes_in_second_ : 0;
    return by_id_.size() >= by_id_.capacity() / 2 || lately >= options_.handshakes_per_second;
}

void Responder::count_handshake(Instant now) {
    if (now - second_began_at_ >= load_window) {
        second_began_at_ = now;
        handshakes_in_second_ = 0;
    }
    ++handshakes_in_second_;
}

// At most two: so many Inits cannot leave more stale entries than they drop.
void Responder::forget_stale(Instant now) {
    for (int i = 0; i < 2 && by_id_.oldest() != nullptr; ++i) {
        const Id id = *by_id_.oldest();
        const HalfOpen& half_open = *by_id_.find(id);
        if (now - half_open.touched_at < limits::native_handshake_timeout) return;
        forget(half_open.attempt, id);
    }
}

void Responder::forget(const HandshakeAttempt& attempt, const Id& id) {
    // The arguments may be in the entries.
    const Id copy = id;
    by_attempt_.erase(HandshakeAttempt(attempt));
    by_id_.erase(copy);
}

Id Responder::issue_id() {
    Id id{options_.shard, {}};
    do {
        random_.fill(id.random);
    } while (by_id_.find(id) != nullptr);
    return id;
}

}  // namespace ringpost::native
