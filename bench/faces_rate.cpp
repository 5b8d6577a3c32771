// faces_rate c++|c uring|mmsg SECONDS: the rate of 64-byte gtUDP messages between two processes, each confirmed,
// through the C++ or the C interface. Messages are sent and received in batches; both processes spin, each on its own
// core. Prints one JSON object.

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include <ringpost/ringpost.h>
#include <ringpost/gtudp.hpp>
#include "bench/peer.hpp"

namespace {

using namespace ringpost;

constexpr std::size_t message_bytes = 64;
constexpr std::uint32_t batch = 1'024;

class CppFace {
  public:
    explicit CppFace(BackendChoice backend) : messenger_(open(backend)) {}

    std::uint16_t port() const { return messenger_.local().port; }
    /// How many of a batch were taken.
    std::uint32_t send(std::uint16_t port, std::span<const std::byte> bytes) {
        const Address peer = Address::v4(127, 0, 0, 1, port);
        std::uint32_t taken = 0;
        while (taken < batch && messenger_.send(peer, bytes.subspan(taken * message_bytes, message_bytes))) ++taken;
        return taken;
    }
    struct Counts {
        std::uint64_t messages = 0, confirmed = 0;
    };
    Counts poll() {
        counts_ = {};
        messenger_.poll(0, handler_);
        return counts_;
    }

  private:
    static gtudp::Messenger open(BackendChoice backend) {
        gtudp::OpenOptions options{.bind = Address::v4(127, 0, 0, 1, 0)};
        options.engine = {.backend = backend, .wait = WaitMode::spin};
        auto messenger = gtudp::Messenger::open(options);
        if (!messenger) bench::die(messenger.error().text.c_str());
        return std::move(*messenger);
    }

    gtudp::Messenger messenger_;
    Counts counts_;
    gtudp::Messenger::Handler handler_ = [this](const gtudp::Event& event) {
        if (event.kind == gtudp::Event::Kind::outcome)
            counts_.confirmed += event.outcome == gtudp::Outcome::confirmed;
        else
            counts_.messages += event.bytes.size() == message_bytes;
    };
};

class CFace {
  public:
    explicit CFace(BackendChoice backend) : events_(16 * batch), buffer_(16 * batch * message_bytes) {
        rp_gtudp_options options;
        rp_gtudp_init(&options, sizeof options);
        options.engine.backend = static_cast<std::int32_t>(backend);
        options.engine.wait = RP_WAIT_SPIN;
        check(rp_resolve("127.0.0.1", 0, &options.bind));
        check(rp_gtudp_open(&options, &handle_));
    }
    ~CFace() { rp_close(handle_); }
    CFace(const CFace&) = delete;
    CFace& operator=(const CFace&) = delete;

    std::uint16_t port() const {
        rp_address local;
        check(rp_local(handle_, &local));
        return local.port;
    }
    std::uint32_t send(std::uint16_t port, std::span<const std::byte> bytes) {
        rp_address peer;
        if (port != peer_.port) check(rp_resolve("127.0.0.1", port, &peer_));
        peer = peer_;
        const std::int32_t taken =
            rp_send_packed(handle_, &peer, bytes.data(), nullptr, message_bytes, batch, 0, nullptr);
        return taken == RP_EFULL ? 0 : static_cast<std::uint32_t>(check(taken));
    }
    CppFace::Counts poll() {
        const auto count = static_cast<std::uint32_t>(events_.size());
        const std::int32_t taken =
            check(rp_receive_many(handle_, RP_ANY, events_.data(), count, buffer_.data(), buffer_.size(), 0));
        CppFace::Counts counts;
        for (std::int32_t i = 0; i < taken; ++i) {
            const rp_event& event = events_[static_cast<std::size_t>(i)];
            if (event.kind == RP_OUTCOME)
                counts.confirmed += event.code == RP_CONFIRMED;
            else
                counts.messages += event.size == message_bytes;
        }
        return counts;
    }

  private:
    static std::int32_t check(std::int32_t result) {
        if (result < 0) bench::die(rp_last_error());
        return result;
    }

    rp_handle* handle_ = nullptr;
    rp_address peer_{};
    std::vector<rp_event> events_;
    std::vector<std::byte> buffer_;
};

template <class Face>
void measure(BackendChoice backend, double seconds) {
    const auto receive = [&](bench::Shared& shared) {
        Face face(backend);
        shared.port = face.port();
        shared.ready = true;
        while (!shared.stop) shared.received = shared.received + face.poll().messages;
    };
    const auto send = [&](bench::Shared& shared) {
        Face face(backend);
        const auto port = static_cast<std::uint16_t>(shared.port.load());
        const std::array<std::byte, batch * message_bytes> bytes{};
        const std::uint64_t start = bench::now_ns(), end = start + static_cast<std::uint64_t>(seconds * 1e9);
        std::uint64_t sent = 0, confirmed = 0;
        while (bench::now_ns() < end) {
            sent += face.send(port, bytes);
            confirmed += face.poll().confirmed;
        }
        const std::uint64_t give_up = end + 5'000'000'000;
        while (confirmed < sent && bench::now_ns() < give_up) confirmed += face.poll().confirmed;
        if (confirmed < sent || shared.received != sent) bench::die("message count check");
        const double duration_s = static_cast<double>(bench::now_ns() - start) / 1e9;
        std::printf("{\"confirmed\":%" PRIu64 ",\"rate_per_s\":%.0f}\n", confirmed,
                    static_cast<double>(confirmed) / duration_s);
    };
    bench::run_pair(bench::Cores::pinned, receive, send);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) bench::usage("faces_rate c++|c uring|mmsg SECONDS");
    const auto backend = std::string_view(argv[2]) == "uring" ? BackendChoice::uring : BackendChoice::mmsg;
    if (std::string_view(argv[1]) == "c")
        measure<CFace>(backend, std::atof(argv[3]));
    else
        measure<CppFace>(backend, std::atof(argv[3]));
}
