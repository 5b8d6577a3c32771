// A page is a sequence of macros, each in a line that begins with a dot, and lines of text. Text from the option tables
// is escaped so that no character of it acts as a macro or escape sequence, and none becomes a typographic one: options
// and examples can be copied from the page.

#include "apps/cli/manual.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <sstream>
#include <string_view>
#include <vector>

#include "apps/cli/help.hpp"

namespace ringpost::apps {
namespace {

using BlockKind = HelpSection::Kind;

/// Text that stands anywhere in a line, also in the quotes of a macro's argument.
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '\\': out += "\\e"; break;
            case '-': out += "\\-"; break;
            case '\'': out += "\\(aq"; break;
            case '"': out += "\\(dq"; break;
            case '`': out += "\\(ga"; break;
            case '^': out += "\\(ha"; break;
            case '~': out += "\\(ti"; break;
            default: out += c;
        }
    }
    return out;
}

/// A line of text. A dot at its begin would make it a macro.
std::string line_of(std::string_view text) { return (text.starts_with('.') ? "\\&" : "") + escaped(text) + '\n'; }

std::string bold(std::string_view text) { return "\\fB" + escaped(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + escaped(text) + "\\fR"; }

std::string upper(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

/// `ringpost-message-send`
std::string name_of(const CLI::App& command) {
    std::string out = path_of(command);
    std::ranges::replace(out, ' ', '-');
    return out;
}

/// What is typed is bold, what it stands for italic.
std::string tag_of(const HelpSection& section, const std::string& left) {
    if (section.kind == BlockKind::arguments || section.kind == BlockKind::values) return italic(left);
    const std::size_t space = section.kind == BlockKind::options ? left.find(' ') : std::string::npos;
    return space == std::string::npos ? bold(left) : bold(left.substr(0, space)) + ' ' + italic(left.substr(space + 1));
}

void add_rows(std::string& out, const HelpSection& section) {
    for (const auto& [left, right] : section.rows) out += ".TP\n" + tag_of(section, left) + '\n' + line_of(right);
}

/// The groups of options are subsections of one section.
void add_sections(std::string& out, const HelpPage& page) {
    bool options = false;
    for (const HelpSection& section : page.sections) {
        const bool grouped = section.kind == BlockKind::options;
        if (!grouped || !options) out += ".SH " + (grouped ? "OPTIONS" : upper(section.heading)) + '\n';
        options = grouped;
        if (grouped && section.heading != "Options") out += ".SS " + escaped(section.heading) + '\n';
        add_rows(out, section);
    }
}

/// Text whose lines stay as they are.
void add_verbatim(std::string& out, std::string_view heading, const std::vector<std::string>& lines) {
    out += fmt::format(".SH {}\n.EX\n", heading);
    for (const std::string& line : lines) out += line_of(line);
    out += ".EE\n";
}

std::string notes_of(const HelpPage& page) {
    std::string out = ".SH NOTES\n";
    std::istringstream lines(page.notes);
    for (std::string line; std::getline(lines, line);) out += line_of(line);
    return out;
}

/// The pages of the command's subcommands and of theirs.
void add_names_below(std::vector<std::string>& names, const CLI::App& command) {
    for (const CLI::App* each : listed_subcommands(command)) {
        names.push_back(name_of(*each));
        add_names_below(names, *each);
    }
}

std::string related_pages(const CLI::App& command) {
    std::vector<std::string> names;
    for (const CLI::App* at = command.get_parent(); at != nullptr; at = at->get_parent()) names.push_back(name_of(*at));
    add_names_below(names, command);
    std::string out = ".SH SEE ALSO\n";
    for (const std::string& name : names)
        out += fmt::format(".BR {} (1){}\n", escaped(name), &name == &names.back() ? "" : ",");
    return out;
}

}  // namespace

std::string manual_page(const CLI::App& command, const std::string& version) {
    const HelpPage page = help_page(command);
    const std::string path = path_of(command), name = name_of(command);
    // The description of the root begins with its name.
    const bool named = page.description.starts_with(path + ": ");
    const std::string purpose = named ? page.description.substr(path.size() + 2) : page.description;
    std::string out = fmt::format(".TH {} 1 \"\" \"{}\" \"User Commands\"\n", escaped(upper(name)), escaped(version));
    out += fmt::format(".SH NAME\n{} \\- {}", escaped(name), line_of(purpose));
    out += fmt::format(".SH SYNOPSIS\n{} {}", bold(path), line_of(page.usage));
    add_sections(out, page);
    if (!page.notes.empty()) out += notes_of(page);
    add_verbatim(out, "EXAMPLES", page.examples);
    out += ".SH EXIT STATUS\n";
    add_rows(out, page.exit_codes);
    return out + related_pages(command);
}

}  // namespace ringpost::apps
