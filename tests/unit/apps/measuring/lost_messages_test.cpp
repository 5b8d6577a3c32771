#include "apps/measuring/lost_messages.hpp"

#include <gtest/gtest.h>

namespace ringpost::apps {
namespace {

int code_of(const Json& summary, const std::vector<std::string>& fail_if = {}, int verdict = Exit::done) {
    return print_lost_messages(Report(Report::Form::silent), summary, {.fail_if = fail_if}, verdict);
}

TEST(LostMessages, fail_the_run_of_a_transport_that_delivers) {
    const Json raw = {{"sent", 10}, {"lost", 3}}, whole = {{"sent", 10}, {"lost", 0}, {"transport", "gtudp"}},
               part = {{"sent", 10}, {"lost", 3}, {"transport", "gtudp"}};
    EXPECT_EQ(code_of(raw), Exit::done);
    EXPECT_EQ(code_of(whole), Exit::done);
    EXPECT_EQ(code_of(part), Exit::failed);
    EXPECT_EQ(code_of(part, {"rate<1", "p99>1s"}), Exit::failed);
}

TEST(LostMessages, a_condition_on_loss_decides_alone) {
    const Json part = {{"sent", 10}, {"lost", 3}, {"transport", "gtudp"}};
    EXPECT_EQ(code_of(part, {"loss>50%"}), Exit::done);
    EXPECT_EQ(code_of(part, {"rate<1", "loss<1%"}), Exit::done);
    EXPECT_EQ(code_of(part, {"loss>1%"}, Exit::breach), Exit::breach);
    EXPECT_EQ(code_of(part, {"rate<1"}, Exit::breach), Exit::breach);
    EXPECT_EQ(code_of(part, {}, Exit::cannot_tell), Exit::failed) << "what is lost is known";
}

}  // namespace
}  // namespace ringpost::apps
