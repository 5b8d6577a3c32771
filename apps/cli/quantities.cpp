// A quantity is decimal digits with at most one point, and a unit. Whole numbers are exact: a factor of ten moves the
// point in the text, and what remains is read as an integer.

#include "apps/cli/quantities.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "codec/base/limits.hpp"

namespace ringpost::apps {
namespace {

[[noreturn]] void refuse_number(const std::string& why) { throw std::invalid_argument(why); }

struct Quantity {
    std::string digits;
    std::string unit;
};

struct UnitName {
    std::string_view name;
    double factor;
};

constexpr UnitName decimal_units[] = {{"", 1}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}};
constexpr UnitName binary_units[] = {{"", 1}, {"k", 0x1p10}, {"K", 0x1p10}, {"M", 0x1p20}, {"G", 0x1p30}};
constexpr UnitName time_units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
constexpr UnitName bit_units[] = {{"bit", 1}, {"kbit", 1e3}, {"Mbit", 1e6}, {"Gbit", 1e9}};

constexpr std::string_view digit_characters = "0123456789";

/// `e6`, `E-3`
bool is_exponent(std::string_view unit) {
    if (unit.size() < 2 || (unit[0] != 'e' && unit[0] != 'E')) return false;
    unit.remove_prefix(unit[1] == '+' || unit[1] == '-' ? 2 : 1);
    return !unit.empty() && unit.find_first_not_of(digit_characters) == std::string_view::npos;
}

/// Splits `text`; `expected` describes valid values.
Quantity split_quantity(const std::string& text, const char* expected) {
    const auto refuse = [&](const char* why) { refuse_number(fmt::format("{}; expected {}", why, expected)); };
    if (text.empty()) refuse("is empty");
    if (text.find_first_of(" \t\r\n\v\f") != std::string::npos) refuse("has a space in it");
    if (text[0] == '-') refuse("is negative");
    if (text.starts_with("0x") || text.starts_with("0X")) refuse("is hexadecimal");
    const std::size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
    Quantity out{text.substr(0, end), text.substr(end)};
    const bool number =
        out.digits.find_first_of(digit_characters) != std::string::npos && std::ranges::count(out.digits, '.') <= 1;
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    if (!number || (!out.unit.empty() && out.unit != "%" && !is_letter(out.unit[0]))) refuse("is not a number");
    if (is_exponent(out.unit)) refuse("has an exponent");
    return out;
}

double factor_of(const Quantity& quantity, std::span<const UnitName> units, const char* expected) {
    const auto found = std::ranges::find(units, quantity.unit, &UnitName::name);
    if (found != units.end()) return found->factor;
    refuse_number(quantity.unit.empty() ? fmt::format("has no unit; expected {}", expected)
                                        : fmt::format("has an unknown unit; expected {}", expected));
}

/// Infinite if it is too large for a double.
double real_number(const std::string& digits) {
    double number = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number, std::chars_format::fixed);
    if (error == std::errc{}) return number;
    const std::string_view whole = std::string_view(digits).substr(0, digits.find('.'));
    return whole.find_first_not_of('0') == std::string_view::npos ? 0 : std::numeric_limits<double>::infinity();
}

/// n of 10^n.
std::size_t places_of(double factor) { return static_cast<std::size_t>(std::lround(std::log10(factor))); }

struct ScaledDigits {
    std::string whole, fraction;
};

/// The digits of the number times 10^places.
ScaledDigits scaled(const std::string& digits, std::size_t places) {
    const std::size_t point = std::min(digits.find('.'), digits.size());
    std::string fraction = digits.substr(std::min(point + 1, digits.size()));
    fraction.resize(std::max(fraction.size(), places), '0');
    return {"0" + digits.substr(0, point) + fraction.substr(0, places), fraction.substr(places)};
}

constexpr const char* expected_whole = "a whole number such as 10, 5k or 2M";
constexpr const char* expected_bytes = "bytes such as 64, 1400 or 8k";
constexpr const char* expected_rate = "a rate per second such as 0.5, 100k or 2.5M";
constexpr const char* expected_share = "a share such as 0.1% or 5%";
constexpr const char* expected_bits = "bits per second such as 64kbit, 100Mbit or 1Gbit";
constexpr const char* expected_time = "a time such as 250us, 20ms, 2s or 1m";

double parse_real(const std::string& text, std::span<const UnitName> units, const char* expected) {
    const Quantity quantity = split_quantity(text, expected);
    const double factor = factor_of(quantity, units, expected);
    return real_number(quantity.digits) * factor;
}

