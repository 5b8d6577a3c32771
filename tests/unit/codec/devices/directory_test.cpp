#include "codec/devices/directory.hpp"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/helpers.hpp"

namespace ringpost::devices {
namespace {

constexpr Duration period = 30 * second;
Address host_at(unsigned host) { return Address::v4(10, 0, 0, static_cast<std::uint8_t>(host), 3'235); }

struct DevicesDirectory : testing::Test {
    Update::Kind advert(std::string_view name, unsigned host, SocketIndex socket = 0) {
        return directory.on_advert(now, name, host_at(host), socket).kind;
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

TEST_F(DevicesDirectory, a_name_becomes_suspect_then_gone) {
    EXPECT_EQ(advert("a", 1), Update::Kind::appeared);
    EXPECT_EQ(advert("a", 1), Update::Kind::known);
    EXPECT_EQ(pass(2 * period - 1), "");
    EXPECT_EQ(pass(1), "a?");
    EXPECT_EQ(pass(3 * period - 1), "");
    EXPECT_EQ(pass(1), "a-");
    EXPECT_EQ(directory.size(), 0u);
    EXPECT_EQ(directory.next_timeout(), std::nullopt);
    EXPECT_EQ(advert("a", 2), Update::Kind::appeared);
}

TEST_F(DevicesDirectory, a_suspect_name_comes_back_with_an_advert) {
    advert("a", 1);
    pass(3 * period);
    EXPECT_EQ(advert("a", 1), Update::Kind::back);
    EXPECT_EQ(pass(2 * period - 1), "");
    EXPECT_EQ(pass(1), "a?");
}

TEST_F(DevicesDirectory, activity_keeps_a_name_without_adverts) {
    advert("a", 1);
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(pass(period), i == 1 ? "a?" : "");
        directory.on_activity(now, directory.find("a"));
    }
    EXPECT_EQ(pass(5 * period), "a-");
}

TEST_F(DevicesDirectory, a_failure_shortens_the_expiry_until_the_next_advert) {
    advert("a", 1);
    advert("b", 2);
    now += second;
    EXPECT_EQ(directory.on_failure(now, directory.find("a")), Change::suspect);
    EXPECT_EQ(directory.on_failure(now, directory.find("a")), std::nullopt);
    EXPECT_EQ(directory.on_failure(now, directory.find("b")), Change::suspect);
    EXPECT_EQ(advert("b", 2), Update::Kind::back);
    EXPECT_EQ(pass(2 * period), "b?a-");
}

TEST_F(DevicesDirectory, the_first_address_keeps_the_name_while_it_sends_adverts) {
    advert("a", 1);
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(pass(period), "");
        EXPECT_EQ(advert("a", 2), Update::Kind::conflict);
        EXPECT_EQ(advert("a", 1), Update::Kind::known);
        EXPECT_EQ(advert("a", 3, 1), Update::Kind::elsewhere);
    }
    EXPECT_EQ((*this)["a"].address, host_at(1));
}

TEST_F(DevicesDirectory, a_claimant_waits_for_the_time_of_an_advert) {
    advert("a", 1);
    now += second;
    EXPECT_EQ(advert("a", 2), Update::Kind::conflict);
    EXPECT_EQ(pass(period), "");
    EXPECT_EQ(pass(period / 4), "a>");
    EXPECT_EQ((*this)["a"].address, host_at(2));
}

TEST_F(DevicesDirectory, a_claimant_waits_less_after_a_ping) {
    advert("a", 1);
    now += second;
    advert("a", 2);
    directory.confirm_by(now + second, directory.find("a"));
    now += second / 2;
    directory.on_activity(now, directory.find("a"));
    EXPECT_EQ(pass(second), "") << "there was activity";
    advert("a", 2);
    directory.confirm_by(now + second, directory.find("a"));
    EXPECT_EQ(pass(second), "a>");
}

TEST_F(DevicesDirectory, a_claimant_does_not_wait_for_a_lost_device) {
    advert("a", 1);
    now += second;
    directory.on_failure(now, directory.find("a"));
    const Update update = directory.on_advert(now, "a", host_at(2), 0);
    EXPECT_EQ(update.kind, Update::Kind::moved);
    EXPECT_EQ(update.before, host_at(1));
    EXPECT_EQ((*this)["a"].presence, Presence::alive);
    // The reverse order: first the claim, then the failure.
    advert("a", 3);
    EXPECT_EQ(directory.on_failure(now + 1, directory.find("a")), Change::moved);
    EXPECT_EQ((*this)["a"].address, host_at(3));
}

TEST_F(DevicesDirectory, conflicts_are_reported_once_in_five_periods) {
    advert("a", 1);
    int reported = 0;
    for (int i = 0; i < 11; ++i) {
        reported += directory.on_advert(now, "a", host_at(2), 0).report;
        now += period;
        advert("a", 1);
    }
    EXPECT_EQ(reported, 3);
}

TEST_F(DevicesDirectory, a_full_directory_refuses_names) {
    for (unsigned i = 0; i < 4; ++i) EXPECT_EQ(advert(std::to_string(i), i), Update::Kind::appeared);
    EXPECT_EQ(advert("5", 5), Update::Kind::full);
    EXPECT_EQ(directory.on_connected(now, "5", host_at(5)).kind, Update::Kind::full);
    directory.remove(directory.find("2"));
    EXPECT_EQ(advert("5", 5), Update::Kind::appeared);
    EXPECT_EQ(advert("3", 3), Update::Kind::known);
}

TEST_F(DevicesDirectory, a_connection_adds_a_name_and_brings_one_back) {
    EXPECT_EQ(directory.on_connected(now, "a", host_at(1)).kind, Update::Kind::appeared);
    EXPECT_EQ(directory.on_connected(now, "a", host_at(1)).kind, Update::Kind::known);
    directory.on_failure(now, directory.find("a"));
    EXPECT_EQ(directory.on_connected(now, "a", host_at(1)).kind, Update::Kind::back);
    EXPECT_EQ(directory.on_connected(now, "a", host_at(2)).kind, Update::Kind::known)
        << "the same host on another link";
    EXPECT_EQ((*this)["a"].address, host_at(1));
    directory.on_failure(now, directory.find("a"));
    EXPECT_EQ(directory.on_connected(now, "a", host_at(2)).kind, Update::Kind::moved);
}

TEST(DevicesDirectoryModel, agrees_with_a_map) {
    Random random(1);
    Directory directory(64, period, {3, 4}, 0);
    std::map<std::string, Address> model;
    for (int step = 0; step < 20'000; ++step) {
        const std::string name = std::to_string(random() % 100);
        const auto host = static_cast<unsigned>(random() % 250);
        if (random() % 3 == 0) {
            const NameIndex index = directory.find(name);
            ASSERT_EQ(index != no_name, model.erase(name) == 1);
            if (index != no_name) directory.remove(index);
        } else if (!model.contains(name)) {
            const bool fits = model.size() < 64;
            ASSERT_EQ(directory.on_advert(0, name, host_at(host), 0).kind,
                      fits ? Update::Kind::appeared : Update::Kind::full);
            if (fits) model[name] = host_at(host);
        }
        ASSERT_EQ(directory.size(), model.size());
        if (step % 100 > 0) continue;
        for (const auto& [known, address] : model) {
            ASSERT_NE(directory.find(known), no_name);
            ASSERT_EQ(directory[directory.find(known)].address, address);
        }
    }
}

}  // namespace
}  // namespace ringpost::devices
