#include "apps/cli/options.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

#include "codec/base/limits.hpp"
#include "codec/traffic/frame.hpp"
#include "engine/os/address.hpp"
#include "engine/udp/socket.hpp"

namespace ringpost::apps {
namespace {

struct Quantity {
    double number;
    std::string unit;
};

Quantity split_quantity(const std::string& text) {
    double number = 0;
    // from_chars accepts a minus sign, inf and nan. An exponent and 0x end up in the unit, which no caller accepts.
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc{} || std::signbit(number) || !std::isfinite(number))
        throw std::invalid_argument("expected a number");
    return {number, end};
}

template <class T>
std::string joined(const std::map<std::string, T>& values, const char* separator) {
    std::string names;
    for (const auto& value : values) names += (names.empty() ? "" : separator) + value.first;
    return names;
}

}  // namespace

void add_json(CLI::App& command, Report::Form& form) {
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
                        throw CLI::ValidationError(fmt::format("{} {}: one of {}", name, text, joined(values, ", ")));
                    target = found->second;
                },
                help)
            ->type_name(joined(values, "|"));
    };
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

std::uint64_t parse_size(const std::string& text) {
    const auto [number, unit] = split_quantity(text);
    const double factor = unit.empty() ? 1 : unit == "k" || unit == "K" ? 1024 : unit == "M" ? 1048576 : 0;
    if (factor == 0) throw std::invalid_argument("expected bytes such as 64, 1400 or 64k");
    const double bytes = number * factor;
    if (bytes != std::floor(bytes) || bytes > 1e15) throw std::invalid_argument("expected whole bytes");
    return static_cast<std::uint64_t>(bytes);
}

namespace {

std::uint64_t parse_whole(const std::string& text, std::uint64_t least, std::uint64_t most) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool canonical = text.size() == 1 || (!text.empty() && text[0] != '0');
    if (error != std::errc{} || end != text.data() + text.size() || !canonical || number < least || number > most)
        throw std::invalid_argument(fmt::format("expected a whole number from {} to {}", least, most));
    return number;
}

}  // namespace

