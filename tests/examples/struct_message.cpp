#include "codec/structs/scanner.hpp"
#include "codec/structs/typed.hpp"

struct Reading {
    std::uint16_t sensor;
    double celsius;
};

int main() {
    using Message = ringpost::structs::Message<1, "<Hd">;     // checked against the struct when compiled
    const auto packet = Message::encode(Reading{515, 21.5});  // std::array<std::byte, 17>, ready to be sent
    ringpost::structs::Scanner received(packet);              // finds the packets in any bytes
    const auto found = received.next();
    return found && found->packet && Message::decode<Reading>(*found->packet)->celsius == 21.5 ? 0 : 1;
}
