// Compares an echo endpoint with a deque: each reply must equal the front of the deque. A step is a byte; its lowest
// two bits select the operation:
//     0  one poll_transmit
//     1  a request with as many bytes as the upper four bits, from one of four sources
//     2  a request of up to 65,535 bytes (two bytes of length), from one of four sources
//     3  a run of equal requests, up to 256
// There are up to 400 requests, of a little more than the queue holds.

#include <deque>

#include "codec/echo/endpoint.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::echo_endpoint {

namespace {

struct Request {
    Address source;
    SocketIndex socket;
    Bytes bytes;
};

class Play {
  public:
    void run(Script script) {
        while (!script.over()) {
            const std::uint8_t step = script.u8();
            const unsigned who = step >> 2 & 3;
            switch (step & 3) {
                case 0: poll(); break;
                case 1: request(who, step >> 4); break;
                case 2: request(who, script.u16()); break;
                default:
                    for (int count = script.u8(); count >= 0; --count) request(who, step >> 4);
            }
        }
        while (poll()) continue;
        RINGPOST_CHECK(expected_.empty());
        const echo::EchoCounters& counts = echo_.counters();
        RINGPOST_CHECK(counts.received == received_);
        RINGPOST_CHECK(counts.received == counts.sent + counts.refused + counts.queue_full);
    }

  private:
    void request(unsigned who, std::size_t size) {
        if (received_ == 400 || bytes_ > limits::echo_queue_bytes) return;
        bytes_ += size;
        // 0: an echo port; 1 and 2: one host on two sockets; 3: another host.
        const Request request{Address::v4(10, 0, 0, who == 3 ? 2 : 1, who == 0 ? 7 : 1'000), who == 2 ? 1u : 0u,
                              Bytes(size, static_cast<std::byte>(received_))};
        const std::uint64_t turned_away = echo_.counters().refused + echo_.counters().queue_full;
        echo_.handle(0, {request.source, request.socket, request.bytes});
        ++received_;
        const bool taken = echo_.counters().refused + echo_.counters().queue_full == turned_away;
        RINGPOST_CHECK(!taken || (who != 0 && size <= limits::datagram_bytes_max));
        if (taken) expected_.push_back(request);
    }

    bool poll() {
        const auto transmit = echo_.poll_transmit(0, out_);
        if (!transmit) return false;
        fuzz::check_transmit(*transmit);
        const std::size_t count = segment_count(transmit->bytes, transmit->segment_bytes);
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t from = i * transmit->segment_bytes;
            const std::size_t until = std::min(from + transmit->segment_bytes, transmit->bytes);
            RINGPOST_CHECK(!expected_.empty());
            const Request& request = expected_.front();
            RINGPOST_CHECK(transmit->destination == request.source && transmit->socket == request.socket);
            RINGPOST_CHECK(fuzz::same_bytes(std::span(out_).subspan(from, until - from), request.bytes));
            expected_.pop_front();
        }
        return true;
    }

    echo::Endpoint echo_;
    std::deque<Request> expected_;
    Bytes out_ = Bytes(limits::datagram_bytes_max);
    std::uint64_t received_ = 0;
    std::size_t bytes_ = 0;  ///< of all requests
};

int run(const std::uint8_t* data, std::size_t size) {
    Play().run(Script(data, size, 512));
    return 0;
}

const Target registered("echo/endpoint", run);

}  // namespace
}  // namespace ringpost::fuzz::echo_endpoint
