// What the engine does when the kernel refuses a call: an error that names what failed, or it goes on without. No
// descriptor is left open.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <bit>
#include <cerrno>
#include <functional>
#include <map>

#include <ringpost/confirmed.hpp>
#include <ringpost/devices.hpp>
#include "engine/faces/key_files.hpp"
#include "engine/os/address.hpp"
#include "engine/os/links.hpp"
#include "engine/os/random.hpp"
#include "engine/os/resources.hpp"
#include "engine/os/system_error.hpp"
#include "engine/os/waker.hpp"
#include "engine/tcp/stream_socket.hpp"
#include "engine/uring/ring.hpp"
#include "tests/kernel/faces/face_test.hpp"
#include "tests/kernel/failing/failing_calls.hpp"
#include "tests/kernel/two_hosts.hpp"

namespace ringpost::test {
namespace {

using Opens = std::function<std::optional<Error>()>;

template <class T>
std::optional<Error> error_of(const Result<T>& result) {
    return result ? std::nullopt : std::optional(result.error());
}

/// Lets each call that `opens` makes fail, one at a time, and expects the error of each, if any, to be that of the
/// call.
void expect_orderly(const char* what, int code, std::initializer_list<const char*> calls, const Opens& opens) {
    opens();  // what is opened once in a process
    const std::size_t open_before = descriptors_open();
    for (const char* call : calls) {
        unsigned number = 1;
        for (bool reached = true; reached; ++number) {
            SCOPED_TRACE(std::string(what) + ": " + call + " " + std::to_string(number));
            const FailingCall failing(call, code, number);
            const auto error = opens();
            reached = failing.reached();
            EXPECT_TRUE(reached || !error) << error->text;
            if (error) {
                EXPECT_EQ(error->code, code) << error->text;
                EXPECT_NE(error->text.find(": "), std::string::npos) << error->text;
            }
            EXPECT_EQ(descriptors_open(), open_before);
        }
        EXPECT_GT(number, 2u) << what << ": " << call << " is never called";
    }
}

TEST(FailingCalls, sockets) {
    for (const Address& bind : {loopback_v4(), Address::v4(0, 0, 0, 0, 0), loopback_v6(), any_v6()}) {
        SocketOptions options = bound_to(bind);
        options.broadcast = options.reuse_port = options.reuse_address = options.stamps = true;
        options.ecn = options.hop_limits = options.reports_errors = true;
        expect_orderly("a UDP socket", ENOBUFS, {"socket", "setsockopt", "bind", "getsockname"},
                       [&] { return error_of(UdpSocket::open(options)); });
        expect_orderly("a listener", ENOMEM, {"socket", "setsockopt", "bind", "listen", "getsockname"},
                       [&] { return error_of(StreamListener::open(bind)); });
    }
    SocketOptions options;
    options.connect = loopback_v4(9);
    expect_orderly("a connected socket", EACCES, {"socket", "connect", "getsockname"},
                   [&] { return error_of(UdpSocket::open(options)); });
    expect_orderly("a source address", ENETUNREACH, {"socket", "connect"},
                   [] { return error_of(source_address_toward(loopback_v6(9))); });
    expect_orderly("a connection", EMFILE, {"socket"}, [] { return error_of(StreamSocket::open(Family::v6)); });
    expect_orderly("a group", ENOBUFS, {"setsockopt", "ioctl"}, [&] {
        auto member = UdpSocket::open(bound_to(any_v6()));
        if (!member) return error_of(member);
        const auto error = error_of(member->join(Address::v4(239, 1, 1, 1, 9), "lo"));
        return error ? error : error_of(member->leave(Address::v4(239, 1, 1, 1, 9), "lo"));
    });
    UdpSocket socket = UdpSocket::open(bound_to(any_v6())).value();
    expect_orderly("multicast", ENODEV, {"setsockopt", "ioctl"},
                   [&] { return error_of(socket.configure_multicast("lo", 1, MulticastLoop::on, {})); });
    const FailingCall failing("getsockopt", ENOPROTOOPT, 1, 2);
    EXPECT_EQ(socket.new_drops(), 0u);
    EXPECT_EQ(StreamSocket::open(Family::v4)->result(), -ENOPROTOOPT);
}

TEST(FailingCalls, links) {
    expect_orderly("the watcher", ENOBUFS, {"socket", "bind"}, [] { return error_of(LinkWatcher::open()); });
    for (const int code : {EMFILE, ENFILE})
        expect_orderly("the list", code, {"getifaddrs", "ioctl", "socket"}, [] { return error_of(multicast_links()); });
    const FailingCall failing("ioctl", ENODEV, 1, 100);
    EXPECT_EQ(multicast_links().value(), std::vector<Link>{}) << "the interfaces have gone";
}

TEST(FailingCalls, backends) {
    expect_orderly("a waker", EMFILE, {"eventfd"}, [] { return error_of(Waker::open()); });
    expect_orderly("mmsg", EMFILE, {"eventfd", "epoll_create1"}, [] { return error_of(MmsgBackend::open({})); });
    const auto watch = [] {
        auto backend = MmsgBackend::open({}).value();
        return error_of(backend->watch(STDIN_FILENO));
    };
    expect_orderly("watched descriptors", ENOSPC, {"epoll_ctl"}, watch);
    if (!UringBackend::open({})) GTEST_SKIP() << "no io_uring";
    expect_orderly("uring", EMFILE, {"eventfd", "io_uring_queue_init_params", "io_uring_register_buf_ring"},
                   [] { return error_of(UringBackend::open({})); });
}

TEST(FailingCalls, a_ring_does_without_optional_flags) {
    if (!Ring::open(8, 16)) GTEST_SKIP() << "no io_uring";
    std::map<unsigned, unsigned> flags;
    for (unsigned refused = 0; refused <= 6; ++refused) {
        const FailingCall failing("io_uring_queue_init_params", EINVAL, 1, refused);
        const auto ring = Ring::open(8, 16);
        ASSERT_EQ(ring.has_value(), refused < 6);
        if (!ring) {
            EXPECT_EQ(ring.error().text, "io_uring refused: Invalid argument");
            break;
        }
        flags[refused] = ring->setup_flags();
        if (refused > 0) {
            EXPECT_LT(std::popcount(flags[refused]), std::popcount(flags[refused - 1]));
        }
    }
    EXPECT_EQ(flags[5], unsigned{IORING_SETUP_CQSIZE});
}

TEST(FailingCalls, a_refused_ring_gives_the_usual_reason) {
    if (!Ring::open(8, 16)) GTEST_SKIP() << "no io_uring";
    const std::pair<int, const char*> reasons[] = {{EPERM, "io_uring refused (EPERM): "},
                                                   {ENOSYS, "io_uring refused (ENOSYS): "},
                                                   {ENOMEM, "io_uring refused (ENOMEM): "},
                                                   {EMFILE, "io_uring refused: Too many open files (ulimit -n "}};
    for (const auto& [code, reason] : reasons) {
        const FailingCall failing("io_uring_queue_init_params", code, 1);
        EXPECT_EQ(Ring::open(8, 16).error().text.substr(0, std::strlen(reason)), reason);
    }
    for (const char* call : {"io_uring_submit_and_wait", "io_uring_register_buf_ring"}) {
        const FailingCall failing(call, EIO, 1);
        const Error error = UringBackend::open({}).error();
        EXPECT_TRUE(error.text.starts_with("io_uring ") && error.text.ends_with(std::strerror(EIO))) << error.text;
    }
    const FailingCall failing("io_uring_queue_init_params", EPERM, 1);
    std::vector<std::string> log;
    gtudp::OpenOptions options{.bind = loopback_v4()};
    options.engine.log = [&](LogLevel level, std::string_view text) {
        if (level == LogLevel::warning) log.emplace_back(text);
    };
    const auto messenger = gtudp::Messenger::open(options).value();
    EXPECT_EQ(log, std::vector{messenger.note()});
    EXPECT_STREQ(messenger.backend(), "mmsg");
    EXPECT_NE(messenger.note().find("EPERM"), std::string::npos);
    const FailingCall again("io_uring_queue_init_params", EPERM, 1);
    const auto threaded = gtudp::ThreadedMessenger::open(options).value();
    EXPECT_EQ(log, std::vector(2, messenger.note()));
    EXPECT_EQ(threaded.note(), messenger.note());
}

TEST(FailingCalls, a_full_submission_queue_is_submitted_until_it_has_room) {
    auto ring = Ring::open(2, 4);
    if (!ring) GTEST_SKIP() << "no io_uring";
    for (int i = 0; i < 2; ++i) io_uring_prep_nop(ring->submission());
    const FailingCall failing("io_uring_submit", EBUSY, 1, 3);
    io_uring_prep_nop(ring->submission());
    EXPECT_TRUE(failing.reached());
}

TEST(FailingCalls, mmsg_sleeps_without_epoll_pwait2) {
    auto messenger = gtudp::Messenger::open(
                         {.bind = loopback_v4(), .engine = {.backend = BackendChoice::mmsg, .wait = WaitMode::block}})
                         .value();
    const FailingCall failing("epoll_pwait2", ENOSYS, 1, 1'000);
    const Instant before = now();
    messenger.poll(5 * millisecond, [](const gtudp::Event&) {});
    EXPECT_GE(now(), before + 5 * millisecond);
    ASSERT_TRUE(messenger.send(messenger.local(), as_bytes("it arrives")));
    std::size_t messages = 0;
    while (messages == 0)
        messenger.poll(never,
                       [&](const gtudp::Event& event) { messages += event.kind == gtudp::Event::Kind::message; });
    EXPECT_TRUE(failing.reached());
}

TEST(FailingCalls, an_interrupted_getrandom_is_repeated) {
    const FailingCall failing("getrandom", EINTR, 1, 3);
    EXPECT_NE(random_value<std::uint64_t>(), random_value<std::uint64_t>());
    EXPECT_TRUE(failing.reached());
}

class FailingFacesTest : public OnBackend {};

TEST_P(FailingFacesTest, messengers) {
    const auto calls = {"socket", "setsockopt", "bind", "getsockname", "eventfd"};
    expect_orderly("Messenger", EMFILE, calls, [] { return error_of(gtudp::Messenger::open(options())); });
    expect_orderly("confirmed::Messenger", ENFILE, calls, [] {
        return error_of(confirmed::Messenger::open({.bind = loopback_v4(), .engine = {.backend = GetParam()}}));
    });
    expect_orderly("ThreadedMessenger", EMFILE, calls,
                   [] { return error_of(gtudp::ThreadedMessenger::open(options())); });
    expect_orderly("its thread", EPERM, {"fcntl64", "pthread_create"},
                   [] { return error_of(gtudp::ThreadedMessenger::open(options())); });
    const FailingCall failing("pthread_create", EAGAIN, 1);
    EXPECT_NE(gtudp::ThreadedMessenger::open(options()).error().text.find("no more threads"), std::string::npos);
}

TEST_P(FailingFacesTest, nodes) {
    const Hosts hosts;
    if (!hosts.made()) GTEST_SKIP() << no_namespace << ", or no link in it";
    devices::NodeOptions chosen{
        .protocol = {.name = "a"}, .interfaces = {"eth0"}, .engine = {.backend = GetParam(), .wait = WaitMode::block}};
    chosen.protocol.seeds = {loopback_v6(3'235)};
    chosen.protocol.group_v6 = loopback_v6(3'235);
    chosen.protocol.group_v6->ip[0] = 0xff;
    chosen.protocol.group_v6->ip[1] = 0x02;
    hosts.on(0, [&] {
        expect_orderly("Node", EMFILE,
                       {"socket", "setsockopt", "bind", "listen", "getsockname", "eventfd", "epoll_create1", "ioctl",
                        "getifaddrs", "pthread_create"},
                       [&] { return error_of(devices::Node::open(chosen)); });
    });
}

RINGPOST_ON_BOTH_BACKENDS(FailingFacesTest);

TEST(FailingCalls, host_names) {
    const std::pair<int, const char*> errors[] = {
        {EMFILE, "Too many open files"}, {ENFILE, "Too many open files in system"}, {EIO, "Input/output error"}};
    for (const auto& [code, text] : errors) {
        const FailingCall failing("getaddrinfo", code, 1);
        const auto resolved = resolve("localhost", 9);
        ASSERT_FALSE(resolved);
        EXPECT_NE(resolved.error().text.find(text), std::string::npos) << resolved.error().text;
    }
    const FailingCall failing("ioctl", EMFILE, 1);
    EXPECT_EQ(resolve("fe80::1%lo", 9).error().code, EMFILE);
}

TEST(FailingCalls, a_key_file_beyond_the_limit_of_descriptors) {
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    const rlimit none{0, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    const auto key = read_secret_key("/dev/null");
    setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_EQ(key.error().text, "/dev/null: Too many open files (ulimit -n 0)");
}

TEST(FailingCalls, errors_name_the_limit) {
    EXPECT_TRUE(system_error("x", ENFILE).text.ends_with(" (sysctl fs.file-max)"));
    rlimit before{};
    getrlimit(RLIMIT_NPROC, &before);
    const rlimit limited{before.rlim_max == RLIM_INFINITY ? 100'000 : before.rlim_max, before.rlim_max};
    setrlimit(RLIMIT_NPROC, &limited);
    EXPECT_NE(thread_error("start", EAGAIN).text.find("(ulimit -u "), std::string::npos);
    setrlimit(RLIMIT_NPROC, &before);
    EXPECT_EQ(thread_error("start", EPERM).text, "start: Operation not permitted");
}

}  // namespace
}  // namespace ringpost::test
