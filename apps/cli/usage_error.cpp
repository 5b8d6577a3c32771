#include "apps/cli/usage_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <utility>

#include "apps/cli/help.hpp"
#include "apps/cli/options.hpp"

namespace ringpost::apps {
namespace {

std::vector<std::string> option_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options())
        if (!option->get_positional()) names.push_back(option->get_name());
    return names;
}

std::vector<std::string> subcommand_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; }))
        names.push_back(each->get_name());
    return names;
}

std::string plain(const std::string& name) {
    std::string out = name.substr(std::min(name.find_first_not_of('-'), name.size()));
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

/// Insertions, deletions, replacements and swaps of neighbours that make `right` of `left`.
std::size_t edits_between(const std::string& left, const std::string& right) {
    std::vector<std::size_t> before_last, last(right.size() + 1), row(right.size() + 1);
    std::iota(last.begin(), last.end(), 0);
    for (std::size_t i = 1; i <= left.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= right.size(); ++j) {
            const std::size_t replaced = last[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
            const bool swapped = i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
            if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
        }
        before_last = std::exchange(last, row);
    }
    return last[right.size()];
}

std::string suggestion(const std::string& near, const CLI::App& app) {
    return near.empty() ? fmt::format("see {} --help", path_of(app)) : fmt::format("did you mean {}?", near);
}

/// `argument` belongs to nothing in `app`.
std::string unexpected_text(const CLI::App& app, const std::string& argument) {
    const std::string shown = shown_value(argument);
    if (argument.size() > 1 && argument[0] == '-') {
        const std::string name = argument.substr(0, argument.find('='));
        if (!app.get_subcommands().empty()) {  // as in `ringpost --json load`
            const CLI::App& subcommand = *app.get_subcommands().front();
            if (std::ranges::count(option_names(subcommand), name) > 0)
                return fmt::format("{}: give it as an option of the subcommand: {} {}", shown, path_of(subcommand),
                                   name);
        }
        return fmt::format("{}: no such option; {}", shown_value(name),
                           suggestion(nearest_name(name, option_names(app)), app));
    }
    if (app.get_require_subcommand_min() > 0)
        return fmt::format("{}: no such subcommand; {}", shown,
                           suggestion(nearest_name(argument, subcommand_names(app)), app));
    return fmt::format("{}: unexpected argument; see {} --help", shown, path_of(app));
}

/// CLI11's texts in the words of all other messages.
std::string reworded(const CLI::ParseError& error) {
    std::string what = error.what();
    const auto split = [&](const std::string& at, const char* between) {
        const std::size_t found = what.find(at);
        return found == std::string::npos ? what : what.substr(0, found) + between + what.substr(found + at.size());
    };
    if (error.get_name() == "ExcludesError") return split(" excludes ", ": not with ");
    if (error.get_name() == "RequiresError") return split(" requires ", ": needs ");
    if (error.get_name() == "ConversionError") {
        const std::string name = what.substr(std::min(what.find("--"), what.size()));
        return name.substr(0, name.find(' ')) + ": takes no value";
    }
    if (error.get_name() != "ArgumentMismatch") return what;
    const std::string name = what.substr(0, what.find(':'));
    if (what.find("At Most") != std::string::npos) return name + ": given more than once";
    const std::size_t type = what.find(" required "), end = what.rfind(" missing");
    if (type == std::string::npos || end == std::string::npos) return name + ": needs a value";
    return name + ": needs a value, " + what.substr(type + 10, end - type - 10);
}

}  // namespace

const CLI::App& innermost(const CLI::App& app) {
    return app.get_subcommands().empty() ? app : innermost(*app.get_subcommands().front());
}

std::string usage_text(const CLI::App& app, const CLI::ParseError& error) {
    for (const CLI::App* at = &app;; at = at->get_subcommands().front()) {
        if (const auto left = at->remaining(); !left.empty()) return unexpected_text(*at, left.front());
        if (at->get_subcommands().empty()) break;
    }
    const CLI::App& last = innermost(app);
    if (error.get_name() == "RequiredError" && last.get_require_subcommand_min() > 0)
        return fmt::format("a subcommand is required: {}; see {} --help", fmt::join(subcommand_names(last), ", "),
                           path_of(last));
    return reworded(error);
}

std::string nearest_name(const std::string& given, const std::vector<std::string>& names) {
    const std::string wanted = plain(given);
    if (wanted.size() < 2) return "";
    for (const std::string& name : names)
        if (plain(name).starts_with(wanted)) return name;
    std::string nearest;
    std::size_t edits_max = std::max<std::size_t>(wanted.size() / 3, 1);
    for (const std::string& name : names) {
        const std::size_t edits = edits_between(wanted, plain(name));
        if (edits > edits_max) continue;
        nearest = name;
        edits_max = edits - 1;  // a later one must be nearer
        if (edits <= 1) break;
    }
    return nearest;
}

}  // namespace ringpost::apps
