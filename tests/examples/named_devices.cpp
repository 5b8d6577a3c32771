#include <thread>

#include <ringpost/node_handlers.hpp>
using namespace ringpost::devices;

int main() {
    auto house = Node::open({.protocol = fresh_options("house"), .interfaces = {"lo"}});
    auto door = Node::open({.protocol = fresh_options("door"), .interfaces = {"lo"}, .listen = false});
    if (!house || !door) return 1;
    const Handlers handlers{.question = [](const auto& from, const auto& text) { return from + " asks " + text; }};
    const std::jthread answering([&] { serve_question(*house, handlers, 10 * ringpost::second); });
    while (door->receive(ringpost::never)->kind != Event::Kind::connected) continue;
    const auto answers = door->ask_all("who is there?");
    return answers && answers->at(0).text == "door asks who is there?" ? 0 : 1;
}
