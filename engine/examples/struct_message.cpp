#include <ringpost/structs.hpp>

struct Reading {
    std::uint16_t sensor;
    double celsius;
};

int main() {
    using Message = ringpost::structs::Message<1, "<Hd">;     // checked against the struct when compiled
    const auto packet = Message::encode(Reading{515, 21.5});  // std::array<std::byte, 17>, ready to be sent
    const auto found = ringpost::structs::decode(packet);     // the packet at the front of any bytes
    return found && Message::decode<Reading>(*found)->celsius == 21.5 ? 0 : 1;
}
