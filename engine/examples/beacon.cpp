// A beacon that sends a quote to itself.

#include <ringpost/beacon.hpp>

#include <cstdio>

int main() {
    using namespace ringpost;
    auto target = beacon::Beacon::open({.bind = Address::v4(127, 0, 0, 1, 0)});
    if (!target) return 1;
    beacon::OpenOptions options{.bind = Address::v4(127, 0, 0, 1, 0)};
    options.protocol.targets = {{target->local(), {127, 0, 0, 1}}};
    options.protocol.rounds = 1;
    auto source = beacon::Beacon::open(options);
    if (!source) return 1;
    while (!source->finished()) source->poll(second, [](const beacon::Event&) {});
    const bool received = target->poll(5 * second, [](const beacon::Event& event) {
        if (!event.error) std::puts(std::string(event.quote).c_str());
    });
    return received ? 0 : 1;
}
