#include "apps/measuring/probe_options.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "apps/measuring/expect_options.hpp"
#include "apps/measuring/verdict.hpp"
#include "codec/base/limits.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

traffic::MatchRule parse_match(const std::string& text) {
    const auto rule = traffic::MatchRule::parse(text);
    if (!rule)
        throw std::invalid_argument("expected OFFSET:LEN or OFFSET:LEN@REPLY_OFFSET (1 to 8 bytes), echo or order");
    return *rule;
}

}  // namespace

void add_probes(CLI::App& command, ProbeOptions& options, CLI::Option& size) {
    const std::vector<CLI::Option*> sources = add_payloads(command, options, size);
    auto* match = command.add_option_function<std::string>(
        "--match",
        [&options](const std::string& text) {
            try {
                options.match = parse_match(text);
            } catch (const std::invalid_argument& reason) {
                throw CLI::ValidationError("--match " + text + ": " + reason.what());
            }
        },
        "how to match replies to probes: OFFSET:LEN[@REPLY_OFFSET] (bytes repeated in the reply), echo (the reply "
        "equals the probe), or order (of the probes within a flow; a run that loses one is INVALID) "
        "(default by --preset)");
    match->type_name("RULE");
    std::vector<CLI::Option*> matching = add_expectations(command, options.expected);
    matching.push_back(match);
    for (CLI::Option* option : matching) option->excludes(sources.back());
}

void check_probes(ProbeOptions& options) {
    if (!options.any() && options.expected.any())
        throw CLI::ValidationError(
            "--expect... needs a payload: --payload, --payload-hex, --payload-file or --payload-pcap");
    if (!options.any() && !options.match) return;
    check_expectation(options.expected);
    if (!options.any())
        throw CLI::ValidationError(
            "--match needs a payload: --payload, --payload-hex, --payload-file or --payload-pcap");
    if (!options.preset && !options.match)
        throw CLI::ValidationError("--payload... needs --match OFFSET:LEN, --match echo or --match order");
    traffic::Dialect dialect = read_dialect(options);
    if (!options.replies)
        throw CLI::ValidationError(
            fmt::format("--preset {}: has no replies to measure; use `ringpost load`", shown_value(*options.preset)));
    if (options.match) dialect.match = *options.match;
    if (dialect.payload.bytes_min() < dialect.match.probe_bytes_min())
        throw CLI::ValidationError(fmt::format("--match: bytes {} to {} lie outside a payload of {} bytes",
                                               dialect.match.probe_offset, dialect.match.probe_bytes_min() - 1,
                                               dialect.payload.bytes_min()));
    if (options.expected.any()) dialect.check = traffic::AnswerCheck::expected(options.expected);
    options.dialect = std::make_shared<const traffic::Dialect>(std::move(dialect));
}

namespace {

/// How many probes of a flow have different bytes where they are matched.
std::uint64_t keys_of(const traffic::Dialect& dialect) {
    const bool echo = dialect.match.kind == traffic::MatchRule::Kind::echo;
    return dialect.payload.distinct(dialect.match.probe_offset,
                                    echo ? limits::datagram_bytes_max : dialect.match.bytes);
}

/// The most probes that may wait for an answer at a time, with room for Poisson arrivals and for catching up.
double waiting_most(double rate, std::uint32_t window, Duration timeout) {
    constexpr double margin = 1.25;
    return rate > 0 ? margin * rate * static_cast<double>(timeout) / 1e9 : window;
}

/// `about 10 flows or 2 bytes of {seq}`: what keeps the keys of all probes apart that are sent within `timeouts`
/// timeouts.
std::string needs_text(const ProbeOptions& options, const KeyUse& use, int timeouts) {
    const double most = waiting_most(use.rate, use.window, timeouts * use.timeout);
    const double flows = std::ceil(most / static_cast<double>(keys_of(*options.dialect)));
    int bytes = 1;
    while (bytes < 4 && std::ldexp(use.flows, 8 * bytes) < most) ++bytes;
    if (bytes == 3) bytes = 4;  // there is no {seq:u24}
    std::vector<std::string> ways;
    if (flows > use.flows && flows <= limits::load_flows_max) ways.push_back(fmt::format("about {:.0f} flows", flows));
    if (!options.preset)
        ways.push_back(bytes == 1 ? std::string("1 byte of {seq} in the matched bytes")
                                  : fmt::format("{} bytes of {{seq}} in the matched bytes", bytes));
    return ways.empty() ? "a lower rate" : fmt::format("{}", fmt::join(ways, " or "));
}

}  // namespace

