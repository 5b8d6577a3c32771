// gtUDP in a program that waits in epoll: two messengers, one thread.

#include <ringpost/gtudp.hpp>

#include <sys/epoll.h>

#include <algorithm>
#include <cstdio>

using namespace ringpost;

int main() {
    auto alice = gtudp::Messenger::open({.bind = Address::v4(127, 0, 0, 1, 0)});
    auto bob = gtudp::Messenger::open({.bind = Address::v4(127, 0, 0, 1, 0)});
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!alice || !bob || epoll < 0) return 1;
    for (gtudp::Messenger* messenger : {&*alice, &*bob}) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = messenger;
        epoll_ctl(epoll, EPOLL_CTL_ADD, messenger->fd(), &event);
    }
    if (!alice->send(bob->local(), as_bytes("through epoll"))) return 1;

    bool confirmed = false;
    const gtudp::Messenger::Handler handler = [&](const gtudp::Event& event) {
        if (event.kind == gtudp::Event::Kind::message) std::puts(std::string(as_text(event.bytes)).c_str());
        if (event.kind == gtudp::Event::Kind::outcome) confirmed = event.outcome == gtudp::Outcome::confirmed;
    };
    while (!confirmed) {
        const Instant next = std::min(alice->next_deadline(), bob->next_deadline());
        const Duration left = next == never ? never : std::max<Duration>(next - Clock::now(), 0);
        const int milliseconds = left == never ? -1 : static_cast<int>(std::min(left / millisecond + 1, second));
        epoll_event ready[2];
        epoll_wait(epoll, ready, 2, left == 0 ? 0 : milliseconds);
        alice->poll(0, handler);  // cheap if there is nothing to do
        bob->poll(0, handler);
    }
}
