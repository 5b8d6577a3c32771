#include <ringpost/structs/library.hpp>

#include <gtest/gtest.h>

#include "tests/unit/helpers.hpp"

namespace ringpost::structs {
namespace {

TEST(StructsLibrary, finds_by_id_and_by_name) {
    Library library;
    EXPECT_EQ(library.find(0), nullptr);
    EXPECT_EQ(library.find("reading"), nullptr);
    ASSERT_TRUE(library.add(0, "nothing", ""));
    ASSERT_TRUE(library.add(65'535, "reading", "<BHIQ"));
    const Definition* reading = library.find("reading");
    ASSERT_NE(reading, nullptr);
    EXPECT_EQ(library.find(65'535), reading);
    EXPECT_EQ(reading->id, 65'535);
    EXPECT_EQ(reading->name, "reading");
    EXPECT_EQ(reading->format_text, "<BHIQ");
    EXPECT_EQ(reading->format.bytes(), 15u);
    EXPECT_EQ(library.find(0)->name, "nothing");
    EXPECT_EQ(library.find(1), nullptr);
    ASSERT_EQ(library.definitions().size(), 2u);
    EXPECT_EQ(&library.definitions()[1], reading);
}

TEST(StructsLibrary, refuses_duplicates_and_invalid_formats) {
    Library library;
    ASSERT_TRUE(library.add(1, "one", "i"));
    EXPECT_EQ(library.add(1, "other", "i").error().kind, LibraryError::Kind::id_taken);
    EXPECT_EQ(library.add(2, "one", "i").error().kind, LibraryError::Kind::name_taken);
    EXPECT_EQ(library.add(2, "", "i").error().kind, LibraryError::Kind::name_empty);
    const auto refused = library.add(2, "two", "i3z");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, LibraryError::Kind::bad_format);
    EXPECT_EQ(refused.error().format, (FormatError{FormatError::Kind::bad_code, 2}));
    EXPECT_EQ(library.find("two"), nullptr);
    EXPECT_EQ(library.find(2), nullptr);
    EXPECT_TRUE(library.add(2, "two", "i3s")) << "the refused message left no state";
}

TEST(StructsLibrary, resolves_only_matching_packets) {
    Library library;
    ASSERT_TRUE(library.add(7, "seven", "3h"));
    EXPECT_EQ(library.resolve({7, Bytes(6)}), library.find(7));
    EXPECT_EQ(library.resolve({7, Bytes(5)}).error(), MessageError::wrong_size);
    EXPECT_EQ(library.resolve({7, Bytes(7)}).error(), MessageError::wrong_size);
    EXPECT_EQ(library.resolve({7, {}}).error(), MessageError::wrong_size);
    EXPECT_EQ(library.resolve({8, Bytes(6)}).error(), MessageError::unknown_id);
}

TEST(StructsLibrary, a_full_library_refuses_messages_and_definitions_stay_valid) {
    Library library;
    ASSERT_TRUE(library.add(0, "0", "b"));
    const Definition* first = library.find(0);
    for (std::size_t i = 1; i < limits::struct_messages_max; ++i)
        ASSERT_TRUE(library.add(static_cast<MessageId>(i), std::to_string(i), "b"));
    EXPECT_EQ(library.add(60'000, "one more", "b").error().kind, LibraryError::Kind::full);
    EXPECT_EQ(library.find(0), first);
    EXPECT_EQ(first->name, "0");
    EXPECT_EQ(library.find(static_cast<MessageId>(limits::struct_messages_max - 1))->id,
              limits::struct_messages_max - 1);
}

}  // namespace
}  // namespace ringpost::structs
