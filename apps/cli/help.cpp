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

using SectionKind = HelpSection::Kind;

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
    {"BYTES", "1000, 64k, 4M or 1G (1024 each)"},
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

HelpSection section_of(SectionKind kind, std::string heading, const std::vector<const CLI::Option*>& options) {
    HelpSection section{.kind = kind, .heading = std::move(heading), .rows = {}};
    for (const CLI::Option* option : options) section.rows.push_back({left_of(*option), right_of(*option)});
    return section;
}

/// The options in groups; --help is in the group of the option before it.
void add_options(std::vector<HelpSection>& out, const CLI::App& command) {
    const std::vector<const CLI::Option*> options = listed_options(command);
    const auto group_of = [&](const CLI::Option* option) {
        const bool is_help = option == command.get_help_ptr() && options.size() > 1;
        return is_help ? options[options.size() - 2]->get_group() : option->get_group();
    };
    const auto place_of = [](std::string_view group) {
        const auto found = std::ranges::find(group_order, group);
        return (found != std::end(group_order) ? found : std::ranges::find(group_order, "")) - std::begin(group_order);
    };
    std::map<std::pair<std::ptrdiff_t, std::string>, std::vector<const CLI::Option*>> groups;
    for (const CLI::Option* option : options) {
        const std::string group = group_of(option);
        groups[{place_of(group), group}].push_back(option);
    }
    for (const auto& [place, members] : groups) out.push_back(section_of(SectionKind::options, place.second, members));
}

/// Explains the values of the options.
HelpSection values_of(const CLI::App& command) {
    HelpSection section{.kind = SectionKind::values, .heading = "Values", .rows = {}};
    for (const auto& value : value_kinds) {
        const auto used =
            command.get_options([&](const CLI::Option* option) { return option->get_type_name() == value.name; });
        if (!used.empty()) section.rows.push_back({std::string(value.name), value.examples});
    }
    return section;
}

HelpSection exit_codes_of(const HelpEnd& end) {
    HelpSection section{.kind = SectionKind::exit_codes, .heading = "Exit codes", .rows = {}};
    std::vector<int> codes{Exit::done, Exit::usage};
    codes.insert(codes.end(), end.exits.begin(), end.exits.end());
    std::ranges::sort(codes);
    for (const int code : codes) section.rows.push_back({std::to_string(code), meaning(code)});
    if (end.server)
        section.rows.push_back({"130", "ended by SIGINT; SIGTERM and SIGHUP end a server with the code of its report"});
    else if (end.signals)
        section.rows.push_back({"130, 143", meaning(130)});
    return section;
}

void add_section(std::string& out, const HelpSection& section) {
    const bool narrow = section.kind == SectionKind::values || section.kind == SectionKind::exit_codes;
    out += '\n' + section.heading + ":\n";
    for (const auto& [left, right] : section.rows) add_row(out, left, right, narrow ? value_columns : option_columns);
}

HelpFormatter& formatter_of(const CLI::App& command) { return dynamic_cast<HelpFormatter&>(*command.get_formatter()); }

}  // namespace

std::string path_of(const CLI::App& command) {
    const CLI::App* const parent = command.get_parent();
    return parent == nullptr ? command.get_name() : path_of(*parent) + " " + command.get_name();
}

std::vector<const CLI::Option*> listed_options(const CLI::App& command) {
    std::vector<const CLI::Option*> options = command.get_options(
        [](const CLI::Option* option) { return !option->get_positional() && !option->get_group().empty(); });
    if (std::erase(options, command.get_help_ptr()) > 0) options.push_back(command.get_help_ptr());
    return options;
}

std::vector<const CLI::Option*> listed_arguments(const CLI::App& command) {
    return command.get_options([](const CLI::Option* option) { return option->get_positional(); });
}

std::vector<const CLI::App*> listed_subcommands(const CLI::App& command) {
    return command.get_subcommands([](const CLI::App*) { return true; });
}

HelpPage HelpFormatter::page(const CLI::App& command) const {
    const HelpEnd& end = ends_.at(&command);
    const auto arguments = listed_arguments(command);
    HelpPage page{.description = command.get_description(),
                  .usage = "[OPTIONS]",
                  .sections = {section_of(SectionKind::arguments, "Arguments", arguments)},
                  .notes = end.notes,
                  .examples = end.examples,
                  .exit_codes = exit_codes_of(end)};
    for (const CLI::Option* argument : arguments)
        page.usage += argument->get_required() ? " " + left_of(*argument) : " [" + left_of(*argument) + "]";
    if (command.get_require_subcommand_min() > 0) page.usage += " SUBCOMMAND";
    add_options(page.sections, command);
    HelpSection subcommands{.kind = SectionKind::subcommands, .heading = "Subcommands", .rows = {}};
    for (const CLI::App* each : listed_subcommands(command))
        subcommands.rows.push_back({each->get_name(), each->get_description()});
    page.sections.push_back(std::move(subcommands));
    page.sections.push_back(values_of(command));
    std::erase_if(page.sections, [](const HelpSection& section) { return section.rows.empty(); });
    return page;
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode) const {
    const HelpPage shown = page(*app);
    std::string out;
    add_wrapped(out, 0, 0, shown.description);
    out += "Usage: " + name + " " + shown.usage + '\n';
    for (const HelpSection& section : shown.sections) add_section(out, section);
    if (!shown.notes.empty()) out += '\n' + shown.notes + '\n';
    out += "\nExamples:\n";
    for (const std::string& example : shown.examples) out += "  " + example + '\n';
    add_section(out, shown.exit_codes);
    return out;
}

void end_help(CLI::App& command, const HelpEnd& end) { formatter_of(command).set_end(command, end); }

HelpPage help_page(const CLI::App& command) { return formatter_of(command).page(command); }

}  // namespace ringpost::apps
