#include "tests/sim/devices/play.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace ringpost::sim {

DevicesPlay::DevicesPlay(std::uint64_t seed, std::size_t count, const DevicesKnobs& knobs)
    : network(seed), seed_(seed), knobs_(knobs), reported_(count) {
    network.streams().knobs = knobs.streams;
    for (std::size_t device = 0; device < count; ++device) {
        names_.push_back(name_of(device));
        addresses_.push_back(address_of(device));
        endpoints_.push_back(nullptr);
        devices::Options options;
        options.name = "never started";
        former_.push_back(std::make_unique<devices::Endpoint>(options));
        network.add(addresses_[device], *former_.back());
        network.kill(device, true);
    }
    for (std::size_t a = 0; a < count; ++a)
        for (std::size_t b = 0; b < count; ++b) network.link(a, b, knobs.link);
}

void DevicesPlay::start(std::size_t device, std::optional<Address> address, std::string name) {
    if (address) addresses_[device] = *address;
    if (!name.empty()) names_[device] = name;
    network.move(device, addresses_[device]);
    devices::Options options;
    options.name = names_[device];
    options.seed = seed_ * 1'000 + ++starts_;
    options.key = {seed_, starts_};
    options.start = network.now();
    if (knobs_.options) knobs_.options(options);
    if (endpoints_[device]) former_.push_back(std::move(endpoints_[device]));
    endpoints_[device] = std::make_unique<devices::Endpoint>(options);
    endpoints_[device]->add_interface(network.now(), 0, addresses_[device]);
    network.replace(device, *endpoints_[device],
                    [this, device](Instant now, const devices::Event& event) { take(device, now, event); });
}

void DevicesPlay::start_all() {
    for (std::size_t device = 0; device < endpoints_.size(); ++device) start(device);
}

void DevicesPlay::cut(const std::vector<std::size_t>& apart, bool cut) {
    const std::set<std::size_t> inside(apart.begin(), apart.end());
    Link link = knobs_.link;
    if (cut) link.loss = 1;
    for (std::size_t a = 0; a < endpoints_.size(); ++a)
        for (std::size_t b = 0; b < endpoints_.size(); ++b)
            if (inside.contains(a) != inside.contains(b)) network.link(a, b, link);
}

void DevicesPlay::heal() {
    knobs_.link.loss = 0;
    for (std::size_t a = 0; a < endpoints_.size(); ++a)
        for (std::size_t b = 0; b < endpoints_.size(); ++b) network.link(a, b, knobs_.link);
}

void DevicesPlay::run_for(Duration duration) {
    ASSERT_NE(network.run_until(network.now() + duration, 4'000'000), Outcome::livelock);
}

void DevicesPlay::take_link(std::size_t device, bool there) {
    cut({device}, !there);
    if (there)
        endpoints_[device]->add_interface(network.now(), 0, addresses_[device]);
    else
        endpoints_[device]->remove_interface(0);
    network.wake(device);
}

devices::Sent DevicesPlay::send(std::size_t from, std::string_view to, std::string_view text) {
    network.wake(from);
    return endpoints_[from]->send(network.now(), to, text);
}

std::optional<devices::AskId> DevicesPlay::ask(std::size_t from, const std::vector<std::string_view>& names,
                                               std::string_view text, Duration timeout) {
    network.wake(from);
    const auto id = endpoints_[from]->ask(network.now(), names, text, network.now() + timeout);
    return id ? std::optional(*id) : std::nullopt;
}

devices::Sent DevicesPlay::answer(std::size_t from, devices::QuestionId question, std::string_view text) {
    network.wake(from);
    return endpoints_[from]->answer(network.now(), question, text);
}

void DevicesPlay::take(std::size_t device, Instant now, const devices::Event& event) {
    reported_[device].push_back({now,
                                 event.kind,
                                 event.cause,
                                 std::string(event.name),
                                 std::string(event.text),
                                 event.question,
                                 event.ask,
                                 {event.answers.begin(), event.answers.end()},
                                 event.address,
                                 event.unsent});
    if (on_event) on_event(device, reported_[device].back());
}

std::size_t DevicesPlay::count(std::size_t device, Kind kind, std::string_view name) const {
    return static_cast<std::size_t>(std::ranges::count_if(reported_[device], [&](const Reported& reported) {
        return reported.kind == kind && (name.empty() || reported.name == name);
    }));
}

const Reported* DevicesPlay::last(std::size_t device, std::initializer_list<Kind> kinds, std::string_view name) const {
    for (std::size_t i = reported_[device].size(); i-- > 0;) {
        const Reported& reported = reported_[device][i];
        if (reported.name == name && std::ranges::find(kinds, reported.kind) != kinds.end()) return &reported;
    }
    return nullptr;
}

std::vector<std::string> DevicesPlay::messages(std::size_t device, std::string_view from) const {
    std::vector<std::string> out;
    for (const Reported& reported : reported_[device])
        if (reported.kind == Kind::message && reported.name == from) out.push_back(reported.text);
    return out;
}

const devices::Peer* DevicesPlay::peer(std::size_t device, std::string_view name) {
    peers_ = endpoints_[device]->peers();
    const auto found = std::ranges::find(peers_, name, &devices::Peer::name);
    return found == peers_.end() ? nullptr : &*found;
}

void DevicesPlay::expect_truth() {
    std::set<std::string> running;
    for (std::size_t device = 0; device < endpoints_.size(); ++device)
        if (network.is_up(device)) running.insert(names_[device]);
    for (std::size_t device = 0; device < endpoints_.size(); ++device) {
        if (!network.is_up(device)) continue;
        SCOPED_TRACE("state of " + names_[device]);
        EXPECT_EQ(endpoints_[device]->peer_count() + 1, running.size());
        for (std::size_t other = 0; other < endpoints_.size(); ++other) {
            if (other == device || !network.is_up(other)) continue;
            SCOPED_TRACE("about " + names_[other]);
            const devices::Peer* believed = peer(device, names_[other]);
            ASSERT_NE(believed, nullptr);
            EXPECT_EQ(believed->presence, devices::Presence::alive);
            EXPECT_EQ(believed->address.ip, addresses_[other].ip);
            EXPECT_TRUE(believed->connected);
            EXPECT_EQ(network.streams().standing(device, other), 1u);
            // The application has received the same.
            const Reported* reported = last(device, {Kind::connected, Kind::disconnected}, names_[other]);
            EXPECT_TRUE(reported != nullptr && reported->kind == Kind::connected);
            const Reported* there = last(device, {Kind::appeared, Kind::gone}, names_[other]);
            EXPECT_TRUE(there != nullptr && there->kind == Kind::appeared);
        }
    }
}

}  // namespace ringpost::sim
