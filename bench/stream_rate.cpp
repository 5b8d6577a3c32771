// The throughput of one TCP stream over loopback, and that of a plain loop of blocking send and recv.
//
//   stream_rate plain|uring|mmsg WRITE_BYTES SECONDS
//
// Numbered 64-byte messages fill writes of WRITE_BYTES; the receiver checks the numbers. Two processes, pinned to two
// cores. Prints one JSON object.

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "bench/peer.hpp"
#include "codec/base/limits.hpp"
#include "engine/loop/loop.hpp"
#include "engine/mmsg/mmsg_backend.hpp"
#include "engine/os/clock.hpp"
#include "engine/uring/uring_backend.hpp"

namespace bench {
namespace {

using namespace ringpost;

constexpr std::size_t message_bytes = 64;

/// Fills buffers with messages and checks received ones, also those split across reads.
class Messages {
  public:
    void fill(std::span<std::byte> out) {
        for (std::size_t at = 0; at < out.size(); at += message_bytes) put_sequence(&out[at], next_++);
    }
    void check(std::span<const std::byte> in) {
        while (!in.empty()) {
            if (held_ == 0 && in.size() >= message_bytes) {
                check_sequence(in.data(), next_++);
                in = in.subspan(message_bytes);
                continue;
            }
            const std::size_t size = std::min(message_bytes - held_, in.size());
            std::memcpy(&part_[held_], in.data(), size);
            in = in.subspan(size);
            held_ += size;
            if (held_ < message_bytes) return;
            check_sequence(part_, next_++);
            held_ = 0;
        }
    }

  private:
    std::uint64_t next_ = 0;
    std::byte part_[message_bytes];
    std::size_t held_ = 0;
};

// ---- the reference ----------------------------------------------------------------------------------

void plain_sink(StreamListener listener, Shared& shared) {
    pin(1);
    fcntl(listener.fd(), F_SETFL, 0);  // blocking
    const int fd = ::accept(listener.fd(), nullptr, nullptr);
    Messages messages;
    std::vector<std::byte> buffer(65'536);
    for (ssize_t got = 0; (got = ::recv(fd, buffer.data(), buffer.size(), 0)) > 0;) {
        messages.check(std::span(buffer).first(static_cast<std::size_t>(got)));
        shared.received += static_cast<std::uint64_t>(got);
    }
}

void plain_source(const Address& to, std::size_t write_bytes, Instant end, Shared&) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SocketAddress address;
    const socklen_t length = to_socket_address(to, Family::v4, address);
    if (::connect(fd, &address.any, length) != 0) die("connect");
    Messages messages;
    std::vector<std::byte> buffer(write_bytes);
    while (now() < end) {
        messages.fill(buffer);
        for (std::size_t at = 0; at < write_bytes;) {
            const ssize_t sent = ::send(fd, &buffer[at], write_bytes - at, 0);
            if (sent < 0) die("send");
            at += static_cast<std::size_t>(sent);
        }
    }
    ::close(fd);
}

// ---- ringpost -------------------------------------------------------------------------------------------

struct Endpoint {
    struct Event {};
    Shared& shared;
    std::size_t write_bytes = 0;
    Address to{};
    Messages messages{};
    bool asked = to.family == Family::none, may_write = false, closed = false;

