// structs::Messenger on both backends.

#include <ringpost/structs.hpp>
#include "tests/kernel/faces/face_test.hpp"

namespace ringpost::structs {
namespace {

struct Reading {
    std::uint16_t sensor = 0;
    std::uint32_t value = 0;
    bool operator==(const Reading&) const = default;
};
using ReadingMessage = structs::Message<7, "<HI">;

class StructsTest : public test::OnBackend {
  protected:
    StructsTest() { EXPECT_TRUE(library_.add(ReadingMessage::id, "reading", "<HI")); }

    Messenger open() {
        return Messenger::open(library_, {.bind = test::loopback_v4(), .engine = {.backend = GetParam()}}).value();
    }

    Library library_;
};

TEST_P(StructsTest, sends_a_type_known_at_compile_time) {
    Messenger source = open(), target = open();
    const Reading sent{3, 70'000};
    ASSERT_TRUE(source.send_as<ReadingMessage>(target.local(), sent));
    source.poll(0, [](const Event&) {});
    std::optional<Reading> received;
    const Messenger::Handler handler = [&](const Event& event) {
        EXPECT_EQ(event.kind, Event::Kind::message);
        EXPECT_EQ(event.source, source.local());
        received = ReadingMessage::decode<Reading>({event.id, event.payload});
    };
    EXPECT_TRUE(target.poll(test::patience, handler));
    EXPECT_EQ(received, sent);
    EXPECT_EQ(source.counters().sent, 1u);
    EXPECT_EQ(target.counters().messages, 1u);
}

TEST_P(StructsTest, refuses_what_is_not_in_the_library) {
    Messenger source = open();
    EXPECT_EQ(source.send(source.local(), {8, {}}).error(), Refusal::unknown_id);
    EXPECT_EQ(source.send(source.local(), {7, as_bytes("short")}).error(), Refusal::wrong_size);
}

RINGPOST_ON_BOTH_BACKENDS(StructsTest);

}  // namespace
}  // namespace ringpost::structs