double rate_within_limits(double rate) {
    if (rate < 1e-3) refuse_number("is less than 0.001 per second");
    if (rate > 1e9) refuse_number("is more than 1G per second");
    return rate;
}

Duration duration_within_limits(double ns) {
    if (ns < 1) refuse_number("is less than 1ns");
    if (ns > 1e18) refuse_number("is more than 30 years");
    return static_cast<Duration>(ns);
}

bool is_zero(std::string_view text) {
    return text.find('0') != std::string_view::npos && text.find_first_not_of("0.") == std::string_view::npos &&
           std::ranges::count(text, '.') <= 1;
}

}  // namespace

std::uint64_t parse_whole(const std::string& text, std::uint64_t least, std::uint64_t most) {
    const Quantity quantity = split_quantity(text, expected_whole);
    const double factor = factor_of(quantity, decimal_units, expected_whole);
    const ScaledDigits digits = scaled(quantity.digits, places_of(factor));
    if (digits.fraction.find_first_not_of('0') != std::string::npos)
        refuse_number(fmt::format("is not whole; expected {}", expected_whole));
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(digits.whole.data(), digits.whole.data() + digits.whole.size(), number);
    if (error != std::errc{} || number > most) refuse_number(fmt::format("is larger than {}", most));
    if (number < least)
        refuse_number(most == UINT64_MAX ? fmt::format("must be at least {}", least)
                                         : fmt::format("must be {} to {}", least, most));
    return number;
}

std::uint64_t parse_count(const std::string& text) { return parse_whole(text, 1, UINT64_MAX); }

std::uint32_t parse_flows(const std::string& text) {
    return static_cast<std::uint32_t>(parse_whole(text, 1, limits::load_flows_max));
}

std::uint32_t parse_probe_window(const std::string& text) {
    return static_cast<std::uint32_t>(parse_whole(text, 1, limits::probes_in_flight_max));
}

std::uint64_t parse_seed(const std::string& text) { return parse_whole(text, 0, UINT64_MAX); }

std::uint16_t parse_port(const std::string& text) {
    if (text.empty() || text.find_first_not_of(digit_characters) != std::string::npos)
        refuse_number("is not a port; expected 0 to 65535");
    return static_cast<std::uint16_t>(parse_whole(text, 0, 65'535));
}

std::uint64_t parse_datagram_size(const std::string& text) {
    const double bytes = parse_real(text, binary_units, expected_bytes);
    if (bytes < 1) refuse_number("a datagram carries at least 1 byte");
    if (bytes > limits::datagram_bytes_max)
        refuse_number(fmt::format("a datagram carries at most {} bytes", limits::datagram_bytes_max));
    if (bytes != std::floor(bytes)) refuse_number("is not a whole number of bytes");
    return static_cast<std::uint64_t>(bytes);
}

std::uint64_t parse_byte_count(const std::string& text) {
    const double bytes = parse_real(text, binary_units, expected_bytes);
    if (bytes < 1) refuse_number("is less than 1 byte");
    if (bytes != std::floor(bytes) || bytes > 0x1p62) refuse_number("is not a whole number of bytes");
    return static_cast<std::uint64_t>(bytes);
}

double parse_rate(const std::string& text) { return text == "max" ? 0 : parse_fixed_rate(text); }

double parse_fixed_rate(const std::string& text) {
    return rate_within_limits(parse_real(text, decimal_units, expected_rate));
}

double parse_rate_or_zero(const std::string& text) {
    const double rate = parse_real(text, decimal_units, expected_rate);
    return rate == 0 ? 0 : rate_within_limits(rate);
}

double parse_chance(const std::string& text) {
    constexpr UnitName percent[] = {{"%", 1}};
    const double share = parse_real(text, percent, expected_share);
    if (share > 100) refuse_number("is more than 100%");
    return share / 100;
}

std::uint64_t parse_bit_rate(const std::string& text) {
    const double bits = parse_real(text, bit_units, expected_bits);
    if (bits < 1) refuse_number("is less than 1bit per second");
    if (bits > 1e12) refuse_number("is more than 1000Gbit per second");
    return static_cast<std::uint64_t>(bits);
}

Duration parse_duration(const std::string& text) {
    return duration_within_limits(parse_real(text, time_units, expected_time));
}

Duration parse_duration_or_zero(const std::string& text) {
    if (is_zero(text)) return 0;
    const double ns = parse_real(text, time_units, expected_time);
    return ns == 0 ? 0 : duration_within_limits(ns);
}

}  // namespace ringpost::apps
