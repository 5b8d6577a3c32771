#include "apps/measuring/verdict.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

namespace ringpost::apps {
namespace {

constexpr double rate_share_min = 0.99;
constexpr double slip_share_max = 0.1;
/// With fewer datagrams, a single stall would decide.
constexpr std::uint64_t judged_min = 10;

std::string invalid_reason(double rate_share, const Histogram& slip, const Histogram* response) {
    if (slip.count() < judged_min) return "";
    if (rate_share < rate_share_min)
        return fmt::format("only {:.1f} % of the requested rate was achieved", rate_share * 100);
    if (response == nullptr || response->count() == 0) return "";
    const double slip_us = static_cast<double>(slip.percentile(99)) / 1e3;
    const double response_us = static_cast<double>(response->percentile(99)) / 1e3;
    if (slip_us > response_us * slip_share_max)
        return fmt::format(
            "the sender was late: its slip p99 of {:.1f} us exceeds a tenth of the response p99 of {:.1f} us; "
            "--wait spin on a dedicated core is more punctual",
            slip_us, response_us);
    return "";
}

struct ConditionFigure {
    const char* name;
    const char* member;  ///< of rtt_us
};
constexpr ConditionFigure response_figures[] = {{"min", "min"},   {"p50", "p50"},     {"p90", "p90"},
                                                {"p99", "p99"},   {"p99.9", "p999"},  {"p99.99", "p9999"},
                                                {"p999", "p999"}, {"p9999", "p9999"}, {"max", "max"}};

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
        const auto* const known = std::ranges::find(response_figures, out.figure, &ConditionFigure::name);
        if (known == std::end(response_figures))
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
    summary["valid"] = true;
    if (!reason.empty()) add_invalid(summary, reason);
}

void add_invalid(Json& summary, const std::string& reason) {
    summary["valid"] = false;
    const std::string before = summary.value("invalid_reason", "");
    summary["invalid_reason"] = before.empty() ? reason : before + "; " + reason;
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
    command.add_flag("--strict", options.strict, "exit 1 if the run is INVALID because the sender missed its schedule");
    command
        .add_option("--fail-if", options.fail_if,
                    "exit 3 if the condition holds: 'p99>1ms', 'loss>0.1%', 'rate<100k'; repeatable (default none)")
        ->expected(1)
        ->take_all()
        ->type_name("CONDITION");
}

int print_verdict(const Report& report, Json& summary, const VerdictOptions& options) {
    const bool valid = summary.value("valid", true);
    if (!valid) report.print("INVALID: " + summary["invalid_reason"].get<std::string>());
    const std::vector<std::string> found = breached(summary, parse_conditions(options.fail_if));
    for (const std::string& text : found) report.print("FAILED: " + text);
    if (!found.empty()) return Exit::breach;
    return !valid && options.strict ? Exit::failed : Exit::done;
}

}  // namespace ringpost::apps
