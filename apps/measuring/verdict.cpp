#include "apps/measuring/verdict.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>

#include "codec/measure/lateness.hpp"

namespace ringpost::apps {
namespace {

constexpr double rate_share_min = 0.99;

struct ConditionFigure {
    const char* name;
    const char* member;  ///< of rtt_us
};
constexpr ConditionFigure response_figures[] = {
    {"min", "min"},    {"p50", "p50"},      {"p90", "p90"},   {"p95", "p95"},     {"p99", "p99"},
    {"p99.9", "p999"}, {"p99.99", "p9999"}, {"p999", "p999"}, {"p9999", "p9999"}, {"max", "max"}};

double parse_errors(const std::string& text) {
    std::uint64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc{} || end != text.data() + text.size())
        throw std::invalid_argument("expected a number of errors or a share of the answers, such as 0 or 1%");
    return static_cast<double>(count);
}

Condition parse_condition(const std::string& text) {
    const std::size_t at = text.find_first_of("<>");
    if (at == std::string::npos || at == 0) throw std::invalid_argument("expected FIGURE>LIMIT or FIGURE<LIMIT");
    Condition out{.text = text, .figure = text.substr(0, at), .above = text[at] == '>'};
    const std::string limit = text.substr(at + 1);
    if (out.figure == "loss") {
        out.limit = parse_chance(limit);
    } else if (out.figure == "rate") {
        out.limit = parse_fixed_rate(limit);
    } else if (out.figure == "errors") {
        if (limit.ends_with('%')) out.figure = "errors_share";
        out.limit = limit.ends_with('%') ? parse_chance(limit) : parse_errors(limit);
    } else {
        const auto* const known = std::ranges::find(response_figures, out.figure, &ConditionFigure::name);
        if (known == std::end(response_figures))
            throw std::invalid_argument(
                "the figures are min, p50, p90, p95, p99, p99.9, p99.99, max, loss, errors and rate");
        out.figure = known->member;
        out.limit = static_cast<double>(parse_duration(limit)) / 1e3;
    }
    return out;
}

/// A figure of a summary. Times may be infinite, and include up to `lateness` of the sender's own.
struct Measured {
    double value = 0;
    double lateness = 0;
};

/// A sink knows what was sent up to the last datagram that it received.
double sent_of(const Json& summary) {
    const auto count = [&](const char* name) { return summary[name].get<double>(); };
    if (summary.contains("sent")) return count("sent");
    return count("received") - count("duplicate") - count("corrupt") + count("lost");
}

std::optional<Measured> measured(const Json& summary, const std::string& figure) {
    if (figure.starts_with("errors")) {
        if (!summary.contains("errors")) return std::nullopt;
        const double errors = summary["errors"].get<double>();
        const double answers = summary["sent"].get<double>() - summary["lost"].get<double>();
        return Measured{figure == "errors" ? errors : ratio(errors, answers)};
    }
    if (figure == "rate") return Measured{summary["rate_per_s"].get<double>()};
    if (figure == "loss") {
        const char* lost = summary.contains("lost") ? "lost" : "back_lost";  // with a far end that only answers
        if (!summary.contains(lost) || summary[lost].is_null()) return std::nullopt;
        const double sent = sent_of(summary);
        if (sent == 0 && !summary.contains("sent")) return std::nullopt;
        return Measured{ratio(summary[lost].get<double>(), sent)};
    }
    const char* const measured_times = summary.contains("rtt_us") ? "rtt_us" : "one_way_us";
    if (!summary.contains(measured_times)) return std::nullopt;
    const Json& times = summary[measured_times];
    if (!times[figure].is_null()) {
        const bool late = summary.contains("lateness_us") && summary["lateness_us"].contains(figure);
        return Measured{times[figure].get<double>(), late ? summary["lateness_us"][figure].get<double>() : 0};
    }
    if (!times.contains("lost_beyond")) return std::nullopt;
    return Measured{std::numeric_limits<double>::infinity()};
}

std::string worded(const std::string& figure, double value) {
    if (figure == "loss" || figure == "errors_share") return fmt::format("{:.4g} %", value * 100);
    if (figure == "errors") return grouped(static_cast<std::uint64_t>(value));
    if (figure == "rate") return rate_text(value);
    return fmt::format("{:.1f} us", value);
}

/// Why a condition is not met: `p99>1ms: 1333.2 us`.
std::string text_of(const Condition& condition, const Json& summary) {
    const std::optional<Measured> found = measured(summary, condition.figure);
    if (!found) return condition.text + ": not measured";
    if (std::isinf(found->value)) {
        const auto timeout = static_cast<Duration>(summary["rtt_us"]["lost_beyond"].get<double>() * 1e3);
        return fmt::format("{}: not answered within {}", condition.text, duration_text(timeout));
    }
    return fmt::format("{}: {}", condition.text, worded(condition.figure, found->value));
}

/// `p50, p90 and p99`
std::string listed(const std::vector<std::string>& items) {
    std::string out;
    for (std::size_t i = 0; i < items.size(); ++i)
        out += (i == 0 ? "" : i + 1 == items.size() ? " and " : ", ") + items[i];
    return out;
}

}  // namespace

