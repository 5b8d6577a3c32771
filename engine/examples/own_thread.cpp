#include <cstdio>

#include <ringpost/gtudp.hpp>

int main() {
    using namespace ringpost;
    auto alice = gtudp::ThreadedMessenger::open({.bind = Address::v4(127, 0, 0, 1, 0)});
    auto bob = gtudp::ThreadedMessenger::open({.bind = Address::v4(127, 0, 0, 1, 0)});
    if (!alice || !bob) return 1;
    const auto result = alice->send_and_wait(bob->local(), as_bytes("did you get this?"), 5 * second);
    const auto message = bob->receive(5 * second);
    if (message) std::puts(std::string(as_text(message->bytes)).c_str());
    return result == gtudp::Outcome::confirmed ? 0 : 1;
}
