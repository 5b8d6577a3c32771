#include "codec/devices/directory.hpp"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/helpers.hpp"

namespace ringpost::devices {
namespace {

constexpr Duration period = 30 * second;
using What = Heard::What;

Address at(unsigned host) { return Address::v4(10, 0, 0, static_cast<std::uint8_t>(host), 3'235); }

struct DevicesDirectory : testing::Test {
    What hear(std::string_view name, unsigned host, SocketIndex socket = 0) {
        return directory.on_advert(now, name, at(host), socket).what;
    }
    std::string pass(Duration duration) {
        now += duration;
        std::string out;
        directory.expire(now, [&](NameIndex index, Change change, const Address&) {
            out += directory[index].name + (change == Change::suspect ? "?" : change == Change::gone ? "-" : ">");
        });
        return out;
    }
    const Device& operator[](std::string_view name) { return directory[directory.find(name)]; }

    Instant now = 5 * second;
    Directory directory{4, period, {1, 2}, now};
};

TEST_F(DevicesDirectory, a_name_is_suspect_then_gone) {
    EXPECT_EQ(hear("a", 1), What::appeared);
    EXPECT_EQ(hear("a", 1), What::known);
    EXPECT_EQ(pass(2 * period - 1), "");
    EXPECT_EQ(pass(1), "a?");
    EXPECT_EQ(pass(3 * period - 1), "");
    EXPECT_EQ(pass(1), "a-");
    EXPECT_EQ(directory.size(), 0u);
    EXPECT_EQ(directory.next_timeout(), std::nullopt);
    EXPECT_EQ(hear("a", 2), What::appeared);
}

TEST_F(DevicesDirectory, a_suspect_that_is_heard_is_back) {
    hear("a", 1);
    pass(3 * period);
    EXPECT_EQ(hear("a", 1), What::back);
    EXPECT_EQ(pass(2 * period - 1), "");
    EXPECT_EQ(pass(1), "a?");
}

TEST_F(DevicesDirectory, signs_keep_a_name_that_is_not_heard) {
    hear("a", 1);
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(pass(period), i == 1 ? "a?" : "");
        directory.on_sign(now, directory.find("a"));
    }
    EXPECT_EQ(pass(5 * period), "a-");
}

TEST_F(DevicesDirectory, a_failure_shortens_the_wait_until_it_is_heard) {
    hear("a", 1);
    hear("b", 2);
    now += second;
    EXPECT_EQ(directory.on_failure(now, directory.find("a")), Change::suspect);
    EXPECT_EQ(directory.on_failure(now, directory.find("a")), std::nullopt);
    EXPECT_EQ(directory.on_failure(now, directory.find("b")), Change::suspect);
    EXPECT_EQ(hear("b", 2), What::back);
    EXPECT_EQ(pass(2 * period), "b?a-");
}

TEST_F(DevicesDirectory, the_first_address_keeps_the_name_while_it_is_heard) {
    hear("a", 1);
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(pass(period), "");
        EXPECT_EQ(hear("a", 2), What::conflict);
        EXPECT_EQ(hear("a", 1), What::known);
        EXPECT_EQ(hear("a", 3, 1), What::elsewhere);
    }
    EXPECT_EQ((*this)["a"].address, at(1));
}

TEST_F(DevicesDirectory, a_claimant_waits_for_an_advert_s_time) {
    hear("a", 1);
    now += second;
    EXPECT_EQ(hear("a", 2), What::conflict);
    EXPECT_EQ(pass(period), "");
    EXPECT_EQ(pass(period / 4), "a>");
    EXPECT_EQ((*this)["a"].address, at(2));
}

TEST_F(DevicesDirectory, a_claimant_waits_less_when_a_sign_was_asked_for) {
    hear("a", 1);
    now += second;
    hear("a", 2);
    directory.confirm_by(now + second, directory.find("a"));
    now += second / 2;
    directory.on_sign(now, directory.find("a"));
    EXPECT_EQ(pass(second), "") << "there was a sign";
    hear("a", 2);
    directory.confirm_by(now + second, directory.find("a"));
    EXPECT_EQ(pass(second), "a>");
}

TEST_F(DevicesDirectory, a_claimant_does_not_wait_for_one_that_is_lost) {
    hear("a", 1);
    now += second;
    directory.on_failure(now, directory.find("a"));
    const Heard heard = directory.on_advert(now, "a", at(2), 0);
    EXPECT_EQ(heard.what, What::moved);
    EXPECT_EQ(heard.before, at(1));
    EXPECT_EQ((*this)["a"].presence, Presence::alive);
    // And the other way round: first the claim, then the failure.
    hear("a", 3);
    EXPECT_EQ(directory.on_failure(now + 1, directory.find("a")), Change::moved);
    EXPECT_EQ((*this)["a"].address, at(3));
}

TEST_F(DevicesDirectory, conflicts_are_told_once_in_five_periods) {
    hear("a", 1);
    int told = 0;
    for (int i = 0; i < 11; ++i) {
        told += directory.on_advert(now, "a", at(2), 0).tell;
        now += period;
        hear("a", 1);
    }
    EXPECT_EQ(told, 3);
}

TEST_F(DevicesDirectory, full_is_an_answer) {
    for (unsigned i = 0; i < 4; ++i) EXPECT_EQ(hear(std::to_string(i), i), What::appeared);
    EXPECT_EQ(hear("5", 5), What::full);
    EXPECT_EQ(directory.on_connected(now, "5", at(5)).what, What::full);
    directory.remove(directory.find("2"));
    EXPECT_EQ(hear("5", 5), What::appeared);
    EXPECT_EQ(hear("3", 3), What::known);
}

TEST_F(DevicesDirectory, a_connection_teaches_a_name_and_brings_one_back) {
    EXPECT_EQ(directory.on_connected(now, "a", at(1)).what, What::appeared);
    EXPECT_EQ(directory.on_connected(now, "a", at(1)).what, What::known);
    directory.on_failure(now, directory.find("a"));
    EXPECT_EQ(directory.on_connected(now, "a", at(1)).what, What::back);
    EXPECT_EQ(directory.on_connected(now, "a", at(2)).what, What::known) << "the same host by another link";
    EXPECT_EQ((*this)["a"].address, at(1));
    directory.on_failure(now, directory.find("a"));
    EXPECT_EQ(directory.on_connected(now, "a", at(2)).what, What::moved);
}

TEST(DevicesDirectoryModel, finds_what_a_map_finds) {
    Random random(1);
    Directory directory(64, period, {3, 4}, 0);
    std::map<std::string, Address> model;
    for (int step = 0; step < 20'000; ++step) {
        const std::string name = std::to_string(random() % 100);
        const auto host = static_cast<unsigned>(random() % 250);
        if (random() % 3 == 0) {
            const NameIndex index = directory.find(name);
            ASSERT_EQ(index != nobody, model.erase(name) == 1);
            if (index != nobody) directory.remove(index);
        } else if (!model.contains(name)) {
            const bool fits = model.size() < 64;
            ASSERT_EQ(directory.on_advert(0, name, at(host), 0).what, fits ? What::appeared : What::full);
            if (fits) model[name] = at(host);
        }
        ASSERT_EQ(directory.size(), model.size());
        if (step % 100 > 0) continue;
        for (const auto& [known, address] : model) {
            ASSERT_NE(directory.find(known), nobody);
            ASSERT_EQ(directory[directory.find(known)].address, address);
        }
    }
}

}  // namespace
}  // namespace ringpost::devices
