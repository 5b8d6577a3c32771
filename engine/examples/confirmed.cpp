#include <cstdio>

#include <ringpost/confirmed.hpp>

int main() {
    using namespace ringpost;
    confirmed::OpenOptions options{.bind = Address::v4(127, 0, 0, 1, 0)};
    options.protocol.reply = confirmed::Reply::to_source;
    auto messenger = confirmed::Messenger::open(options);
    if (!messenger) return 1;
    const auto answer = messenger->send_and_wait("Hello World", 5 * second, messenger->local());
    const auto message = messenger->query(second);
    if (message) std::puts(message->message.text().c_str());
    return answer && answer->outcome == confirmed::Outcome::confirmed ? 0 : 1;
}
