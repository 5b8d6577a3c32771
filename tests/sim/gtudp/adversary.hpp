#pragma once

// An attacker who spoofs source addresses and receives nothing that is sent to them, and a meter that checks what it
// achieves.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "codec/gtudp/endpoint.hpp"
#include "tests/sim/gtudp/delivery_oracle.hpp"
#include "tests/sim/network.hpp"

namespace ringpost::sim {

/// Passes the calls of an endpoint on and counts bytes per address, with IPv4 and UDP headers. Checks after every
/// datagram that no address gets more than three times what came from it, except those that are real.
template <class Endpoint>
class Metered {
  public:
    using Event = typename Endpoint::Event;

    /// The endpoint belongs to the caller.
    explicit Metered(Endpoint& endpoint) : endpoint_(endpoint) {}

    /// A host is at this address and may prove it.
    void add_real(const Address& address) { real_.insert(address); }
    /// Identities of the DATA sent to this address are learnt.
    void watch(const Address& address) { watched_ = address; }

    void handle(Instant now, const Datagram& in) {
        received_[in.source] += in.bytes.size() + headers;
        endpoint_.handle(now, in);
    }
    void handle_timeout(Instant now) { endpoint_.handle_timeout(now); }
    std::optional<Event> poll_event() { return endpoint_.poll_event(); }
    std::optional<Instant> poll_timeout() const { return endpoint_.poll_timeout(); }

    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) {
        const auto transmit = endpoint_.poll_transmit(now, out);
        if (!transmit) return transmit;
        const Address& to = transmit->destination;
        const std::size_t count = segment_count(transmit->bytes, transmit->segment_bytes);
        sent_[to] += transmit->bytes + count * headers;
        if (!real_.contains(to)) {
            EXPECT_LE(sent_[to], 3 * received_[to]);
        }
        for (std::size_t i = 0; to == watched_ && i < count; ++i) learn(out.subspan(i * transmit->segment_bytes));
        return transmit;
    }

    const std::vector<gtudp::Identity>& learnt() const { return learnt_; }
    /// To and from all addresses that are not real.
    double amplification() const {
        std::uint64_t sent = 0, received = 0;
        for (const auto& [address, bytes] : received_)
            if (!real_.contains(address)) received += bytes;
        for (const auto& [address, bytes] : sent_)
            if (!real_.contains(address)) sent += bytes;
        return received == 0 ? 0 : static_cast<double>(sent) / static_cast<double>(received);
    }

  private:
    static constexpr std::size_t headers = 20 + 8;

    void learn(std::span<const std::byte> bytes) {
        const auto frame = gtudp::Codec().decode(bytes);
        if (frame && frame->kind == gtudp::Kind::data) learnt_.push_back(frame->identity);
    }

    Endpoint& endpoint_;
    std::map<Address, std::uint64_t, AddressLess> sent_, received_;
    std::set<Address, AddressLess> real_;
    Address watched_;
    std::vector<gtudp::Identity> learnt_;
};

/// Makes one datagram after another: DATA, ACKs for it without having seen the RECV, guessed RECVs, and earlier
/// datagrams again.
class Attacker {
  public:
    struct Forged {
        Address source;
        std::vector<std::byte> bytes;
    };

    /// `real` are addresses of hosts, for which it guesses RECVs.
    Attacker(std::uint64_t seed, std::vector<Address> real) : random_(seed), real_(std::move(real)) {}

    /// `learnt` are identities that the victim used for DATA to the attacker.
    Forged next(std::span<const gtudp::Identity> learnt) {
        const std::uint64_t what = random_.below(100);
        if (what < 45 || sent_.empty()) return remember({strange_address(), frame(gtudp::Kind::data, any(), size())});
        const Forged& earlier = sent_[sent_.size() - 1 - random_.below(std::min<std::size_t>(sent_.size(), 400))];
        if (what < 75) {
            const auto decoded = gtudp::Codec().decode(earlier.bytes);
            return {earlier.source, frame(gtudp::Kind::ack, decoded ? decoded->identity : 0, 0)};
        }
        if (what < 90) {
            const bool host = !real_.empty() && random_.chance(0.5);
            return {host ? random_.one_of(std::span<const Address>(real_)) : earlier.source,
                    frame(gtudp::Kind::recv, guess(learnt), 0)};
        }
        return {random_.chance(0.5) ? strange_address() : earlier.source, earlier.bytes};
    }

  private:
    gtudp::Identity any() { return static_cast<gtudp::Identity>(random_.below(1ull << 32)); }
    std::size_t size() { return random_.chance(0.7) ? random_.below(8) : random_.below(300); }

    /// Near one that was learnt lately, as if identities were counted up.
    gtudp::Identity guess(std::span<const gtudp::Identity> learnt) {
        if (learnt.empty() || random_.chance(0.2)) return any();
        return learnt.back() + static_cast<gtudp::Identity>(random_.below(40)) - 20;
    }

    Address strange_address() {
        return Address::v4(192, 0, static_cast<std::uint8_t>(random_.below(4)),
                           static_cast<std::uint8_t>(random_.below(256)),
                           static_cast<std::uint16_t>(random_.between(1, 9)));
    }

    static std::vector<std::byte> frame(gtudp::Kind kind, gtudp::Identity identity, std::size_t data_bytes) {
        const gtudp::Codec codec;
        std::vector<std::byte> out(codec.header_bytes() + data_bytes, std::byte{'?'});
        codec.write_header(out.data(), kind, identity);
        return out;
    }

    Forged remember(Forged forged) {
        sent_.push_back(forged);
        return forged;
    }

    Random random_;
    std::vector<Address> real_;
    std::vector<Forged> sent_;
};

}  // namespace ringpost::sim
