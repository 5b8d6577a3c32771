#include "apps/commands/struct_library.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "apps/cli/failure.hpp"

namespace ringpost::apps {
namespace {

TEST(StructLibrary, is_read_as_any_editor_writes_it) {
    for (const std::string contents : {
             "{\"a\": {\"id\": 1, \"format\": \"<BH\"}}",
             "\xef\xbb\xbf{\"a\": {\"id\": 1, \"format\": \"<BH\"}}\n",
             "\xef\xbb\xbf{\r\n  \"a\": {\"id\": 1,\r\n \"format\": \"<BH\"}\r\n}\r\n",
         }) {
        std::string path = (std::filesystem::temp_directory_path() / "ringpost-library-XXXXXX").string();
        close(mkstemp(path.data()));
        std::ofstream(path, std::ios::binary) << contents;
        try {
            EXPECT_NE(load_library(path).find("a"), nullptr) << contents;
        } catch (const Failure& failure) {
            ADD_FAILURE() << failure.what();
        }
        std::filesystem::remove(path);
    }
}

}  // namespace
}  // namespace ringpost::apps
