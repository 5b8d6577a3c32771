// Both scripts are made by walking the commands. For bash, one function finds out which subcommand is being typed, then
// one case for each lists its options and, after an option that takes a value, the values. For zsh, each command is a
// function that gives its options to _arguments.

#include "apps/cli/completion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "apps/cli/help.hpp"

namespace ringpost::apps {
namespace {

struct Values {
    enum class Kind : std::uint8_t { flag, free, words, files, directories };
    Kind kind;
    std::vector<std::string> words = {};
};

std::vector<std::string> split(const std::string& text, char between) {
    std::vector<std::string> out(1);
    for (const char c : text) {
        if (c == between)
            out.emplace_back();
        else
            out.back() += c;
    }
    return out;
}

Values values_named(const std::string& name) {
    if (name == "FILE") return {Values::Kind::files};
    if (name == "DIR") return {Values::Kind::directories};
    const bool words = std::ranges::all_of(name, [](char c) { return c == '|' || (c >= 'a' && c <= 'z'); });
    return words ? Values{Values::Kind::words, split(name, '|')} : Values{Values::Kind::free};
}

Values values_after(const CLI::Option& option) {
    return option.get_expected_min() > 0 ? values_named(option.get_type_name()) : Values{Values::Kind::flag};
}

/// `-h`, `--help`
std::vector<std::string> names_of(const CLI::Option& option) {
    std::vector<std::string> out;
    for (const std::string& name : option.get_snames()) out.push_back('-' + name);
    for (const std::string& name : option.get_lnames()) out.push_back("--" + name);
    return out;
}

/// The kind of files that the arguments of the command are, or free.
Values::Kind kind_of_arguments(const CLI::App& command) {
    for (const CLI::Option* argument : listed_arguments(command))
        if (const Values values = values_named(argument->get_name());
            values.kind == Values::Kind::files || values.kind == Values::Kind::directories)
            return values.kind;
    return Values::Kind::free;
}

std::vector<std::string> words_of_subcommands(const CLI::App& command) {
    std::vector<std::string> out;
    for (const CLI::App* each : listed_subcommands(command)) out.push_back(each->get_name());
    if (!out.empty() && command.get_parent() == nullptr) out.emplace_back("help");
    return out;
}

/// Without the name of the program: `message send`.
std::string words_of(const CLI::App& command) {
    const std::string path = path_of(command);
    const std::size_t space = path.find(' ');
    return space == std::string::npos ? "" : path.substr(space + 1);
}

/// In the quotes of a shell.
std::string in_quotes(const std::string& text) {
    std::string out = "'";
    for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + '\'';
}

constexpr const char* bash_begin = R"(# Completion for bash, as printed by `ringpost --generate bash`.
_ringpost() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command='' values='' kind='' each
    # --option=value arrives as three words.
    if [[ $word == = ]]; then
        word=''
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD-2]}
    fi
    for each in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$command $each" in
)";

constexpr const char* bash_end = R"(    esac
    if [[ -n $kind && $word != -* ]]; then
        mapfile -t COMPREPLY < <(compgen "$kind" -- "$word")
        compopt -o filenames 2>/dev/null
    else
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
    fi
}
complete -F _ringpost ringpost
)";

const char* bash_files(Values::Kind kind) {
    if (kind == Values::Kind::files) return " kind=-f";
    return kind == Values::Kind::directories ? " kind=-d" : "";
}

/// Lines that recognise the subcommands.
void add_bash_subcommands(std::string& out, const CLI::App& command) {
    const std::string words = words_of(command);
    for (const CLI::App* each : listed_subcommands(command)) {
        out += fmt::format("            {}) command={} ;;\n", in_quotes(words + ' ' + each->get_name()),
                           in_quotes(words_of(*each)));
        add_bash_subcommands(out, *each);
    }
}

