#include "apps/cli/help.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

namespace ringpost::apps {
namespace {

constexpr std::size_t option_columns = 30, value_columns = 15;

/// The order of the groups; others come before Verdict.
constexpr std::string_view group_order[] = {"Device",
                                            "Addresses",
                                            "Listening",
                                            "Network",
                                            "Target",
                                            "Schedule",
                                            "Payload",
                                            "Message",
                                            "Messages",
                                            "Impairments",
                                            "",
                                            "Verdict",
                                            "Several runs in one",
                                            "Transport",
                                            "Engine",
                                            "End",
                                            "Output"};

constexpr struct {
    std::string_view name;
    const char* examples;
} value_kinds[] = {
    {"HOST:PORT", "name:7, 192.0.2.1:7, [2001:db8::1]:7, or [fe80::1%eth0]:7 for a link-local address"},
    {"HOST[:PORT]", "name, 192.0.2.1:7, 2001:db8::1, [2001:db8::1]:7, or fe80::1%eth0"},
    {"ADDRESS", "192.0.2.1, 2001:db8::1, or fe80::1%eth0 for a link-local address"},
    {"TIME", "100ns, 250us, 20ms, 2s, 1m or 1h"},
    {"RATE", "0.5, 100k or 2.5M per second (1000 each)"},
    {"BITRATE", "64kbit, 100Mbit or 1Gbit per second"},
    {"SIZE", "64, 1400 or 8k bytes (1024 each), at most 65507"},
    {"PERCENT", "0.1% or 5%"},
    {"N", "10, 5k or 2M (1000 each)"},
};

/// Adds `text` to `out`, which ends at column `at`, and breaks it between words; further lines begin at `indent`.
void add_wrapped(std::string& out, std::size_t at, std::size_t indent, const std::string& text) {
    std::istringstream words(text);
    bool first = true;
    for (std::string word; words >> word; first = false) {
        if (!first && at + 1 + word.size() > help_columns_max) {
            out += '\n' + std::string(indent, ' ');
            at = indent;
            first = true;
        }
        out += (first ? "" : " ") + word;
        at += (first ? 0 : 1) + word.size();
    }
    out += '\n';
}

/// A row of two columns.
void add_row(std::string& out, const std::string& left, const std::string& right, std::size_t column) {
    out += "  " + left;
    const bool fits = left.size() + 4 <= column;
    out += fits ? std::string(column - left.size() - 2, ' ') : '\n' + std::string(column, ' ');
    add_wrapped(out, column, column, right);
}

std::string names_of(const std::set<CLI::Option*>& options) {
    std::vector<std::string> names;
    names.reserve(options.size());
    for (const CLI::Option* option : options) names.push_back(option->get_name());
    std::ranges::sort(names);
    return fmt::format("{}", fmt::join(names, ", "));
}

std::string left_of(const CLI::Option& option) {
    if (option.get_positional()) return option.get_name() + (option.get_expected_max() > 1 ? "..." : "");
    const std::string names = option.get_name(false, true);
    const std::string shown = names.substr(0, names.find('{'));  // `--no-verify{false}`
    return option.get_expected_min() > 0 ? shown + " " + option.get_type_name() : shown;
}

std::string right_of(const CLI::Option& option) {
    std::string out = option.get_description();
    if (option.get_required()) out += " (required)";
    if (!option.get_needs().empty()) out += "; needs " + names_of(option.get_needs());
    if (!option.get_excludes().empty()) out += "; not with " + names_of(option.get_excludes());
    return out;
}

/// The options as listed: --help last, in the group of the option before it.
std::vector<const CLI::Option*> listed_options(const CLI::App& app) {
    std::vector<const CLI::Option*> options = app.get_options(
        [](const CLI::Option* option) { return !option->get_positional() && !option->get_group().empty(); });
    if (std::erase(options, app.get_help_ptr()) > 0) options.push_back(app.get_help_ptr());
    return options;
}

void add_options(std::string& out, const CLI::App& app) {
    const std::vector<const CLI::Option*> options = listed_options(app);
    const auto group_of = [&](const CLI::Option* option) {
        const bool is_help = option == app.get_help_ptr() && options.size() > 1;
        return is_help ? options[options.size() - 2]->get_group() : option->get_group();
    };
    const auto place_of = [](std::string_view group) {
        const auto found = std::ranges::find(group_order, group);
        return (found != std::end(group_order) ? found : std::ranges::find(group_order, "")) - std::begin(group_order);
    };
    std::map<std::pair<std::ptrdiff_t, std::string>, std::string> groups;  // with their rows
    for (const CLI::Option* option : options) {
        const std::string group = group_of(option);
        add_row(groups[{place_of(group), group}], left_of(*option), right_of(*option), option_columns);
    }
    for (const auto& [place, rows] : groups) out += '\n' + place.second + ":\n" + rows;
}

void add_arguments(std::string& out, const std::vector<const CLI::Option*>& arguments) {
    if (arguments.empty()) return;
    out += "\nArguments:\n";
    for (const CLI::Option* argument : arguments) add_row(out, left_of(*argument), right_of(*argument), option_columns);
}

void add_subcommands(std::string& out, const CLI::App& app) {
    const auto subcommands = app.get_subcommands([](const CLI::App*) { return true; });
    if (subcommands.empty()) return;
    out += "\nSubcommands:\n";
    for (const CLI::App* each : subcommands) add_row(out, each->get_name(), each->get_description(), option_columns);
}

/// Explains the values of the options.
void add_values(std::string& out, const CLI::App& app) {
    std::string rows;
    for (const auto& value : value_kinds) {
        const auto used =
            app.get_options([&](const CLI::Option* option) { return option->get_type_name() == value.name; });
        if (!used.empty()) add_row(rows, std::string(value.name), value.examples, value_columns);
    }
    if (!rows.empty()) out += "\nValues:\n" + rows;
}

}  // namespace

std::string HelpFormatter::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode) const {
    const auto arguments = app->get_options([](const CLI::Option* option) { return option->get_positional(); });
    std::string out;
    add_wrapped(out, 0, 0, app->get_description());
    std::string usage = "Usage: " + name + " [OPTIONS]";
    for (const CLI::Option* argument : arguments)
        usage += argument->get_required() ? " " + left_of(*argument) : " [" + left_of(*argument) + "]";
    if (app->get_require_subcommand_min() > 0) usage += " SUBCOMMAND";
    out += usage + '\n';
    add_arguments(out, arguments);
    add_options(out, *app);
    add_subcommands(out, *app);
    add_values(out, *app);
    return out + app->get_footer();
}

void end_help(CLI::App& command, const HelpEnd& end) {
    std::string out;
    if (!end.notes.empty()) out += '\n' + end.notes + '\n';
    out += "\nExamples:\n";
    for (const std::string& example : end.examples) out += "  " + example + '\n';
    out += "\nExit codes:\n";
    std::vector<int> codes{Exit::done, Exit::usage};
    codes.insert(codes.end(), end.exits.begin(), end.exits.end());
    std::ranges::sort(codes);
    for (const int code : codes) add_row(out, std::to_string(code), meaning(code), value_columns);
    if (end.signals) add_row(out, "130, 143", meaning(130), value_columns);
    command.footer(out);
}

}  // namespace ringpost::apps
