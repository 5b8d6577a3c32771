#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <sstream>
#include <vector>

#include "apps/cli/help.hpp"
#include "apps/commands/command_line.hpp"

namespace ringpost::apps {
namespace {

CommandLine parse(const std::vector<std::string>& arguments) {
    std::vector<const char*> pointers{"ringpost"};
    for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
    return parse_command_line(static_cast<int>(pointers.size()), pointers.data(), "ringpost 1.2.3");
}

/// Splits a command line as a shell does, up to a pipe.
std::vector<std::string> words_of(const std::string& line) {
    std::vector<std::string> words;
    bool in_word = false;
    char quote = 0;
    for (const char c : line.substr(line.find("ringpost"))) {
        if (quote == 0 && c == ' ') {
            in_word = false;
        } else {
            if (!in_word) words.emplace_back();
            in_word = true;
            if (c == quote)
                quote = 0;
            else if (quote == 0 && (c == '\'' || c == '"'))
                quote = c;
            else
                words.back() += c;
        }
    }
    words.erase(words.begin());
    return words;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

/// The subcommands, those of subcommands, and the command itself.
std::vector<std::vector<std::string>> paths() {
    std::vector<std::vector<std::string>> out{{}};
    for (const std::string& name : subcommand_names()) out.push_back({name});
    for (const char* role : {"send", "listen", "chat"}) out.push_back({"message", role});
    for (const char* role : {"send", "listen"}) out.push_back({"struct", role});
    for (const char* role : {"new", "public", "shared"}) out.push_back({"key", role});
    return out;
}

std::string help_of(std::vector<std::string> path) {
    path.emplace_back("--help");
    return parse(path).text;
}

/// The section below a line `HEADING:`, its lines joined where they continue the one before.
std::vector<std::string> section(const std::string& help, const std::string& heading, std::size_t indent_max) {
    std::vector<std::string> rows;
    bool inside = false;
    for (const std::string& line : lines_of(help)) {
        if (line == heading + ":") {
            inside = true;
        } else if (line.empty() || line[0] != ' ') {
            inside = false;
        } else if (inside) {
            const std::size_t indent = line.find_first_not_of(' ');
            if (indent > indent_max)
                rows.back() += ' ' + line.substr(indent);
            else
                rows.push_back(line.substr(indent));
        }
    }
    return rows;
}

/// The options with their descriptions, each in a line.
std::vector<std::string> option_rows(const std::string& help) {
    const std::vector<std::string> others{"Arguments:", "Subcommands:", "Values:", "Examples:", "Exit codes:"};
    std::vector<std::string> rows;
    bool inside = false;
    for (const std::string& line : lines_of(help)) {
        if (!line.starts_with(' ')) {
            inside = line.ends_with(':') && std::ranges::find(others, line) == others.end();
        } else if (inside) {
            if (line.starts_with("  -"))
                rows.push_back(line.substr(2));
            else
                rows.back() += ' ' + line.substr(30);
        }
    }
    return rows;
}

TEST(Help, fits_the_terminal) {
    for (const auto& path : paths())
        for (const std::string& line : lines_of(help_of(path))) EXPECT_LE(line.size(), help_columns_max) << line;
}

TEST(Help, begins_with_a_description_and_the_usage) {
    for (const auto& path : paths()) {
        const std::vector<std::string> lines = lines_of(help_of(path));
        ASSERT_GT(lines.size(), 5u);
        std::string usage = "Usage: ringpost";
        for (const std::string& name : path) usage += ' ' + name;
        EXPECT_TRUE(lines[1].starts_with(usage + " [OPTIONS]")) << lines[1];
    }
}

TEST(Help, every_option_has_a_value_name_or_is_a_flag_and_has_a_default) {
    // `--name VALUE  text`, or `--name  text` of a flag
    const std::regex valued("(-\\w,)?--[\\w-]+ [^ a-z][^ ]*( .*|)|--[\\w-]+ [a-z]+(\\|[a-z]+)*( .*|)"),
        known("\\(default [^)]+\\)|\\(required[^)]*\\)|repeatable");
    for (const auto& path : paths()) {
        const std::string help = help_of(path);
        std::size_t options = 0;
        for (std::string row : option_rows(help)) {
            if (row.starts_with("-")) ++options;
            const std::string left = row.substr(0, row.find("  "));
            const bool flag = left.find(' ') == std::string::npos;
            EXPECT_TRUE(flag || std::regex_match(left, valued)) << left;
            EXPECT_TRUE(flag || std::regex_search(row, known)) << row;
            EXPECT_EQ(left.find("TEXT") != std::string::npos,
                      left == "--payload TEXT" || left == "--expect-text TEXT" || left == "--quote TEXT")
                << left;
        }
        EXPECT_GE(options, 1u) << help;
    }
}

TEST(Help, every_option_is_in_a_named_group) {
    for (const auto& path : paths()) {
        const std::string help = help_of(path);
        const bool parent = help.find("\nSubcommands:\n") != std::string::npos;
        const bool only_help = option_rows(help).size() == 1;
        EXPECT_EQ(help.find("\nOptions:\n") != std::string::npos, parent || only_help) << help;
    }
}

TEST(Help, defaults_are_values_that_parse) {
    const std::regex parseable("\\(default ([0-9][^ ,)]*|max|fixed|auto|none\\|ok)[,)]");
    std::size_t checked = 0;
    for (const auto& path : paths())
        for (const std::string& row : option_rows(help_of(path))) {
            std::smatch found;
            if (!std::regex_search(row, found, parseable)) continue;
            std::vector<std::string> words = path;
            words.push_back(row.substr(0, row.find(' ')));
            words.push_back(found[1]);
            try {
                parse(words);
            } catch (const Failure& failure) {  // because of other options only
                EXPECT_FALSE(std::string(failure.what()).starts_with(words.end()[-2] + " " + words.back()))
                    << failure.what();
            }
            ++checked;
        }
    EXPECT_GT(checked, 50u);
}

/// The directory of the scenarios that examples name, for as long as this exists.
class AmongScenarios {
  public:
    AmongScenarios() {
        const char* const scenarios = std::getenv("RINGPOST_SCENARIOS");
        EXPECT_NE(scenarios, nullptr);
        if (scenarios != nullptr) std::filesystem::current_path(scenarios);
    }
    ~AmongScenarios() { std::filesystem::current_path(before_); }
    AmongScenarios(const AmongScenarios&) = delete;
    AmongScenarios& operator=(const AmongScenarios&) = delete;

  private:
    std::filesystem::path before_ = std::filesystem::current_path();
};

TEST(Help, ends_with_examples_that_parse_and_exit_codes) {
    const AmongScenarios directory;
    for (const auto& path : paths()) {
        const std::string help = help_of(path);
        const std::vector<std::string> examples = section(help, "Examples", 2);
        EXPECT_FALSE(examples.empty()) << help;
        for (const std::string& example : examples) {
            const std::vector<std::string> words = words_of(example);
            for (std::size_t i = 0; i < path.size(); ++i) EXPECT_EQ(words.at(i), path[i]) << example;
            try {
                const CommandLine line = parse(words);
                EXPECT_TRUE(line.command || !line.text.empty()) << example;
            } catch (const Failure& failure) {
                ADD_FAILURE() << example << ": " << failure.what();
            }
        }
        const std::vector<std::string> codes = section(help, "Exit codes", 2);
        ASSERT_GE(codes.size(), 3u) << help;
        EXPECT_TRUE(codes[0].starts_with("0 ")) << codes[0];
        EXPECT_TRUE(std::ranges::any_of(codes, [](const auto& row) { return row.starts_with("2 "); }));
        EXPECT_TRUE(help.ends_with("\n") && help.rfind("Exit codes:") > help.rfind("Examples:")) << help;
    }
}

TEST(Help, is_the_same_as_an_option_and_as_a_subcommand) {
    for (auto path : paths()) {
        const std::string help = help_of(path);
        path.insert(path.begin(), "help");
        EXPECT_EQ(parse(path).text, help);
        path.erase(path.begin());
        path.emplace_back("-h");
        EXPECT_EQ(parse(path).text, help);
    }
}

std::string joined(const std::vector<std::string>& path, char between) {
    std::string out;
    for (const std::string& name : path) out += (out.empty() ? "" : std::string(1, between)) + name;
    return out;
}

/// The lines from `first` to `last`, without both.
std::string between_lines(const std::string& text, const std::string& first, const std::string& last) {
    const std::size_t begin = text.find('\n' + first + '\n');
    if (begin == std::string::npos) return "";
    return text.substr(begin, text.find('\n' + last + '\n', begin) - begin);
}

TEST(Generated, every_option_is_in_the_page_and_in_both_completions) {
    const std::string bash = parse({"--generate", "bash"}).text, zsh = parse({"--generate", "zsh"}).text;
    for (const auto& path : paths()) {
        const std::string page = parse({"--generate", path.empty() ? "man" : "man:" + joined(path, '-')}).text;
        const std::string words = between_lines(bash, "        '" + joined(path, ' ') + "')", "            ;;");
        const std::string specs =
            between_lines(zsh, "_ringpost" + (path.empty() ? "" : '_' + joined(path, '_')) + "() {", "}");
        for (const std::string& row : option_rows(help_of(path))) {
            const std::string names = row.substr(0, row.find(' '));
            const std::string escaped = std::regex_replace(names, std::regex("-"), "\\-");
            EXPECT_NE(page.find(".TP\n\\fB" + escaped + "\\fR"), std::string::npos) << names << '\n' << page;
            const std::string name = names.substr(names.find(',') + 1);  // `-h,--help`
            EXPECT_TRUE(std::regex_search(words, std::regex("values='([^']* )?" + name + "[ ']"))) << name << words;
            EXPECT_NE(specs.find(name + '['), std::string::npos) << name << '\n' << specs;
        }
    }
}

TEST(Generated, pages_have_no_macros_but_their_own_and_characters_that_can_be_copied) {
    const std::regex line("\\.(TH|SH|SS|TP|EX|EE|BR)( .*)?|[^.'-][^'`^~-]*");
    const std::regex escape("\\\\(-|e|&|f[BIR]|\\((aq|dq|ga|ha|ti))");
    for (const auto& path : paths()) {
        const std::string page = parse({"--generate", path.empty() ? "man" : "man:" + joined(path, '-')}).text;
        for (std::string each : lines_of(page)) {
            each = std::regex_replace(each, escape, "_");
            EXPECT_TRUE(std::regex_match(each, line) && each.find('\\') == std::string::npos) << each;
        }
    }
}

TEST(Generated, a_page_ends_with_the_pages_around_it) {
    const std::string root = parse({"--generate", "man"}).text, sub = parse({"--generate", "man:message-send"}).text;
    for (const auto& path : paths()) {
        const std::string name = std::regex_replace("ringpost-" + joined(path, '-'), std::regex("-"), "\\-");
        EXPECT_EQ(root.find(".BR " + name + " (1)") != std::string::npos, !path.empty()) << name;
    }
    EXPECT_TRUE(sub.ends_with(".SH SEE ALSO\n.BR ringpost\\-message (1),\n.BR ringpost (1)\n")) << sub;
    EXPECT_TRUE(sub.starts_with(".TH RINGPOST\\-MESSAGE\\-SEND 1 \"\" \"ringpost 1.2.3\"")) << sub;
}

TEST(Generated, unknown_pages_are_wrong_usage) {
    for (const char* what : {"fish", "man:", "man:lod", "man:message-", "man:message-sen", "man:load-send", "zsh "}) {
        try {
            parse({"--generate", what});
            ADD_FAILURE() << what;
        } catch (const Failure& failure) {
            EXPECT_EQ(failure.exit_code, Exit::usage);
            EXPECT_NE(std::string(failure.what()).find("--generate"), std::string::npos) << failure.what();
        }
    }
}

TEST(Help, version_has_a_short_form) {
    for (const char* name : {"-v", "--version"}) EXPECT_EQ(parse({name}).text, "ringpost 1.2.3\n");
}

}  // namespace
}  // namespace ringpost::apps
