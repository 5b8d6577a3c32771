#include "engine/os/interface_facts.hpp"

#include <gtest/gtest.h>

namespace ringpost {
namespace {

TEST(InterfaceFacts, of_loopback) {
    Address loopback;  // ::1
    loopback.ip[15] = 1;
    loopback.family = Family::v6;
    for (const Address& local : {Address::v4(127, 0, 0, 1, 5), Address::v4(127, 0, 0, 1, 0), loopback}) {
        const auto facts = interface_facts(local);
        ASSERT_TRUE(facts);
        EXPECT_EQ(facts->name, "lo");
        EXPECT_FALSE(facts->driver);
        EXPECT_TRUE(facts->irqs.empty());
        EXPECT_FALSE(facts->numa_node);
        if (facts->mtu_bytes) {
            EXPECT_GE(*facts->mtu_bytes, 1'280u);
        }
        for (const auto& [name, on] : facts->offloads) EXPECT_FALSE(name.empty());
    }
}

TEST(InterfaceFacts, of_an_address_that_no_interface_has) {
    EXPECT_FALSE(interface_facts(Address::v4(192, 0, 2, 77, 0)));
    EXPECT_FALSE(interface_facts(Address{}));
    Address v6;
    v6.ip[0] = 0x20;
    v6.family = Family::v6;
    EXPECT_FALSE(interface_facts(v6));
}

TEST(InterfaceFacts, of_the_processors) {
    if (const auto nodes = numa_nodes()) {
        EXPECT_GE(*nodes, 1u);
    }
    for (const std::string& governor : cpu_governors()) EXPECT_FALSE(governor.empty());
}

}  // namespace
}  // namespace ringpost