void add_bash_command(std::string& out, const CLI::App& command) {
    std::vector<std::string> words = words_of_subcommands(command), free;
    out += fmt::format("        {})\n            case $previous in\n", in_quotes(words_of(command)));
    for (const CLI::Option* option : listed_options(command)) {
        const std::vector<std::string> names = names_of(*option);
        words.insert(words.end(), names.begin(), names.end());
        const Values values = values_after(*option);
        if (values.kind == Values::Kind::free) free.insert(free.end(), names.begin(), names.end());
        if (values.kind == Values::Kind::flag || values.kind == Values::Kind::free) continue;
        const bool files = values.words.empty();
        out += fmt::format("                {}){} ;;\n", fmt::join(names, " | "),
                           files ? bash_files(values.kind) : fmt::format(" values='{}'", fmt::join(values.words, " ")));
    }
    if (!free.empty()) out += fmt::format("                {}) ;;\n", fmt::join(free, " | "));
    out += fmt::format("                *) values='{}'{} ;;\n            esac\n            ;;\n", fmt::join(words, " "),
                       bash_files(kind_of_arguments(command)));
    for (const CLI::App* each : listed_subcommands(command)) add_bash_command(out, *each);
}

/// Text inside a specification of _arguments or _describe.
std::string zsh_escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (std::string_view("\\[]:").find(c) != std::string_view::npos) out += '\\';
        out += c;
    }
    return out;
}

std::string zsh_action(const Values& values) {
    switch (values.kind) {
        case Values::Kind::files: return "_files";
        case Values::Kind::directories: return "_files -/";
        case Values::Kind::words: return fmt::format("({})", fmt::join(values.words, " "));
        default: return " ";
    }
}

/// A specification for each name of the option, which exclude each other unless it may be given again.
void add_zsh_option(std::string& out, const CLI::Option& option) {
    const Values values = values_after(option);
    const std::vector<std::string> names = names_of(option);
    const bool again = option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
    for (const std::string& name : names) {
        const std::string before = again ? "*" : fmt::format("({})", fmt::join(names, " "));
        std::string spec = before + name + '[' + zsh_escaped(option.get_description()) + ']';
        if (values.kind != Values::Kind::flag)
            spec += ':' + zsh_escaped(option.get_type_name()) + ':' + zsh_action(values);
        out += " \\\n        " + in_quotes(spec);
    }
}

void add_zsh_subcommands(std::string& out, const CLI::App& command, const std::string& function) {
    out +=
        " \\\n        '1:subcommand:->subcommand' '*::argument:->arguments'\n    case $state in\n        subcommand)\n";
    out += "            subcommands=(";
    for (const CLI::App* each : listed_subcommands(command))
        out += "\n                " + in_quotes(zsh_escaped(each->get_name()) + ':' + each->get_description());
    out += ")\n            _describe subcommand subcommands ;;\n        arguments)\n            case $words[1] in\n";
    for (const CLI::App* each : listed_subcommands(command))
        out += fmt::format("                {0}) {1}_{0} ;;\n", each->get_name(), function);
    if (command.get_parent() == nullptr) out += fmt::format("                help) {} ;;\n", function);
    out += "            esac ;;\n    esac\n";
}

void add_zsh_command(std::string& out, const CLI::App& command, const std::string& function) {
    out += fmt::format("{}() {{\n    local curcontext=$curcontext state line\n    local -a subcommands\n", function);
    out += "    typeset -A opt_args\n    _arguments -C";
    for (const CLI::Option* option : listed_options(command)) add_zsh_option(out, *option);
    const auto arguments = listed_arguments(command);
    for (const CLI::Option* argument : arguments)
        out += fmt::format(" \\\n        '{}:{}:{}'", argument->get_expected_max() > 1 ? "*" : "", argument->get_name(),
                           zsh_action(values_named(argument->get_name())));
    if (listed_subcommands(command).empty())
        out += '\n';
    else
        add_zsh_subcommands(out, command, function);
    out += "}\n\n";
    for (const CLI::App* each : listed_subcommands(command))
        add_zsh_command(out, *each, function + '_' + each->get_name());
}

}  // namespace

std::string bash_completion(const CLI::App& root) {
    std::string out = bash_begin;
    add_bash_subcommands(out, root);
    out += "        esac\n    done\n    case $command in\n";
    add_bash_command(out, root);
    return out + bash_end;
}

std::string zsh_completion(const CLI::App& root) {
    std::string out = "#compdef ringpost\n# Completion for zsh, as printed by `ringpost --generate zsh`.\n\n";
    add_zsh_command(out, root, "_ringpost");
    // Loaded by compinit, the file is the function's first call; sourced, it only defines the functions.
    return out +
           "if [[ $funcstack[1] == _ringpost ]]; then\n    _ringpost \"$@\"\nelse\n    compdef _ringpost "
           "ringpost\nfi\n";
}

}  // namespace ringpost::apps
