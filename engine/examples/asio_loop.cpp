// gtUDP in a program that runs on Boost.Asio.

#include <ringpost/gtudp.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdio>

using namespace ringpost;

/// Polls a messenger whenever its descriptor is readable or its deadline is reached.
class Driver {
  public:
    Driver(boost::asio::io_context& io, gtudp::Messenger& messenger, gtudp::Messenger::Handler handler)
        : messenger_(messenger), handler_(std::move(handler)), ready_(io, messenger.fd()), timer_(io) {}
    ~Driver() { ready_.release(); }  // the descriptor belongs to the messenger

    /// Also after a send.
    void run() {
        messenger_.poll(0, handler_);
        ready_.cancel();
        ready_.async_wait(ready_.wait_read, [this](auto error) { error ? void() : run(); });
        const Instant next = messenger_.next_deadline();
        if (next == never) return;
        timer_.expires_after(std::chrono::nanoseconds(next - Clock::now()));
        timer_.async_wait([this](auto error) { error ? void() : run(); });
    }

  private:
    gtudp::Messenger& messenger_;
    gtudp::Messenger::Handler handler_;
    boost::asio::posix::stream_descriptor ready_;
    boost::asio::steady_timer timer_;
};

int main() {
    auto messenger = gtudp::Messenger::open({.bind = Address::v4(127, 0, 0, 1, 0)});
    if (!messenger) return 1;
    boost::asio::io_context io;
    Driver driver(io, *messenger, [&](const gtudp::Event& event) {
        if (event.kind == gtudp::Event::Kind::message) std::puts(std::string(as_text(event.bytes)).c_str());
        if (event.kind == gtudp::Event::Kind::outcome) io.stop();
    });
    if (!messenger->send(messenger->local(), as_bytes("through Asio"))) return 1;
    driver.run();
    io.run();
    return messenger->counters().confirmed == 1 ? 0 : 1;
}
