#include "apps/measuring/verdict.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace ringpost::apps {
namespace {

constexpr double rate_share_min = 0.99;
constexpr double slip_share_max = 0.1;
/// With fewer, one hiccup at the end would speak for the whole run.
constexpr std::uint64_t judged_min = 10;

std::string invalid_reason(double rate_share, const Histogram& slip, const Histogram* response) {
    if (slip.count() < judged_min) return "";
    if (rate_share < rate_share_min)
        return fmt::format("only {:.1f} % of the rate was achieved: nothing is known of the rate asked for",
                           rate_share * 100);
    if (response == nullptr || response->count() == 0) return "";
    const double slip_us = static_cast<double>(slip.percentile(99)) / 1e3;
    const double response_us = static_cast<double>(response->percentile(99)) / 1e3;
    if (slip_us > response_us * slip_share_max)
        return fmt::format(
            "the sender itself was late: its slip p99 of {:.1f} us is more than a tenth of the response's "
            "p99 of {:.1f} us; --wait spin on a core of its own is more punctual",
            slip_us, response_us);
    return "";
}

struct Figure {
    const char* name;
    const char* member;  ///< of rtt_us
};
constexpr std::array figures{Figure{"min", "min"},   Figure{"p50", "p50"},     Figure{"p90", "p90"},
                             Figure{"p99", "p99"},   Figure{"p99.9", "p999"},  Figure{"p99.99", "p9999"},
                             Figure{"p999", "p999"}, Figure{"p9999", "p9999"}, Figure{"max", "max"}};

Condition parse_condition(const std::string& text) {
    const std::size_t at = text.find_first_of("<>");
    if (at == std::string::npos || at == 0) throw std::invalid_argument("expected FIGURE>LIMIT or FIGURE<LIMIT");
    Condition out{.text = text, .figure = text.substr(0, at), .above = text[at] == '>'};
    const std::string limit = text.substr(at + 1);
    if (out.figure == "loss") {
        out.limit = parse_chance(limit);
    } else if (out.figure == "rate") {
        out.limit = parse_fixed_rate(limit);
    } else {
        const auto* const known =
            std::find_if(figures.begin(), figures.end(), [&](const Figure& f) { return out.figure == f.name; });
        if (known == figures.end())
            throw std::invalid_argument("the figures are min, p50, p90, p99, p99.9, p99.99, max, loss and rate");
        out.figure = known->member;
        out.limit = static_cast<double>(parse_duration(limit)) / 1e3;
    }
    return out;
}

std::optional<double> value_of(const Json& summary, const std::string& figure) {
    if (figure == "rate") return summary["rate_per_s"].get<double>();
    if (figure == "loss") {
        if (!summary.contains("lost")) return std::nullopt;
        return ratio(summary["lost"].get<double>(), summary["sent"].get<double>());
    }
    if (!summary.contains("rtt_us") || summary["rtt_us"][figure].is_null()) return std::nullopt;
    return summary["rtt_us"][figure].get<double>();
}

std::string worded(const std::string& figure, double value) {
    if (figure == "loss") return fmt::format("{:.4g} %", value * 100);
    if (figure == "rate") return fmt::format("{:.0f}/s", value);
    return fmt::format("{:.1f} us", value);
}

std::vector<std::string> breached(Json& summary, const std::vector<Condition>& conditions) {
    std::vector<std::string> out;
    for (const Condition& condition : conditions) {
        const std::optional<double> value = value_of(summary, condition.figure);
        if (value && !(condition.above ? *value > condition.limit : *value < condition.limit)) continue;
        out.push_back(fmt::format("{}: {}", condition.text, value ? worded(condition.figure, *value) : "not measured"));
    }
    if (!conditions.empty()) summary["breached"] = out;
    return out;
}

}  // namespace

void judge(Json& summary, double rate_share, const Histogram& slip, const Histogram* response) {
    const std::string reason = invalid_reason(rate_share, slip, response);
    summary["valid"] = reason.empty();
    if (!reason.empty()) summary["invalid_reason"] = reason;
}

std::vector<Condition> parse_conditions(const std::vector<std::string>& texts) {
    std::vector<Condition> out;
    for (const std::string& text : texts) {
        try {
            out.push_back(parse_condition(text));
        } catch (const std::invalid_argument& reason) {
            throw CLI::ValidationError("--fail-if " + text + ": " + reason.what());
        }
    }
    return out;
}

void add_verdict(CLI::App& command, VerdictOptions& options) {
    command.add_flag("--strict", options.strict,
                     "exit 1 when the run was INVALID: the sender could not keep its schedule");
    command
        .add_option("--fail-if", options.fail_if,
                    "such as 'p99>1ms', 'loss>0.1%' or 'rate<100k': exit 3 if it holds; may be given again")
        ->expected(1)
        ->take_all();
}

int tell_verdict(const Report& report, Json& summary, const VerdictOptions& options) {
    const bool valid = summary.value("valid", true);
    if (!valid) report.print("INVALID: " + summary["invalid_reason"].get<std::string>());
    const std::vector<std::string> found = breached(summary, parse_conditions(options.fail_if));
    for (const std::string& text : found) report.print("FAILED: " + text);
    if (!found.empty()) return Exit::breach;
    return !valid && options.strict ? Exit::failed : Exit::done;
}

}  // namespace ringpost::apps
