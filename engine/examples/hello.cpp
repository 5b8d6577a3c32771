#include <cstdio>
#include <string>

#include <ringpost/connection.hpp>

int main() {
    using namespace ringpost;
    auto client = connect("127.0.0.1:7000", {.keys = Keys::shared("cluster.psk")});
    if (!client) return std::puts(client.error().text.c_str()), 1;
    client->send(0, as_bytes("hello"));
    while (auto messages = client->receive(1 * second))
        for (const Message& message : *messages) std::puts(std::string(as_text(message.bytes)).c_str());
    return client->close(2 * second).all_delivered ? 0 : 1;
}
