#include "apps/commands/command_line.hpp"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "apps/cli/completion.hpp"
#include "apps/cli/help.hpp"
#include "apps/cli/manual.hpp"
#include "apps/cli/usage_error.hpp"
#include "apps/commands/commands.hpp"
#include "apps/commands/struct_values.hpp"

namespace ringpost::apps {
namespace {

constexpr struct {
    std::string_view name;
    void (*add)(CLI::App& app, Command& chosen);
} subcommands[] = {
    {"load", add_load},         {"sink", add_sink},       {"latency", add_latency}, {"echo", add_echo},
    {"merge", add_merge},       {"compare", add_compare}, {"relay", add_relay},     {"send", add_send},
    {"recv", add_recv},         {"message", add_message}, {"struct", add_struct},   {"node", add_node},
    {"discover", add_discover}, {"beacon", add_beacon},   {"key", add_key},
};

/// Replaces `help NAME...` by `NAME... --help`.
std::vector<std::string> without_help_command(std::vector<std::string> arguments) {
    const bool help = arguments.size() > 1 && arguments[1] == "help";
    while (arguments.size() > 1 && arguments[1] == "help") arguments.erase(arguments.begin() + 1);
    if (help) arguments.emplace_back("--help");
    return arguments;
}

/// `help lod` and `lod --help` name no subcommand.
bool names_no_subcommand(const CLI::App& app) {
    const CLI::App& last = innermost(app);
    return last.get_require_subcommand_min() > 0 && !last.remaining().empty() && last.remaining().front()[0] != '-';
}

/// The command whose page is named `ringpost-NAME`, or null.
const CLI::App* command_named(const CLI::App& command, const std::string& name) {
    for (const CLI::App* each : listed_subcommands(command)) {
        if (name == each->get_name()) return each;
        if (const std::string before = each->get_name() + '-'; name.starts_with(before))
            return command_named(*each, name.substr(before.size()));
    }
    return nullptr;
}

/// What --generate prints. `version` is `ringpost 0.1.0 (COMMIT)`; a page has no commit.
std::string generated(const CLI::App& app, const std::string& what, const std::string& version) {
    constexpr std::string_view page = "man:";
    if (what == "bash") return bash_completion(app);
    if (what == "zsh") return zsh_completion(app);
    const CLI::App* const command = what.starts_with(page) ? command_named(app, what.substr(page.size())) : nullptr;
    if (command == nullptr && what != "man")
        throw CLI::ValidationError("--generate " + shown_value(what) +
                                   ": not bash, zsh, man, or man: and a subcommand, as in man:message-send");
    return manual_page(command != nullptr ? *command : app, version.substr(0, version.find(" (")));
}

/// --generate, which ends the parsing once `text` is written.
void add_generate(CLI::App& app, const std::string& version, std::string& text) {
    const auto generate = [&app, &text, version](const std::string& what) {
        text = generated(app, what, version);
        throw CLI::Success();
    };
    app.add_option_function<std::string>("--generate", generate,
                                         "print the completions for a shell or the manual page, that of a subcommand "
                                         "with man:SUBCOMMAND[-ROLE], and exit (default none)")
        ->type_name("bash|man|zsh");
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv, const std::string& version) {
    CLI::App app("ringpost: UDP load generation, latency measurement and reliable messaging", "ringpost");
    app.formatter(std::make_shared<HelpFormatter>());
    app.set_help_flag("-h,--help", "print this help and exit");
    app.set_version_flag("-v,--version", version, "print the version and its commit, and exit");
    app.require_subcommand(1);
    CommandLine out;
    add_generate(app, version, out.text);
    std::vector<std::string> arguments = without_help_command(escape_brackets(argc, argv));
    mark_sides(arguments);
    // Registering only the named subcommand makes start-up faster. Without one, register all for --help.
    const std::string named = arguments.size() > 1 ? arguments[1] : "";
    const bool known = std::ranges::any_of(subcommands, [&](const auto& each) { return each.name == named; });
    for (const auto& [name, add] : subcommands)
        if (!known || name == named) add(app, out.command);
    end_help(app, {.notes = "ringpost SUBCOMMAND --help, or ringpost help SUBCOMMAND, lists its options.",
                   .examples = {"ringpost load --self --rate 100k --duration 10s", "ringpost help latency"},
                   .exits = {Exit::failed, Exit::breach, Exit::unreachable, Exit::cannot_tell}});
    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
        if (!reversed.empty()) reversed.pop_back();  // the program
        app.parse(std::move(reversed));
    } catch (const CLI::CallForVersion&) {
        return {.text = version + "\n", .command = {}};
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() != 0 || names_no_subcommand(app)) throw Failure(Exit::usage, usage_text(app, error));
        // --generate, or --help of any command
        return {.text = out.text.empty() ? app.help() : out.text, .command = {}};
    }
    return out;
}

std::vector<std::string> subcommand_names() {
    std::vector<std::string> names;
    for (const auto& each : subcommands) names.emplace_back(each.name);
    return names;
}

}  // namespace ringpost::apps
