#include "apps/cli/options.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <map>

#include "engine/os/address.hpp"
#include "engine/udp/socket.hpp"
#include "engine/udp/socket_errors.hpp"

namespace ringpost::apps {
namespace {

template <class T>
std::string joined(const std::map<std::string, T>& values, const char* separator) {
    std::string names;
    for (const auto& value : values) names += (names.empty() ? "" : separator) + value.first;
    return names;
}

}  // namespace

void add_json(CLI::App& command, Report::Form& form) {
    begin_group(command, "Output");
    command.add_flag_callback(
        "--json", [&form] { form = Report::Form::json; },
        "write one JSON object per event to standard output (default text)");
}

void add_common(CLI::App& command, CommonOptions& options, CommonChoice choice) {
    static const std::map<std::string, BackendChoice> backends{
        {"auto", BackendChoice::automatic}, {"uring", BackendChoice::uring}, {"mmsg", BackendChoice::mmsg}};
    static const std::map<std::string, WaitMode> waits{
        {"block", WaitMode::block}, {"spin", WaitMode::spin}, {"adaptive", WaitMode::adaptive}};
    static const std::map<std::string, bool> switches{{"auto", true}, {"off", false}};
    const auto choose = [&]<class T>(const std::string& name, T& target, const std::map<std::string, T>& values,
                                     const std::string& help) {
        command
            .add_option_function<std::string>(
                name,
                [&target, &values, name](const std::string& text) {
                    const auto found = values.find(text);
                    if (found == values.end())
                        throw CLI::ValidationError(
                            fmt::format("{} {}: one of {}", name, shown_value(text), joined(values, ", ")));
                    target = found->second;
                },
                help)
            ->type_name(joined(values, "|"));
    };
    begin_group(command, "Engine");
    choose("--backend", options.engine.backend, backends, "I/O backend (default auto)");
    if (choice.wait) {
        const auto chosen = std::ranges::find(waits, options.engine.wait, [](const auto& wait) { return wait.second; });
        choose("--wait", options.engine.wait, waits, fmt::format("how to wait for events (default {})", chosen->first));
    }
    if (choice.offload) {
        choose("--gso", options.engine.gso, switches, "UDP segmentation offload of sent datagrams (default auto)");
        choose("--gro", options.gro, switches, "UDP receive offload (default auto)");
    }
    add_json(command, options.form);
}

traffic::Arrivals parse_arrivals(const std::string& text) {
    if (text == "fixed") return traffic::Arrivals::fixed;
    if (text == "poisson") return traffic::Arrivals::poisson;
    throw std::invalid_argument("expected fixed or poisson");
}

const char* value_name(Duration (*)(const std::string&)) { return "TIME"; }
const char* value_name(std::uint16_t (*)(const std::string&)) { return "PORT"; }
const char* value_name(std::uint32_t (*)(const std::string&)) { return "N"; }
const char* value_name(std::uint64_t (*parse)(const std::string&)) {
    return parse == parse_datagram_size ? "SIZE" : parse == parse_bit_rate ? "BITRATE" : "N";
}
const char* value_name(double (*parse)(const std::string&)) { return parse == parse_chance ? "PERCENT" : "RATE"; }

void begin_group(CLI::App& command, const char* group) { command.option_defaults()->group(group); }

std::string shown_value(const std::string& text) {
    constexpr std::size_t shown_max = 60;
    const std::string cut = printable(text.size() <= shown_max ? text : text.substr(0, shown_max) + "...");
    return cut.empty() || cut.find(' ') != std::string::npos ? '"' + cut + '"' : cut;
}

namespace {

/// Throws unless there is an address.
Address address_or_fail(const std::string& option, const Result<Address>& address) {
    if (address) return *address;
    const bool malformed = address.error().code == EINVAL || address.error().code == ENODEV;
    throw Failure(malformed ? Exit::usage : Exit::unreachable, option + " " + address.error().text);
}

/// This host has no address of the target's family.
bool is_family_off(int error) { return error == EADDRNOTAVAIL || error == EAFNOSUPPORT; }

[[noreturn]] void fail_without_route(const std::string& option, const Address& target, int error) {
    throw Failure(Exit::unreachable,
                  fmt::format("{} {}: {}{}", option, to_text(target), std::strerror(error),
                              is_family_off(error) && target.family == Family::v6 ? "; is IPv6 off?" : ""));
}

/// The address, unless its family is off: no wait and no other option would help.
Address usable(const std::string& option, const Address& target) {
    if (const auto source = source_address_toward(target); !source && is_family_off(source.error().code))
        fail_without_route(option, target, source.error().code);
    return target;
}

bool is_bracketed(const std::string& text) { return text.starts_with('[') && text.ends_with(']'); }

}  // namespace

Address bind_address(const std::string& text, std::uint16_t port) {
    if (text.empty()) return any_address(port);
    const bool with_port = !is_bracketed(text) && (text.starts_with('[') || std::ranges::count(text, ':') == 1);
    if (with_port)
        throw Failure(Exit::usage, fmt::format("--bind {}: expected an address without a port", shown_value(text)));
    const std::string host = is_bracketed(text) ? text.substr(1, text.size() - 2) : text;
    const Address address = address_or_fail("--bind", resolve(host, port));
    if (needs_interface(address))
        throw Failure(Exit::usage,
                      fmt::format("--bind {}: a link-local group needs its interface: {}%eth0", host, host));
    return address;
}

Address host_address(const std::string& option, const std::string& text) {
    return address_or_fail(option, resolve(text, 0));
}

Address peer_address(const std::string& option, const std::string& text, std::uint16_t default_port, Family family) {
    const bool with_port = !is_bracketed(text) && (text.starts_with('[') || std::ranges::count(text, ':') == 1);
    if (default_port == 0 || with_port) return usable(option, address_or_fail(option, resolve_host_port(text, family)));
    const std::string host = is_bracketed(text) ? text.substr(1, text.size() - 2) : text;
    return usable(option, address_or_fail(option, resolve(host, default_port, family)));
}

Address target_address(const std::string& text, std::uint16_t default_port, Family family) {
    return peer_address("--to", text, default_port, family);
}

void check_route(const std::string& option, const Address& target) {
    if (const auto source = source_address_toward(target); !source && is_unreachable(source.error().code))
        fail_without_route(option, target, source.error().code);
}

void check_target_network(const Address& target, ForeignTargets foreign) {
    if (foreign == ForeignTargets::allowed || is_private_network(target)) return;
    throw Failure(Exit::usage, fmt::format("--to {}: neither loopback, private nor link-local; give "
                                           "--i-own-this-network if it is yours to load",
                                           to_text(target)));
}

}  // namespace ringpost::apps
