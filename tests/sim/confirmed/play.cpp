// The text of a message is FROM/LIFE/TO/NUMBER with increasing numbers. With it the oracle can match answers to
// messages and detect reordering.

#include "tests/sim/confirmed/play.hpp"

#include <algorithm>
#include <numeric>

namespace ringpost::sim {
namespace {

Address address_of(NodeIndex node) {
    return Address::v4(10, 0, 0, static_cast<std::uint8_t>(node + 1), confirmed::default_port);
}

constexpr Duration slack = millisecond;  // busy nodes answer slightly later

}  // namespace

ConfirmedPlay::ConfirmedPlay(std::uint64_t seed, const ConfirmedTerms& terms)
    : network(seed),
      terms_(terms),
      random_(~seed),
      answers_within_(terms.informed ? 2 * (terms.link.delay + terms.link.jitter) + terms.thinks_ns_max + slack : 0),
      copies_within_(terms.informed && terms.link.duplicate > 0 ? 2 * terms.link.jitter + terms.thinks_ns_max + slack
                                                                : 0) {
    for (NodeIndex node = 0; node < ours; ++node) {
        endpoints_[node] = std::make_unique<confirmed::Endpoint>(options_of(node));
        network.add(address_of(node), *endpoints_[node],
                    [this, node](Instant, const confirmed::Event& event) { on_event(node, event); });
    }
    for (NodeIndex node = ours; node < nodes; ++node) {
        peers_.push_back(std::make_unique<ReferencePeer>(seed + node, address_of(0), terms.thinks_ns_max, terms.ignores,
                                                         terms.refuses));
        network.add(address_of(node), *peers_.back());
    }
    for (NodeIndex node = 1; node < nodes; ++node) network.link_both(0, node, terms.link);
}

confirmed::Options ConfirmedPlay::options_of(NodeIndex node) const {
    confirmed::Options options;
    options.target = address_of(1 - node);
    options.answers_within = answers_within_;
    options.copies_within = copies_within_;
    options.key = {1, node};
    options.start = network.now();
    return options;
}

void ConfirmedPlay::run() {
    for (std::size_t i = 0; i < peers_.size(); ++i)
        for (std::uint32_t n = 0; n < terms_.messages / 2; ++n)
            peers_[i]->send_neutral(
                static_cast<Instant>(random_.below(static_cast<std::uint64_t>(terms_.every_ns_max)) * n),
                std::to_string(i + ours) + "/0/0/" + std::to_string(n));
    std::set<std::uint32_t> restarts;
    while (restarts.size() < terms_.restarts)
        restarts.insert(static_cast<std::uint32_t>(random_.below(terms_.messages)));
    Instant at = 0;
    for (std::uint32_t n = 0; n < terms_.messages; ++n) {
        at += static_cast<Duration>(random_.below(static_cast<std::uint64_t>(terms_.every_ns_max)));
        ASSERT_NE(network.run_until(at), Outcome::livelock);
        if (restarts.contains(n)) restart();
        if (network.now() >= silent_until_) send(0);
        send(1);
    }
    ASSERT_EQ(network.run(), Outcome::idle);
}

void ConfirmedPlay::send(NodeIndex node) {
    const NodeIndex to = node == 1 ? 0 : 1 + random_.below(nodes - 1);
    const std::string words =
        std::to_string(node) + "/" + std::to_string(life_) + "/" + std::to_string(to) + "/" + std::to_string(next_++);
    confirmed::SendOptions how;
    how.to = address_of(to);
    how.timeout = 1 + static_cast<Duration>(random_.below(static_cast<std::uint64_t>(terms_.timeout_ns_max)));
    const auto sent = endpoints_[node]->send(network.now(), tagged(words), how);
    ASSERT_TRUE(sent);
    sent_[node][*sent] = {words, to};
    network.wake(node);
}

/// Restarts node 0, which then sends nothing until the last answer to its previous life has arrived.
void ConfirmedPlay::restart() {
    check_counts(endpoints_[0]->counters());
    former_.push_back(std::move(endpoints_[0]));
    for (auto& [number, sent] : sent_[0]) {
        sent.cut = sent.outcomes == 0;
        cut_.push_back(std::move(sent));
    }
    sent_[0].clear();
    ++life_;
    endpoints_[0] = std::make_unique<confirmed::Endpoint>(options_of(0));
    network.replace(0, *endpoints_[0], [this](Instant, const confirmed::Event& event) { on_event(0, event); });
    silent_until_ = network.now() + answers_within_ + copies_within_;
}

void ConfirmedPlay::on_event(NodeIndex node, const confirmed::Event& event) {
    if (event.kind == confirmed::Event::Kind::outcome) return on_outcome(node, event);
    ASSERT_EQ(event.kind, confirmed::Event::Kind::message);
    if (event.status == confirmed::Status::failed) return;
    if (auto words = untagged(event.message.text()))
        delivered_[node].push_back(*std::move(words));
    else
        ++unreadable_;
}

void ConfirmedPlay::on_outcome(NodeIndex node, const confirmed::Event& event) {
    const auto found = sent_[node].find(event.number);
    ASSERT_NE(found, sent_[node].end()) << "an outcome without a send";
    Sent& sent = found->second;
    ++sent.outcomes;
    ++outcomes[event.outcome];
    EXPECT_EQ(event.peer, address_of(sent.to));
    if (event.outcome == confirmed::Outcome::timed_out) return;
    if (sent.to < ours) {
        EXPECT_EQ(event.outcome, confirmed::Outcome::confirmed);
        return;  // confirmations from endpoints do not identify their message
    }
    if (const auto words = untagged(event.message.text()))
        mistaken += *words != sent.words;
    else
        ++unreadable_;
}

std::uint64_t ConfirmedPlay::changed() {
    std::uint64_t total = 0;
    for (NodeIndex node = 1; node < nodes; ++node)
        total += network.counts(0, node).changed + network.counts(node, 0).changed;
    return total;
}

void ConfirmedPlay::check_counts(const confirmed::Counters& counts) const {
    const auto malformed = std::accumulate(counts.malformed.begin(), counts.malformed.end(), std::uint64_t{0});
    EXPECT_EQ(counts.received, malformed + counts.delivered + counts.initialized + counts.app_behind +
                                   counts.replies_full + counts.confirmed + counts.failed + counts.answers_late +
                                   counts.answers_again + counts.answers_stray);
    EXPECT_EQ(counts.app_behind + counts.replies_full + counts.initialized + counts.failures_lost, 0u);
}

/// For each life of a sender, the first deliveries of its messages are in the order of the sends.
void ConfirmedPlay::check_order(const std::vector<std::string>& delivered) {
    std::map<std::string, std::uint64_t> newest;  // by sender and life
    std::set<std::string> seen;
    for (const std::string& words : delivered) {
        if (!seen.insert(words).second) continue;
        const std::size_t second = words.find('/', words.find('/') + 1);
        std::uint64_t number = 0;
        const std::size_t from = words.rfind('/') + 1;
        std::from_chars(words.data() + from, words.data() + words.size(), number);
        if (words[0] - '0' >= static_cast<int>(ours)) continue;  // peers do not wait for answers
        const auto [it, fresh] = newest.try_emplace(words.substr(0, second), number);
        out_of_order += !fresh && number < it->second;
        it->second = std::max(it->second, number);
    }
    if (terms_.link.duplicate > 0) return;
    EXPECT_EQ(seen.size(), delivered.size()) << "a message was delivered twice";
}

void ConfirmedPlay::expect_truth() {
    for (NodeIndex node = 0; node < ours; ++node) {
        std::uint64_t taken = 0;
        for (const auto& [number, sent] : sent_[node]) {
            EXPECT_EQ(sent.outcomes, 1u) << sent.words;
            ++taken;
        }
        const confirmed::Counters& counts = endpoints_[node]->counters();
        EXPECT_EQ(counts.taken, taken);
        EXPECT_EQ(counts.taken, counts.confirmed + counts.failed + counts.timed_out + counts.reported);
        check_counts(counts);
        EXPECT_EQ(endpoints_[node]->in_flight(), 0u);
        EXPECT_EQ(endpoints_[node]->peers(), 0u);
        check_order(delivered_[node]);
    }
    for (const Sent& sent : cut_) EXPECT_EQ(sent.outcomes, sent.cut ? 0u : 1u) << sent.words;
    for (const auto& peer : peers_) check_order(peer->delivered);
    EXPECT_LE(unreadable_, changed());
    if (!terms_.informed) return;
    EXPECT_EQ(mistaken, 0u);
    EXPECT_EQ(out_of_order, 0u);
}

}  // namespace ringpost::sim