std::uint32_t preset_flows(const ProbeOptions& options, double rate, Duration timeout) {
    if (!options.preset || rate == 0) return 1;
    const double flows = std::ceil(waiting_most(rate, 0, traffic::Matcher::late_times * timeout) /
                                   static_cast<double>(keys_of(*options.dialect)));
    return static_cast<std::uint32_t>(std::clamp(flows, 1.0, static_cast<double>(limits::load_flows_max)));
}

void add_match_counts(Json& counts, const ProbeOptions& options, const traffic::Prober& prober) {
    const auto matched = prober.match_counts();
    if (!matched) return;
    counts.update({{"late", prober.counters().late},
                   {"surplus", prober.counters().surplus},
                   {"not_a_reply", prober.counters().not_a_reply},
                   {"match_unanswered", prober.unanswered()},
                   {"match_reused", matched->reused},
                   {"match_overrun", matched->overrun},
                   {"match_ambiguous", matched->ambiguous}});
    add_counters(counts, "match", *matched);
    const traffic::AnswerCheck& check = options.dialect->check;
    if (!check.any()) return;
    counts["errors"] = prober.counters().errors;
    counts["statuses"] = Json::object();
    for (std::size_t i = 0; i < check.statuses().size(); ++i)
        if (prober.statuses()[i] > 0) counts["statuses"][check.statuses()[i].name] = prober.statuses()[i];
}

void judge_matches(Json& summary, const ProbeOptions& options, const KeyUse& use) {
    if (!options.dialect) return;
    if (!summary.contains("valid")) summary["valid"] = true;  // a closed loop keeps no schedule
    const auto count = [&](const char* name) { return summary[name].get<std::uint64_t>(); };
    const std::uint64_t answered = count("sent") - count("lost");
    if (answered == 0) return;
    summary["replies_distinct"] = true;
    const auto cannot_tell_apart = [&](const std::string& reason) {
        summary["replies_distinct"] = false;
        add_invalid(summary, reason);
    };
    if (options.dialect->match.kind == traffic::MatchRule::Kind::order) {
        if (count("match_unanswered") > 0)
            cannot_tell_apart(
                fmt::format("ambiguous replies: {} probes were lost, after which the order "
                            "is unknown; needs --match OFFSET:LEN or echo",
                            grouped(count("match_unanswered"))));
        if (count("surplus") > 0)
            cannot_tell_apart(
                fmt::format("ambiguous replies: {} more than probes, so that the order is "
                            "unknown; needs --match OFFSET:LEN or echo",
                            grouped(count("surplus"))));
        return;
    }
    if (count("match_reused") > 0)
        cannot_tell_apart(
            fmt::format("ambiguous replies: {} probes were sent with the bytes of one "
                        "still unanswered; needs {}",
                        grouped(count("match_reused")), needs_text(options, use, 1)));
    if (count("match_overrun") > 0)
        cannot_tell_apart(
            fmt::format("{} probes were still unanswered when {} later ones had been sent, so that "
                        "their replies would not be recognised; needs a lower rate or more --threads",
                        grouped(count("match_overrun")), grouped(limits::probe_keys_max)));
    constexpr double ambiguous_max = 0.01;
    if (static_cast<double>(count("match_ambiguous")) > ambiguous_max * static_cast<double>(answered) &&
        count("match_reused") == 0)
        cannot_tell_apart(
            fmt::format("ambiguous replies: {} may be late ones to an older probe with the "
                        "same bytes; needs {}",
                        grouped(count("match_ambiguous")), needs_text(options, use, traffic::Matcher::late_times)));
}

std::optional<std::string> match_text(const Json& summary) {
    if (!summary.contains("match_reused")) return std::nullopt;
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    std::string text =
        fmt::format("replies late {}  surplus {}  to no probe {}", count("late"), count("surplus"), count("foreign"));
    const auto add = [&](const char* what, const char* name) {
        if (summary[name] > 0) text += fmt::format("  {} {}", what, count(name));
    };
    add("of these not a reply", "not_a_reply");
    add("ambiguous", "match_ambiguous");
    add("sent with the bytes of one still unanswered", "match_reused");
    add("given up because too many waited", "match_overrun");
    return text;
}

std::optional<std::string> statuses_text(const Json& summary) {
    if (!summary.contains("statuses")) return std::nullopt;
    std::vector<std::pair<std::uint64_t, std::string>> rows;
    for (const auto& [name, count] : summary["statuses"].items()) rows.emplace_back(count, name);
    std::ranges::sort(rows, [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    std::string text;
    for (const auto& [count, name] : rows)
        text += fmt::format("{}{} {}", text.empty() ? "" : "  ", name, grouped(count));
    return text;
}

}  // namespace ringpost::apps
