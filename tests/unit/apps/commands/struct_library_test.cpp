#include "apps/commands/struct_library.hpp"

#include <gtest/gtest.h>

#include "apps/cli/failure.hpp"
#include "tests/unit/apps/temporary_file.hpp"

namespace ringpost::apps {
namespace {

TEST(StructLibrary, is_read_as_any_editor_writes_it) {
    for (const std::string contents : {
             "{\"a\": {\"id\": 1, \"format\": \"<BH\"}}",
             "\xef\xbb\xbf{\"a\": {\"id\": 1, \"format\": \"<BH\"}}\n",
             "\xef\xbb\xbf{\r\n  \"a\": {\"id\": 1,\r\n \"format\": \"<BH\"}\r\n}\r\n",
         }) {
        const TemporaryFile file(contents);
        try {
            EXPECT_NE(load_library(file.path()).find("a"), nullptr) << contents;
        } catch (const Failure& failure) {
            ADD_FAILURE() << failure.what();
        }
    }
}

}  // namespace
}  // namespace ringpost::apps
