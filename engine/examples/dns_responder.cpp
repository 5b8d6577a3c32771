// A protocol of one's own on the engine: answers each DNS query (RFC 1035) with the address 192.0.2.1. Replies of one
// size to one client leave as a train. Usage: dns_responder PORT

#include <ringpost/engine.hpp>
#include <ringpost/limits.hpp>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <vector>

using namespace ringpost;
struct Reply {
    Address to;
    LocalPath path;
    std::vector<std::byte> bytes;
};

class Responder {
  public:
    struct Event {};  // none

    void handle(Instant, const Datagram& in) {
        if (in.bytes.size() < 12 || in.bytes.size() > 512 || waiting_.size() == 1'024) return;
        constexpr unsigned char counts[] = {0x81, 0x80, 0, 1, 0,
                                            1,    0,    0, 0, 0};  // a response: one question, one answer
        constexpr unsigned char answer[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};
        Reply& reply = waiting_.emplace_back(in.source, in.path(), std::vector(in.bytes.begin(), in.bytes.end()));
        std::memcpy(&reply.bytes[2], counts, sizeof counts);
        for (const unsigned char byte : answer) reply.bytes.push_back(std::byte{byte});
    }
    std::optional<Transmit> poll_transmit(Instant, std::span<std::byte> out) {
        if (waiting_.empty()) return std::nullopt;
        Transmit train{waiting_.front().to, waiting_.front().path.socket, 0, waiting_.front().bytes.size()};
        train.local = waiting_.front().path.local;
        for (std::size_t segments = 0; segments < limits::train_segments_max && !waiting_.empty(); ++segments) {
            const Reply& next = waiting_.front();
            if (next.to != train.destination || next.path != LocalPath{train.socket, train.local}) break;
            if (next.bytes.size() != train.segment_bytes) break;
            std::memcpy(&out[train.bytes], next.bytes.data(), next.bytes.size());
            train.bytes += next.bytes.size();
            waiting_.pop_front();
        }
        return train;
    }
    void handle_timeout(Instant) {}
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const { return std::nullopt; }

  private:
    std::deque<Reply> waiting_;
};

int main(int count, char** arguments) {
    auto engine = Engine::open({.wait = WaitMode::block});
    const auto port = static_cast<std::uint16_t>(count > 1 ? std::atoi(arguments[1]) : 5353);
    if (!engine || !engine->open_socket({.bind = any_address(port)})) return 1;
    for (Responder responder;;) engine->poll(never, responder, [](Instant, const Responder::Event&) {});
}