std::uint16_t parse_port(const std::string& text) { return static_cast<std::uint16_t>(parse_whole(text, 0, 65'535)); }

std::uint32_t parse_flows(const std::string& text) {
    return static_cast<std::uint32_t>(parse_whole(text, 1, limits::load_flows_max));
}

std::uint32_t parse_probe_window(const std::string& text) {
    return static_cast<std::uint32_t>(parse_whole(text, 1, limits::probes_in_flight_max));
}

traffic::Arrivals parse_arrivals(const std::string& text) {
    if (text == "fixed") return traffic::Arrivals::fixed;
    if (text == "poisson") return traffic::Arrivals::poisson;
    throw std::invalid_argument("expected fixed or poisson");
}

std::uint64_t parse_seed(const std::string& text) { return parse_whole(text, 0, UINT64_MAX); }

std::uint64_t parse_datagram_size(const std::string& text) {
    const std::uint64_t bytes = parse_size(text);
    if (bytes < 1 || bytes > limits::datagram_bytes_max)
        throw std::invalid_argument(fmt::format("a datagram carries 1 to {} bytes", limits::datagram_bytes_max));
    return bytes;
}

std::uint64_t parse_count(const std::string& text) {
    std::uint64_t count = 0;
    const char* const text_end = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), text_end, count);
    if (error != std::errc{} || end != text_end || count == 0) throw std::invalid_argument("expected 1 or more");
    return count;
}

double parse_rate(const std::string& text) { return text == "max" ? 0 : parse_fixed_rate(text); }

double parse_fixed_rate(const std::string& text) {
    const auto [number, unit] = split_quantity(text);
    const double factor = unit.empty() ? 1 : unit == "k" || unit == "K" ? 1e3 : unit == "M" ? 1e6 : 0;
    if (factor == 0) throw std::invalid_argument("expected a rate per second such as 100k or 2.5M");
    const double rate = number * factor;
    if (rate < 1e-3 || rate > 1e9) throw std::invalid_argument("the rate must be 0.001 to 1000M per second");
    return rate;
}

double parse_chance(const std::string& text) {
    const auto [number, unit] = split_quantity(text);
    if (unit != "%" || number > 100) throw std::invalid_argument("expected a share from 0% to 100%, such as 0.1%");
    return number / 100;
}

std::uint64_t parse_bit_rate(const std::string& text) {
    static const std::map<std::string, double> units{{"bit", 1}, {"kbit", 1e3}, {"Mbit", 1e6}, {"Gbit", 1e9}};
    const auto [number, unit] = split_quantity(text);
    const auto found = units.find(unit);
    if (found == units.end()) throw std::invalid_argument("expected bits per second such as 64kbit, 100Mbit or 1Gbit");
    const double bits = number * found->second;
    if (bits < 1 || bits > 1e12) throw std::invalid_argument("the rate must be 1bit to 1000Gbit per second");
    return static_cast<std::uint64_t>(bits);
}

Duration parse_duration(const std::string& text) {
    static const std::map<std::string, double> units{{"ns", 1},  {"us", 1e3}, {"ms", 1e6},
                                                     {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    const auto [number, unit] = split_quantity(text);
    const auto found = units.find(unit);
    if (found == units.end()) throw std::invalid_argument("expected a time such as 250us, 20ms, 2s or 1m");
    const double ns = number * found->second;
    if (ns < 1 || ns > 1e18) throw std::invalid_argument("the time must be 1ns to 30 years");
    return static_cast<Duration>(ns);
}

const char* value_name(Duration (*)(const std::string&)) { return "TIME"; }
const char* value_name(std::uint16_t (*)(const std::string&)) { return "PORT"; }
const char* value_name(std::uint32_t (*)(const std::string&)) { return "N"; }
const char* value_name(std::uint64_t (*parse)(const std::string&)) {
    return parse == parse_size || parse == parse_datagram_size ? "BYTES" : parse == parse_bit_rate ? "BITRATE" : "N";
}
const char* value_name(double (*parse)(const std::string&)) { return parse == parse_chance ? "PERCENT" : "RATE"; }

Address bind_address(const std::string& text, std::uint16_t port) {
    if (text.empty()) return any_address(port);
    const auto address = resolve(text, port);
    if (!address) throw Failure(Exit::unreachable, "--bind " + address.error().text);
    return *address;
}

Address peer_address(const std::string& option, const std::string& text, std::uint16_t default_port) {
    const bool bracketed = text.starts_with('[') && text.ends_with(']');
    const bool with_port = !bracketed && (text.starts_with('[') || std::ranges::count(text, ':') == 1);
    const auto address = default_port == 0 || with_port
                             ? resolve_host_port(text)
                             : resolve(bracketed ? text.substr(1, text.size() - 2) : text, default_port);
    if (address) return *address;
    const bool malformed = address.error().code == EINVAL;
    throw Failure(malformed ? Exit::usage : Exit::unreachable, option + " " + address.error().text);
}

Address target_address(const std::string& text, std::uint16_t default_port) {
    return peer_address("--to", text, default_port);
}

std::expected<std::string, std::string> contents_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::unexpected(std::strerror(errno));
    try {
        return std::string{std::istreambuf_iterator<char>(file), {}};
    } catch (const std::ios_base::failure& error) {  // e.g. a directory
        return std::unexpected(error.code().message());
    }
}

void check_target_network(const Address& target, ForeignTargets foreign) {
    if (foreign == ForeignTargets::allowed || is_private_network(target)) return;
    throw Failure(Exit::usage, fmt::format("--to {}: neither loopback, private nor link-local; give "
                                           "--i-own-this-network if it is yours to load",
                                           to_text(target)));
}

}  // namespace ringpost::apps
