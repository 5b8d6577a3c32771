// bottleneck NETNS NETNS DEVICE RATE DELAY_MS QUEUE_BYTES [codel] [ecn] [loss=P] [late=P:MS]: joins two network
// namespaces, given as files, by a device in each and a Link for each direction. RATE is in Mbit/s of IP packets. Runs
// until its standard input is closed; then prints the counters of both directions as one JSON object.
//
// The devices are TUN (Documentation/networking/tuntap.rst of Linux): what the kernel sends to one is read here packet
// by packet, as the devices offer neither checksums nor segmentation, and written to the other when the link delivers
// it.

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "engine/os/clock.hpp"
#include "tests/bottleneck/link.hpp"

namespace ringpost::bottleneck {
namespace {

[[noreturn]] void die(const char* what) {
    std::perror(what);
    std::exit(1);
}

/// A TUN device in a namespace. It exists as long as the descriptor.
int open_device(const char* netns, const char* name) {
    const int space = open(netns, O_RDONLY | O_CLOEXEC);
    if (space < 0 || setns(space, CLONE_NEWNET) != 0) die(netns);
    close(space);
    const int device = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (device < 0) die("/dev/net/tun");
    ifreq request{};
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    std::snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (ioctl(device, TUNSETIFF, &request) != 0) die(name);
    return device;
}

struct Direction {
    int from, to;
    Link link;
    std::uint64_t refused = 0;  ///< packets that the other device did not take
};

void take(Direction& direction) {
    constexpr int packets_per_turn = 64;
    static std::array<std::byte, 65'536> buffer;
    for (int i = 0; i < packets_per_turn; ++i) {
        const ssize_t got = read(direction.from, buffer.data(), buffer.size());
        if (got <= 0) return;
        direction.link.push(now(), Link::Packet(buffer.begin(), buffer.begin() + got));
    }
}

void give(Direction& direction) {
    while (const auto packet = direction.link.pop(now()))
        if (write(direction.to, packet->data(), packet->size()) < 0) ++direction.refused;
}

/// Until standard input is closed.
void carry(std::array<Direction, 2>& directions) {
    pollfd polled[] = {{directions[0].from, POLLIN, 0}, {directions[1].from, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    while (polled[2].revents == 0) {
        for (Direction& direction : directions) {
            take(direction);
            give(direction);
        }
        const Instant due = std::min(directions[0].link.next(), directions[1].link.next());
        const Duration wait = std::max<Duration>(due - now(), 0);
        const timespec timeout{wait / second, wait % second};
        if (ppoll(polled, std::size(polled), due == never ? nullptr : &timeout, nullptr) < 0 && errno != EINTR)
            die("ppoll");
    }
}

LinkSettings parse(char** arguments) {
    LinkSettings settings;
    settings.rate = std::atof(arguments[0]) * 1e6 / 8;
    settings.delay = static_cast<Duration>(std::atof(arguments[1]) * 1e6);
    settings.queue_bytes = static_cast<std::size_t>(std::atoll(arguments[2]));
    for (arguments += 3; *arguments != nullptr; ++arguments) {
        const std::string_view option = *arguments;
        const char* const value = *arguments + std::min(option.find('=') + 1, option.size());
        if (option == "codel") settings.codel = true;
        if (option == "ecn") settings.ecn = true;
        if (option.starts_with("loss=")) settings.loss = std::atof(value);
        if (option.starts_with("late=")) {
            settings.late = std::atof(value);
            const char* const by = std::strchr(value, ':');
            settings.late_by = by == nullptr ? 0 : static_cast<Duration>(std::atof(by + 1) * 1e6);
        }
    }
    return settings;
}

void print(const Direction& direction) {
    std::printf("{");
    for (const auto& counter : LinkCounters::table())
        std::printf("\"%s\":%" PRIu64 ",", counter.name.data(), direction.link.counters().*counter.member);
    std::printf("\"refused\":%" PRIu64 "}", direction.refused);
}

int run(int argc, char** argv) {
    if (argc < 7) {
        std::fprintf(stderr, "usage: bottleneck NETNS NETNS DEVICE RATE DELAY_MS QUEUE_BYTES [OPTION...]\n");
        return 2;
    }
    prctl(PR_SET_TIMERSLACK, 1UL);
    const LinkSettings settings = parse(argv + 4);
    const int here = open_device(argv[1], argv[3]), there = open_device(argv[2], argv[3]);
    std::array<Direction, 2> directions = {Direction{here, there, Link(settings, 1)},
                                           Direction{there, here, Link(settings, 2)}};
    std::printf("ready\n");
    std::fflush(stdout);
    carry(directions);
    std::printf("[");
    print(directions[0]);
    std::printf(",");
    print(directions[1]);
    std::printf("]\n");
    return 0;
}

}  // namespace
}  // namespace ringpost::bottleneck

int main(int argc, char** argv) { return ringpost::bottleneck::run(argc, argv); }