    std::optional<StreamIndex> accept(Instant, const Address&) { return 0; }
    void handle(Instant, const Datagram&) {}
    void handle(Instant, const StreamInput& in) {
        switch (in.kind) {
            case StreamInput::Kind::bytes:
                messages.check(in.bytes);
                shared.received += in.bytes.size();
                break;
            case StreamInput::Kind::connected:
            case StreamInput::Kind::written: may_write = true; break;
            case StreamInput::Kind::closed: closed = true; break;
        }
    }
    void handle_timeout(Instant) {}
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Transmit> poll_transmit(Instant, std::span<std::byte>) { return std::nullopt; }
    std::optional<StreamRequest> poll_stream(Instant, std::span<std::byte> out) {
        StreamRequest request;
        if (!std::exchange(asked, true)) {
            request.kind = StreamRequest::Kind::connect;
            request.peer = to;
            return request;
        }
        if (!std::exchange(may_write, false)) return std::nullopt;
        messages.fill(out.first(write_bytes));
        request.bytes = write_bytes;
        return request;
    }
    std::optional<Instant> poll_timeout() const { return std::nullopt; }
};

template <class Backend>
struct Until {
    Loop<Backend>& loop;
    std::function<bool(Instant)> done;
    void on_event(Instant, const Endpoint::Event&) {}
    Instant on_turn(Instant at) {
        if (done(at)) loop.stop();
        return at + 10 * millisecond;
    }
};

template <class Backend>
void sink(StreamListener listener, Shared& shared) {
    pin(1);
    Loop<Backend> loop(Backend::open({}).value(), WaitMode::adaptive);
    if (!loop.backend().listen(std::move(listener))) die("listen");
    Endpoint endpoint{shared};
    Until<Backend> application{loop, [&](Instant) { return endpoint.closed; }};
    loop.run(endpoint, application);
}

template <class Backend>
void source(const Address& to, std::size_t write_bytes, Instant end, Shared& shared) {
    Loop<Backend> loop(Backend::open({}).value(), WaitMode::adaptive);
    Endpoint endpoint{shared, write_bytes, to};
    Until<Backend> application{loop, [&](Instant at) { return at >= end || endpoint.closed; }};
    loop.run(endpoint, application);
}

// ---- two processes ----------------------------------------------------------------------------------

struct Contestant {
    const char* name;
    void (*sink)(StreamListener, Shared&);
    void (*source)(const Address&, std::size_t, Instant, Shared&);
};

void run(const Contestant& contestant, std::size_t write_bytes, double seconds) {
    auto& shared =
        *static_cast<Shared*>(mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    auto listener = StreamListener::open(Address::v4(127, 0, 0, 1, 0));
    if (!listener) die("listen");
    const Address to = listener->local();
    const pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        contestant.sink(std::move(*listener), shared);
        _exit(0);
    }
    {
        const StreamListener closed_here = std::move(*listener);  // only the sink accepts
    }
    pin(0);
    const Instant start = now();
    contestant.source(to, write_bytes, start + static_cast<Instant>(seconds * 1e9), shared);
    int status = 0;
    waitpid(child, &status, 0);  // the sink ends at the end of the stream
    if (status != 0) die("sink");
    const double rate = static_cast<double>(shared.received) / (static_cast<double>(now() - start) / 1e9);
    std::printf("{\"contestant\":\"%s\",\"write_bytes\":%zu,\"bytes_per_s\":%.0f,\"messages_per_s\":%.0f}\n",
                contestant.name, write_bytes, rate, rate / message_bytes);
}

}  // namespace
}  // namespace bench

int main(int count, char** arguments) {
    using namespace bench;
    const Contestant contestants[] = {{"plain", plain_sink, plain_source},
                                      {"uring", sink<UringBackend>, source<UringBackend>},
                                      {"mmsg", sink<MmsgBackend>, source<MmsgBackend>}};
    if (count != 4) usage("stream_rate plain|uring|mmsg WRITE_BYTES SECONDS");
    const std::size_t write_bytes = std::strtoul(arguments[2], nullptr, 10);
    if (write_bytes < message_bytes || write_bytes > limits::stream_write_bytes_max || write_bytes % message_bytes != 0)
        usage("stream_rate plain|uring|mmsg WRITE_BYTES SECONDS, WRITE_BYTES a multiple of 64 up to 262144");
    for (const Contestant& each : contestants)
        if (std::strcmp(arguments[1], each.name) == 0) run(each, write_bytes, std::strtod(arguments[3], nullptr));
}
