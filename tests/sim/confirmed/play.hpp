#pragma once

// Confirmed messages over networks that lose, delay, reorder, duplicate and corrupt them: two endpoints, two peers that
// model other implementations, and an oracle that knows which message an answer belongs to.

#include <gtest/gtest.h>

#include <charconv>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "codec/confirmed/endpoint.hpp"
#include "tests/sim/network.hpp"

namespace ringpost::sim {

/// A text in which changes are detectable: `words` and a hash of them (FNV-1a).
inline std::string tagged(const std::string& words) {
    std::uint64_t hash = 14695981039346656037u;
    for (const char c : words) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    return words + "#" + std::to_string(hash);
}
/// The words of such a text; nullopt if the hash does not match.
inline std::optional<std::string> untagged(const std::string& text) {
    std::string words = text.substr(0, text.find('#'));
    return tagged(words) == text ? std::optional(std::move(words)) : std::nullopt;
}

/// A model of another implementation: listens on socket 0, sends from socket 1, and confirms to its only target. Its
/// answers name the message they belong to, for the oracle. It answers with delay, ignores some messages, and rejects
/// some.
class ReferencePeer {
  public:
    struct Event {};
    ReferencePeer(std::uint64_t seed, const Address& target, Duration thinks_ns_max, double ignores, double refuses)
        : random_(seed), target_(target), thinks_ns_max_(thinks_ns_max), ignores_(ignores), refuses_(refuses) {}

    /// Sends a neutral message at `at`, regardless of messages in flight.
    void send_neutral(Instant at, const std::string& words) { plan(at, tagged(words), confirmed::Status::none); }

    void handle(Instant now, const Datagram& in) {
        const auto frame = confirmed::decode(in.bytes);
        if (!frame) return;
        if (frame->status != confirmed::Status::none) {
            ++answers;
            return;
        }
        const std::string& text = frame->message.text();
        if (auto words = untagged(text)) delivered.push_back(*std::move(words));
        if (random_.chance(ignores_)) return;
        plan(now + static_cast<Duration>(random_.below(static_cast<std::uint64_t>(thinks_ns_max_) + 1)), text,
             random_.chance(refuses_) ? confirmed::Status::failed : confirmed::Status::ok);
    }
    void handle_timeout(Instant) {}
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out) {
        if (planned_.empty() || planned_.begin()->first > now) return std::nullopt;
        const std::string bytes = std::move(planned_.begin()->second);
        planned_.erase(planned_.begin());
        std::copy_n(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size(), out.begin());
        return Transmit{.destination = target_, .socket = 1, .bytes = bytes.size(), .segment_bytes = bytes.size()};
    }
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const {
        return planned_.empty() ? std::nullopt : std::optional(planned_.begin()->first);
    }

    std::vector<std::string> delivered;  ///< unchanged ones, in order
    std::uint64_t answers = 0;

  private:
    void plan(Instant at, const std::string& text, confirmed::Status status) {
        planned_.emplace(at, confirmed::encode({confirmed::Value::of_text(text).value(), status}));
    }

    Random random_;
    Address target_;
    Duration thinks_ns_max_;
    double ignores_, refuses_;
    std::multimap<Instant, std::string> planned_;
};

/// Parameters of a play.
struct ConfirmedTerms {
    Link link;
    Duration thinks_ns_max = 0;
    double ignores = 0, refuses = 0;
    std::uint32_t messages = 60;  ///< per endpoint, to random peers; half as many per peer
    Duration every_ns_max = 500 * millisecond;
    Duration timeout_ns_max = 10 * second;
    std::uint32_t restarts = 0;  ///< of node 0
    /// Whether the options describe the network correctly. If not, they claim that nothing arrives late or twice.
    bool informed = true;
};

/// Node 0 is an endpoint and everyone's target, node 1 is an endpoint, and the others are peers.
class ConfirmedPlay {
  public:
    ConfirmedPlay(std::uint64_t seed, const ConfirmedTerms& terms);

    void run();
    /// Checks all guarantees.
    void expect_truth();

    Network network;
    std::uint64_t mistaken = 0;  ///< answers matched to the wrong message
    std::uint64_t out_of_order = 0;
    std::map<confirmed::Outcome, std::uint64_t> outcomes;

  private:
    static constexpr std::size_t nodes = 4, ours = 2;
    struct Sent {
        std::string words;
        NodeIndex to;
        unsigned outcomes = 0;
        bool cut = false;  ///< by a restart
    };

    confirmed::Options options_of(NodeIndex node) const;
    void start(NodeIndex node);
    void on_event(NodeIndex node, const confirmed::Event& event);
    void on_outcome(NodeIndex node, const confirmed::Event& event);
    void send(NodeIndex node);
    void restart();
    void check_counts(const confirmed::Counters& counts) const;
    void check_order(const std::vector<std::string>& delivered);
    std::uint64_t changed();

    ConfirmedTerms terms_;
    Random random_;
    Duration answers_within_, copies_within_;
    std::unique_ptr<confirmed::Endpoint> endpoints_[ours];
    std::vector<std::unique_ptr<confirmed::Endpoint>> former_;
    std::vector<std::unique_ptr<ReferencePeer>> peers_;
    std::map<confirmed::SendNumber, Sent> sent_[ours];
    std::vector<Sent> cut_;
    std::vector<std::string> delivered_[ours];
    Instant silent_until_ = 0;  ///< node 0, after a restart
    unsigned life_ = 0;
    std::uint64_t next_ = 0, unreadable_ = 0;
};

}  // namespace ringpost::sim
