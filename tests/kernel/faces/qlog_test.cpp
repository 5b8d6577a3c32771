// Logs of connections: each event as one line of JSON, and files that cannot be written.

#include "engine/faces/qlog.hpp"

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/kernel/faces/native_face.hpp"

namespace ringpost::test {
namespace {

using native::Qlog, native::TraceEvent;

/// A directory that is removed at the end.
class LogDirectory {
  public:
    LogDirectory() { std::filesystem::create_directories(path_); }
    ~LogDirectory() { std::filesystem::remove_all(path_); }
    LogDirectory(const LogDirectory&) = delete;
    LogDirectory& operator=(const LogDirectory&) = delete;
    const std::string& path() const { return path_; }

    /// What the logs of this role contain.
    std::string text(const std::string& role) const {
        std::string out;
        for (const auto& entry : std::filesystem::directory_iterator(path_)) {
            if (!entry.path().string().ends_with("_" + role + ".sqlog")) continue;
            std::ifstream file(entry.path());
            out.append(std::istreambuf_iterator<char>(file), {});
        }
        return out;
    }

  private:
    std::string path_ = ::testing::TempDir() + "ringpost_qlog_" + std::to_string(getpid());
};

std::size_t count_in(std::string_view text, std::string_view part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++count;
    return count;
}

TEST(Qlogs, each_event_is_a_line) {
    const LogDirectory directory;
    const auto log = [&](const std::vector<TraceEvent>& events) {
        auto out = Qlog::open(directory.path(), Qlog::Role::client).value();
        for (const TraceEvent& event : events) EXPECT_TRUE(out->on_event(event));
    };
    using Kind = TraceEvent::Kind;
    log({{.kind = Kind::opened, .connection = 0xab},
         {.kind = Kind::packet_sent, .bytes = 100, .number = 7},
         {.kind = Kind::packet_sent, .probe = true, .bytes = 101, .number = 8},
         {.kind = Kind::packet_received, .bytes = 102, .number = 9},
         {.kind = Kind::packet_dropped, .why = TraceEvent::Drop::foreign, .bytes = 1},
         {.kind = Kind::packet_dropped, .why = TraceEvent::Drop::duplicate, .bytes = 2},
         {.kind = Kind::packet_dropped, .why = TraceEvent::Drop::too_old, .bytes = 3},
         {.kind = Kind::packet_dropped, .why = TraceEvent::Drop::forged, .bytes = 4},
         {.kind = Kind::packet_lost, .number = 10},
         {.kind = Kind::measured},
         {.kind = Kind::closed},
         {.kind = Kind::closed, .outcome = {.by_peer = true}}});
    const std::string text = directory.text("client");
    EXPECT_EQ(count_in(text, "\x1e{"), 13u) << "a header and 12 events";
    EXPECT_EQ(count_in(text, "\n"), 13u);
    for (const char* part :
         {R"("vantage_point":{"type":"client"})", R"("name":"quic:connection_started","group_id":"00000000000000ab")",
          R"("packet_number":7},"raw":{"length":100}})", R"("raw":{"length":101},"trigger":"pto_probe"})",
          R"("name":"quic:packet_received")", R"({"length":1},"trigger":"invalid"})",
          R"({"length":2},"trigger":"duplicate"})", R"({"length":3},"trigger":"rejected"})",
          R"({"length":4},"trigger":"decryption_failure"})", R"("name":"quic:packet_lost")", R"("smoothed_rtt":)",
          R"("initiator":"local")", R"("initiator":"remote")"})
        EXPECT_EQ(count_in(text, part), 1u) << part;
}

TEST(Qlogs, a_long_one_is_written_meanwhile) {
    const LogDirectory directory;
    auto log = Qlog::open(directory.path(), Qlog::Role::server).value();
    for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(log->on_event({.kind = TraceEvent::Kind::packet_lost}));
    EXPECT_GT(directory.text("server").size(), 65'536u);
    log.reset();
    EXPECT_EQ(count_in(directory.text("server"), "packet_lost"), 1'000u);
}

TEST(Qlogs, what_cannot_be_opened_is_named) {
    const auto in_file = Qlog::open("/dev/null/logs", Qlog::Role::client);
    EXPECT_TRUE(in_file.error().text.starts_with("qlog: make the directory /dev/null/logs: "));
    const auto in_system = Qlog::open("/proc/self", Qlog::Role::client);
    EXPECT_TRUE(in_system.error().text.starts_with("qlog: open /proc/self/ringpost_")) << in_system.error().text;
    const Keys keys = Keys::shared(secret_of(1));
    EXPECT_TRUE(listen("127.0.0.1:0", {.keys = keys, .qlog = "/proc/self"}).error().text.starts_with("qlog: "));
    EXPECT_TRUE(connect("127.0.0.1:9", {.keys = keys, .qlog = "/proc/self"}).error().text.starts_with("qlog: "));
}

TEST(Qlogs, a_full_disk_ends_the_log_but_not_the_connection) {
    const LogDirectory directory;
    auto log = Qlog::open(directory.path(), Qlog::Role::server).value();
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const rlimit small{1'000, before.rlim_max};
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    int taken = 0;
    while (taken < 1'000 && log->on_event({.kind = TraceEvent::Kind::packet_lost})) ++taken;
    EXPECT_FALSE(log->on_event({.kind = TraceEvent::Kind::opened}));
    log.reset();
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    EXPECT_LT(taken, 1'000);
    EXPECT_EQ(directory.text("server").size(), 1'000u);
}

TEST_P(NativeFace, both_ends_of_a_connection_are_logged) {
    const LogDirectory directory;
    ListenOptions wanted = listening();
    ConnectOptions asked = connecting();
    wanted.qlog = asked.qlog = directory.path();
    std::thread client_thread;
    {
        auto server = listen(loopback_v4(), wanted).value();
        client_thread = std::thread([&, to = server.local()] {
            auto client = connect(to, asked).value();
            EXPECT_EQ(client.send(0, as_bytes("hello")), SendResult::queued);
            EXPECT_TRUE(client.close(patience).all_delivered);  // its event is not taken
        });
        for (bool open = true; open;) {
            const auto event = server.next(patience);
            ASSERT_TRUE(event.has_value());
            open = event->kind != ConnectionEvent::Kind::closed;
        }
    }
    client_thread.join();
    for (const char* role : {"client", "server"}) {
        const std::string text = directory.text(role);
        EXPECT_EQ(count_in(text, "quic:connection_started"), 1u) << role;
        EXPECT_EQ(count_in(text, "quic:connection_closed"), 1u) << role;
        EXPECT_GE(count_in(text, "quic:packet_sent"), 1u) << role;
    }
}

}  // namespace
}  // namespace ringpost::test