void judge_schedule(Json& summary) {
    summary["valid"] = true;
    const auto due = summary["due"].get<std::uint64_t>(), unsent = summary["unsent"].get<std::uint64_t>();
    if (unsent == 0) return;
    std::string reason = fmt::format("{} were due, but {} not sent", grouped(due), grouped(unsent));
    const double share = ratio(static_cast<double>(due - unsent), static_cast<double>(due));
    if (share < rate_share_min) reason += fmt::format(": {:.1f} % of the requested rate", share * 100);
    add_invalid(summary, reason);
}

void judge_lateness(Json& summary, const Histogram& response, const Histogram& service, std::uint64_t lost) {
    if (response.count() == 0) return;
    for (const auto& reported : reported_percentiles) {
        const PercentileTimes times = percentile_times(response, service, reported.percent, lost);
        summary["lateness_us"][reported.name] = static_cast<double>(times.lateness()) / 1e3;
        summary["stands"][reported.name] = times.stands();
    }
    if (summary["stands"]["p50"].get<bool>()) return;
    add_invalid(summary,
                fmt::format("the sender was late: {:.1f} of the {:.1f} us of the response's median is its own "
                            "lateness; --wait spin on a dedicated core is more punctual",
                            summary["lateness_us"]["p50"].get<double>(), summary["rtt_us"]["p50"].get<double>()));
}

bool ranks_lost(const std::string& histogram) { return histogram == "response" || histogram == "service"; }

std::string lateness_text(const Json& summary) {
    std::vector<std::string> standing, late;
    for (const auto& reported : reported_percentiles) {
        if (summary["stands"][reported.name].get<bool>())
            standing.emplace_back(reported.label);
        else
            late.push_back(
                fmt::format("{:.1f} us of {}", summary["lateness_us"][reported.name].get<double>(), reported.label));
    }
    if (late.empty()) return "all percentiles stand: less than a tenth of each is this machine's own lateness";
    if (standing.empty()) standing.emplace_back("none");
    return fmt::format("{} stand{}; this machine's own lateness is up to {}", listed(standing),
                       standing.size() == 1 ? "s" : "", listed(late));
}

void add_invalid(Json& summary, const std::string& reason) {
    summary["valid"] = false;
    const std::string before = summary.value("invalid_reason", "");
    summary["invalid_reason"] = before.empty() ? reason : before + "; " + reason;
}

Met Condition::met_by(const Json& summary) const {
    const std::optional<Measured> found = measured(summary, figure);
    if (!found) return Met::no;
    const auto breaches = [&](double value) { return above ? value > limit : value < limit; };
    const bool with_lateness = breaches(found->value), without = breaches(found->value - found->lateness);
    return with_lateness != without ? Met::undecided : with_lateness ? Met::no : Met::yes;
}

bool bounds_errors(const std::string& condition) { return condition.starts_with("errors"); }
bool bounds_loss(const std::string& condition) { return condition.starts_with("loss"); }
bool bounds_times(const std::string& condition) {
    return !bounds_errors(condition) && !bounds_loss(condition) && !condition.starts_with("rate");
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
                     "exit 5 if the run is INVALID: the sender missed its schedule, or replies are ambiguous");
    add_fail_if(command, options.fail_if,
                "exit 3 if the condition holds, 5 if the sender's lateness decides: 'p99>1ms', 'loss>0.1%', "
                "'errors>0', 'rate<100k'; repeatable (default none)");
}

void add_fail_if(CLI::App& command, std::vector<std::string>& conditions, const char* help) {
    command.add_option("--fail-if", conditions, help)->expected(1)->take_all()->type_name("CONDITION");
}

int print_verdict(const Report& report, Json& summary, const VerdictOptions& options) {
    const bool valid = summary.value("valid", true);
    if (!valid) report.print("INVALID: " + summary["invalid_reason"].get<std::string>());
    const std::vector<Condition> conditions = parse_conditions(options.fail_if);
    Json breached = Json::array(), undecided = Json::array();
    for (const Condition& condition : conditions) {
        const Met met = condition.met_by(summary);
        if (met == Met::yes) continue;
        std::string text = text_of(condition, summary);
        if (met == Met::undecided)
            text += fmt::format(", of which up to {:.1f} us is this machine's own lateness",
                                summary["lateness_us"][condition.figure].get<double>());
        report.print((met == Met::no ? "FAILED: " : "CANNOT TELL: ") + text);
        (met == Met::no ? breached : undecided).push_back(text);
    }
    if (!conditions.empty()) summary.update({{"breached", breached}, {"undecided", undecided}});
    if (!breached.empty()) return Exit::breach;
    return !undecided.empty() || (!valid && options.strict) ? Exit::cannot_tell : Exit::done;
}

}  // namespace ringpost::apps
