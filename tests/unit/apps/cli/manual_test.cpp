#include "apps/cli/manual.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "apps/cli/completion.hpp"
#include "apps/cli/help.hpp"

namespace ringpost::apps {
namespace {

/// A command whose texts have what the languages of the pages and of the shells give a meaning.
struct ManualOfOddTexts : testing::Test {
    ManualOfOddTexts() : app(".dots and \\slashes", "odd") {
        app.formatter(std::make_shared<HelpFormatter>());
        app.add_option("--path", path, "'quotes', [brackets]: a-b \\n ~ ^ `x` \"y\"")->type_name("FILE");
        app.add_option("--into", path, ".leading")->type_name("DIR")->take_all();
        app.add_option("--mode", path, "one of two")->type_name("fast|slow");
        end_help(app, {.notes = ".note\n'note", .examples = {"odd --path 'a b'"}, .exits = {}});
    }
    bool page_has(const std::string& text) { return manual_page(app, "odd 1").find(text) != std::string::npos; }

    CLI::App app;
    std::string path;
};

TEST_F(ManualOfOddTexts, are_escaped) {
    EXPECT_TRUE(page_has("odd \\- \\&.dots and \\eslashes\n"));
    EXPECT_TRUE(page_has("\n\\(aqquotes\\(aq, [brackets]: a\\-b \\en \\(ti \\(ha \\(gax\\(ga \\(dqy\\(dq\n"));
    EXPECT_TRUE(page_has("\n\\&.leading\n"));
    EXPECT_TRUE(page_has("\n.SH NOTES\n\\&.note\n\\(aqnote\n.SH EXAMPLES\n.EX\nodd \\-\\-path \\(aqa b\\(aq\n.EE\n"));
    EXPECT_TRUE(page_has("\n\\fB\\-\\-path\\fR \\fIFILE\\fR\n"));
}

TEST_F(ManualOfOddTexts, are_quoted_for_zsh) {
    const std::string script = zsh_completion(app);
    EXPECT_NE(script.find("'(--path)--path['\\''quotes'\\'', \\[brackets\\]\\: a-b \\\\n ~ ^ `x` \"y\"]:FILE:_files'"),
              std::string::npos)
        << script;
    EXPECT_NE(script.find("'*--into[.leading]:DIR:_files -/'"), std::string::npos) << script;
    EXPECT_NE(script.find("'(--mode)--mode[one of two]:fast|slow:(fast slow)'"), std::string::npos) << script;
}

TEST_F(ManualOfOddTexts, have_their_values_in_bash) {
    const std::string script = bash_completion(app);
    for (const char* line : {"--path) kind=-f ;;", "--into) kind=-d ;;", "--mode) values='fast slow' ;;"})
        EXPECT_NE(script.find(line), std::string::npos) << script;
}

}  // namespace
}  // namespace ringpost::apps
