#include <cstdio>

#include <ringpost/gtudp.hpp>

int main() {
    using namespace ringpost;
    auto messenger = gtudp::Messenger::open({.bind = Address::v4(127, 0, 0, 1, 0)});
    if (!messenger || !messenger->send(messenger->local(), as_bytes("it arrives"))) return 1;
    const auto print = [](const gtudp::Event& event) {
        if (event.kind == gtudp::Event::Kind::message) std::puts(std::string(as_text(event.bytes)).c_str());
    };
    while (messenger->in_flight() > 0) messenger->poll(second, print);
    return messenger->counters().confirmed == 1 ? 0 : 1;
}
