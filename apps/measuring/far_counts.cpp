#include "apps/measuring/far_counts.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace ringpost::apps {

void add_far_counts(Json& summary) {
    const auto far = [&](const char* name) { return summary["counters"]["far"][name].get<std::uint64_t>(); };
    const bool known = far("flows") > 0 && far("known") == far("flows");
    summary["far_known"] = known;
    if (!known) return;
    // As everywhere, duplicate and corrupt ones are part of `received`.
    const auto sent = summary["sent"].get<std::uint64_t>();
    summary.update({{"received", far("received") + far("duplicate") + far("corrupt")},
                    {"lost", sent - std::min(sent, far("received"))},
                    {"duplicate", far("duplicate")},
                    {"reordered", far("reordered")},
                    {"corrupt", far("corrupt")}});
}

namespace {

std::string clock_offset_text(const Json& summary) {
    if (summary["clock_offset_us"].is_null()) return "clock     difference unknown: the sink does not report its time";
    const auto offset_us = summary["clock_offset_us"].get<double>();
    return fmt::format("clock     the sink's is {:.1f} us {}, +- {:.1f} us", std::abs(offset_us),
                       offset_us < 0 ? "behind" : "ahead", summary["clock_offset_error_us"].get<double>());
}

}  // namespace

void print_far_counts(const Report& report, const Json& summary) {
    if (summary.contains("clock_offset_us")) report.print(clock_offset_text(summary));
    if (!summary.contains("far_known")) return;
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    if (!summary["far_known"].get<bool>()) {
        const Json& far = summary["counters"]["far"];
        const bool some = far["known"] > 0 || far["forgotten"] > 0;
        return report.print(some ? fmt::format("received  unknown: the sink reports {} of {} flows",
                                               grouped(far["known"].get<std::uint64_t>()),
                                               grouped(far["flows"].get<std::uint64_t>()))
                                 : "received  unknown: the other end does not report its counts");
    }
    report.print(fmt::format("received  {:>15} datagrams, as the sink reports", count("received")));
    report.print(fmt::format("lost      {:>15} ({:.4f} %)  duplicate {}  reordered {}  corrupt {}", count("lost"),
                             100 * ratio(summary["lost"].get<double>(), summary["sent"].get<double>()),
                             count("duplicate"), count("reordered"), count("corrupt")));
}

}  // namespace ringpost::apps
