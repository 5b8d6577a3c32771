#include "apps/measuring/arrivals.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include "apps/cli/random.hpp"

namespace ringpost::apps {
namespace {

std::uint32_t parse_burst(const std::string& text) {
    const std::uint64_t burst = parse_count(text);
    if (burst > 1'000'000) throw std::invalid_argument("expected 1 to 1000000");
    return static_cast<std::uint32_t>(burst);
}

std::string trimmed(const std::string& text) {
    const std::size_t first = text.find_first_not_of(" \t\r");
    return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// A line `TIME,RATE`; a time without a unit is in seconds.
traffic::RatePoint parse_point(const std::string& line) {
    const std::size_t comma = line.find(',');
    if (comma == std::string::npos) throw std::invalid_argument("expected TIME,RATE");
    std::string time = trimmed(line.substr(0, comma));
    const std::string rate = trimmed(line.substr(comma + 1));
    if (!time.empty() && time.find_first_not_of("0123456789.") == std::string::npos) time += "s";
    const bool zero = time.find_first_not_of("0.s") == std::string::npos && time.starts_with('0');
    return {.at = zero ? 0 : parse_duration(time), .rate_per_s = rate == "0" ? 0 : parse_fixed_rate(rate)};
}

traffic::RateProfile read_profile(const std::string& path) {
    const auto refuse = [&](const std::string& why) { throw CLI::ValidationError("--profile " + path + ": " + why); };
    std::ifstream file(path);
    if (!file) refuse(std::strerror(errno));
    std::vector<traffic::RatePoint> points;
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
        line = trimmed(line);
        if (line.empty() || line[0] == '#' || (points.empty() && line == "time,rate")) continue;
        try {
            points.push_back(parse_point(line));
        } catch (const std::invalid_argument& reason) {
            refuse(fmt::format("line {}: {}", number, reason.what()));
        }
    }
    auto profile = traffic::RateProfile::make(points);
    if (!profile) refuse("expected at least two lines TIME,RATE, with times in order and a rate above 0");
    return std::move(*profile);
}

}  // namespace

void add_arrivals(CLI::App& command, ArrivalOptions& options) {
    auto* arrivals = add_parsed(
        command, "--arrivals", options.arrivals, parse_arrivals,
        "intervals between datagrams: fixed, or poisson for exponential ones of the same mean (default fixed)");
    add_parsed(command, "--seed", options.seed, parse_seed, "seed of poisson arrivals (default random)")
        ->needs(arrivals);
    add_parsed(command, "--burst", options.burst, parse_burst,
               "number of datagrams due at the same time; the mean rate stays the same (default 1)");
    command
        .add_option("--profile", options.profile_file,
                    "csv file of TIME,RATE lines; the rate is interpolated between them, and steps at equal times "
                    "(default none)")
        ->type_name("FILE");
}

void check_arrivals(const CLI::App& command, ArrivalOptions& options, double& rate, Duration& duration) {
    if (command.count("--seed") == 0) options.seed = random_value<std::uint64_t>();
    if (command.count("--profile") > 0) {
        if (command.count("--rate") > 0) throw CLI::ValidationError("--profile: not with --rate");
        options.profile = read_profile(options.profile_file);
        rate = options.profile->highest_rate();
        if (command.count("--duration") == 0) duration = options.profile->end();
    }
    if (command.count("--seed") > 0 && options.arrivals != traffic::Arrivals::poisson)
        throw CLI::ValidationError("--seed: needs --arrivals poisson");
    for (const char* name : {"--arrivals", "--burst", "--strict"})
        if (command.count(name) > 0 && rate == 0)
            throw CLI::ValidationError(fmt::format("{}: needs a --rate or a --profile", name));
}

std::string arrivals_text(const ArrivalOptions& options, double rate) {
    std::string out = options.profile ? fmt::format("as in {}", options.profile_file) : rate_text(rate);
    if (options.burst > 1) out += fmt::format(" in bursts of {}", options.burst);
    if (options.arrivals == traffic::Arrivals::poisson) out += fmt::format(" poisson (--seed {})", options.seed);
    return out;
}

void add_arrivals(Json& summary, const ArrivalOptions& options) {
    if (options.arrivals == traffic::Arrivals::poisson) summary["seed"] = options.seed;
    if (options.burst > 1) summary["burst"] = options.burst;
    if (options.profile) summary["profile"] = options.profile_file;
}

}  // namespace ringpost::apps
