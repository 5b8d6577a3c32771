#include "apps/measuring/arrivals.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "apps/cli/random.hpp"
#include "apps/cli/text_lines.hpp"

namespace ringpost::apps {
namespace {

std::uint32_t parse_burst(const std::string& text) {
    return static_cast<std::uint32_t>(parse_whole(text, 1, 1'000'000));
}

/// A line `TIME,RATE`; a time without a unit is in seconds.
traffic::RatePoint parse_point(std::string_view line) {
    const std::size_t comma = line.find(',');
    if (comma == std::string_view::npos)
        throw std::invalid_argument(shown_value(std::string(line)) + ": expected TIME,RATE");
    const auto parse = [](std::string_view field, auto* parser, const char* unit) {
        const std::string text(trimmed(field));
        const bool bare = !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos;
        try {
            return parser(bare ? text + unit : text);
        } catch (const std::invalid_argument& reason) {
            throw std::invalid_argument(shown_value(text) + ": " + reason.what());
        }
    };
    return {.at = parse(line.substr(0, comma), parse_duration_or_zero, "s"),
            .rate_per_s = parse(line.substr(comma + 1), parse_rate_or_zero, "")};
}

bool is_header(std::string_view line) {
    const std::size_t comma = std::min(line.find(','), line.size());
    const auto is = [](std::string_view field, std::string_view name) {
        return std::ranges::equal(trimmed(field), name, {}, [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    };
    return comma < line.size() && is(line.substr(0, comma), "time") && is(line.substr(comma + 1), "rate");
}

/// Why no profile can be made of these points.
const char* reason_against(const std::vector<traffic::RatePoint>& points) {
    if (points.size() < 2) return "expected at least two lines TIME,RATE";
    if (std::ranges::all_of(points, [](const auto& point) { return point.rate_per_s == 0; })) return "every rate is 0";
    return "nothing is due: all rates above 0 last no time";
}

traffic::RateProfile read_profile(const std::string& path) {
    const auto refuse = [&](const std::string& why) {
        throw CLI::ValidationError("--profile " + shown_value(path) + ": " + why);
    };
    const auto contents = contents_of(path);
    if (!contents) refuse(contents.error());
    const auto lines = text_lines(*contents);
    if (!lines) refuse(lines.error());
    std::vector<traffic::RatePoint> points;
    for (std::size_t number = 1; number <= lines->size(); ++number) {
        const std::string_view line = trimmed((*lines)[number - 1]);
        if (line.empty() || line[0] == '#' || (points.empty() && is_header(line))) continue;
        try {
            const traffic::RatePoint point = parse_point(line);
            if (!points.empty() && point.at < points.back().at)
                throw std::invalid_argument("its time is before that of the line above");
            points.push_back(point);
        } catch (const std::invalid_argument& reason) {
            refuse(fmt::format("line {}: {}", number, reason.what()));
        }
    }
    auto profile = traffic::RateProfile::make(points);
    if (!profile) refuse(reason_against(points));
    return std::move(*profile);
}

}  // namespace

void add_arrivals(CLI::App& command, ArrivalOptions& options) {
    auto* arrivals = add_parsed(
        command, "--arrivals", options.arrivals, parse_arrivals,
        "intervals between datagrams: fixed, or poisson for exponential ones of the same mean (default fixed)");
    arrivals->type_name("fixed|poisson");
    add_parsed(command, "--seed", options.seed, parse_seed, "seed of poisson arrivals (default random)")
        ->needs(arrivals);
    add_parsed(command, "--burst", options.burst, parse_burst,
               "number of datagrams due at the same time; the mean rate stays the same (default 1)");
    command
        .add_option(
            "--profile", options.profile_file,
            "csv file of TIME,RATE lines, e.g. 0s,100 and 10s,5k; the rate is interpolated between them, and steps "
            "at equal times; # begins a comment (default none)")
        ->type_name("FILE");
}

CLI::Option* add_rate(CLI::App& command, double& rate, ArrivalOptions& options, double (*parse)(const std::string&),
                      const std::string& help) {
    return command
        .add_option_function<std::string>(
            "--rate",
            [&rate, &options, parse](const std::string& text) {
                try {
                    options.rate_bits = text.ends_with("bit") ? parse_bit_rate(text) : 0;
                    // Any rate above 0 until the size of the datagrams is known.
                    rate = options.rate_bits > 0 ? 1 : parse(text);
                } catch (const std::invalid_argument& reason) {
                    throw CLI::ValidationError("--rate " + shown_value(text) + ": " + reason.what());
                }
            },
            help)
        ->type_name("RATE");
}

void settle_rate(const ArrivalOptions& options, double& rate, double bytes_mean) {
    if (options.rate_bits == 0) return;
    rate = static_cast<double>(options.rate_bits) / 8 / bytes_mean;
    if (rate < 1e-3 || rate > 1e9)
        throw CLI::ValidationError(fmt::format("--rate {}bit: {} of {:.0f} bytes; expected 0.001 to 1G per second",
                                               options.rate_bits, rate_text(rate), bytes_mean));
}

void check_arrivals(const CLI::App& command, ArrivalOptions& options, double& rate, Duration& duration) {
    if (command.count("--seed") == 0) options.seed = random_value<std::uint64_t>();
    if (command.count("--profile") > 0) {
        if (command.count("--rate") > 0) throw CLI::ValidationError("--profile: not with --rate");
        options.profile = read_profile(options.profile_file);
        rate = options.profile->highest_rate();
        if (command.count("--duration") == 0) duration = options.profile->end();
    }
    if (options.recording) {
        for (const char* name : {"--rate", "--profile", "--arrivals", "--burst"})
            if (command.count(name) > 0) throw CLI::ValidationError(fmt::format("{}: not with --pcap-timing", name));
        rate = options.recording->per_s();
        if (command.count("--duration") == 0) duration = options.recording->length();
    }
    if (command.count("--seed") > 0 && options.arrivals != traffic::Arrivals::poisson)
        throw CLI::ValidationError("--seed: needs --arrivals poisson");
    for (const char* name : {"--arrivals", "--burst", "--strict"})
        if (command.count(name) > 0 && rate == 0)
            throw CLI::ValidationError(fmt::format("{}: needs a --rate or a --profile", name));
}

std::string arrivals_text(const ArrivalOptions& options, double rate) {
    std::string out = options.recording ? fmt::format("as captured, {} in the mean", rate_text(rate))
                      : options.profile ? fmt::format("as in {}", options.profile_file)
                                        : rate_text(rate);
    if (options.burst > 1) out += fmt::format(" in bursts of {}", options.burst);
    if (options.arrivals == traffic::Arrivals::poisson) out += fmt::format(" poisson (--seed {})", options.seed);
    return out;
}

void add_arrivals(Json& summary, const ArrivalOptions& options) {
    if (options.arrivals == traffic::Arrivals::poisson) summary["seed"] = options.seed;
    if (options.burst > 1) summary["burst"] = options.burst;
    if (options.rate_bits > 0) summary["rate_asked_bits_per_s"] = options.rate_bits;
    if (options.recording) summary["as_captured"] = true;
    if (options.profile) summary["profile"] = options.profile_file;
}

}  // namespace ringpost::apps
