#include <thread>

#include <ringpost/device_handlers.hpp>
using namespace ringpost::devices;

int main() {
    auto sensor = Node::open({.protocol = {.name = "sensor"}, .interfaces = {"lo"}});
    auto panel = Node::open({.protocol = {.name = "panel"}, .interfaces = {"lo"}, .listen = false});
    if (!sensor || !panel) return 1;
    const Handlers handlers{.question = [](const auto& from, const auto& text) { return from + " asked " + text; }};
    const std::jthread answering([&] { dispatch_question(*sensor, handlers, 10 * ringpost::second); });
    while (panel->receive(ringpost::never)->kind != Event::Kind::connected) continue;
    const auto answers = panel->ask_all("temperature");
    return answers && answers->at(0).text == "panel asked temperature" ? 0 : 1;
}
