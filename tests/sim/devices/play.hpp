#pragma once

// Named devices in a simulated network, and the events of their applications.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/devices/endpoint.hpp"
#include "tests/sim/network.hpp"

namespace ringpost::sim {

/// An event with copies of everything it points to.
struct Reported {
    Instant at = 0;
    devices::Event::Kind kind = devices::Event::Kind::message;
    devices::Cause cause = devices::Cause::closed;
    std::string name, text;
    devices::QuestionId question;
    devices::AskId ask;
    std::vector<devices::Answer> answers;
    Address address;
    std::size_t unsent = 0;
};

struct DevicesKnobs {
    Link link{.delay = millisecond};
    StreamKnobs streams{};
    std::function<void(devices::Options&)> options{};  ///< modifies them before each start
};

/// Devices `a`, `b`, ... at 10.0.0.1, 10.0.0.2, ...; none is started.
class DevicesPlay {
  public:
    using Kind = devices::Event::Kind;

    DevicesPlay(std::uint64_t seed, std::size_t count, const DevicesKnobs& knobs = {});

    /// Starts or restarts the device, with the given address and name if any.
    void start(std::size_t device, std::optional<Address> address = {}, std::string name = {});
    void start_all();
    void kill(std::size_t device, bool silently) { network.kill(device, silently); }
    /// Cuts or restores the links between these devices and all others.
    void cut(const std::vector<std::size_t>& devices, bool cut);
    /// Makes all links perfect.
    void heal();
    void run_for(Duration duration);
    /// Removes the device's link, or adds it again.
    void take_link(std::size_t device, bool there);

    devices::Sent send(std::size_t from, std::string_view to, std::string_view text);
    std::optional<devices::AskId> ask(std::size_t from, const std::vector<std::string_view>& names,
                                      std::string_view text, Duration timeout = 2 * second);
    devices::Sent answer(std::size_t from, devices::QuestionId question, std::string_view text);

    devices::Endpoint& operator[](std::size_t device) { return *endpoints_[device]; }
    const std::vector<Reported>& reported(std::size_t device) const { return reported_[device]; }
    std::size_t count(std::size_t device, Kind kind, std::string_view name = {}) const;
    /// The last event of one of these kinds about `name`.
    const Reported* last(std::size_t device, std::initializer_list<Kind> kinds, std::string_view name) const;
    std::vector<std::string> messages(std::size_t device, std::string_view from) const;
    const devices::Peer* peer(std::size_t device, std::string_view name);
    void clear_events() {
        for (auto& reported : reported_) reported.clear();
    }

    /// Called for every event as it happens; may send, ask and answer.
    std::function<void(std::size_t device, const Reported&)> on_event;

    /// Checks that all devices have the correct state: every running device is alive and connected once to every other,
    /// and no other names are known.
    void expect_truth();

    static std::string name_of(std::size_t device) { return {static_cast<char>('a' + device)}; }
    static Address address_of(std::size_t device) {
        return Address::v4(10, 0, 0, static_cast<std::uint8_t>(1 + device), 3'235);
    }

    Network network;

  private:
    void take(std::size_t device, Instant now, const devices::Event& event);

    std::uint64_t seed_;
    DevicesKnobs knobs_;
    std::vector<std::unique_ptr<devices::Endpoint>> endpoints_;
    std::vector<std::unique_ptr<devices::Endpoint>> former_;  ///< of restarted devices; not called any more
    std::vector<std::string> names_;
    std::vector<Address> addresses_;
    std::vector<std::vector<Reported>> reported_;
    std::vector<devices::Peer> peers_;
    std::uint64_t starts_ = 0;
};

}  // namespace ringpost::sim
