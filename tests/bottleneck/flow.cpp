// flow native|tcp receive PORT
// flow native|tcp send ADDRESS PORT BYTES SECONDS    0: without this limit
//
// One end of a stream of data, by one connection of the native transport (CUBIC, AES-256-GCM) or of TCP (CUBIC). The
// receiver verifies the content. Both print their state every 100 ms; see flow.hpp.

#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string_view>

#include <arpa/inet.h>
#include "tests/bottleneck/flow.hpp"

int main(int argc, char** argv) {
    using namespace ringpost;
    using namespace ringpost::bottleneck;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const std::string_view protocol = argc > 1 ? argv[1] : "", role = argc > 2 ? argv[2] : "";
    if (role == "receive" && argc == 4) {
        (protocol == "tcp" ? receive_tcp : receive_native)(static_cast<std::uint16_t>(std::atoi(argv[3])));
        return 0;
    }
    std::array<std::uint8_t, 4> ip{};
    if (role != "send" || argc != 7 || inet_pton(AF_INET, argv[3], ip.data()) != 1) {
        std::fprintf(stderr, "usage: flow native|tcp receive PORT | send ADDRESS PORT BYTES SECONDS\n");
        return 2;
    }
    const Address to = Address::v4(ip[0], ip[1], ip[2], ip[3], static_cast<std::uint16_t>(std::atoi(argv[4])));
    Amount amount;
    if (const auto bytes = std::strtoull(argv[5], nullptr, 10); bytes > 0)
        amount.bytes = (bytes + piece_bytes - 1) / piece_bytes * piece_bytes;
    if (const double time = std::atof(argv[6]); time > 0) amount.time = static_cast<Duration>(time * 1e9);
    (protocol == "tcp" ? send_tcp : send_native)(to, amount);
}
