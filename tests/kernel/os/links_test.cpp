// multicast_links() and LinkWatcher, in a network namespace in which the test adds and removes links.

#include "engine/os/links.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "tests/kernel/kernel_test.hpp"

namespace ringpost::test {
namespace {

bool ip(const std::string& arguments) { return std::system(("ip " + arguments + " 2>/dev/null").c_str()) == 0; }

const Link* find(const std::vector<Link>& links, const std::string& name) {
    for (const Link& link : links)
        if (link.name == name) return &link;
    return nullptr;
}

/// Waits until the watcher's descriptor is readable and returns changed(). False on timeout.
bool await_change(LinkWatcher& watcher) {
    pollfd ready{watcher.fd(), POLLIN, 0};
    return poll(&ready, 1, static_cast<int>(patience / millisecond)) == 1 && watcher.changed();
}

TEST(Links, follow_changes_of_links_and_addresses) {
    bool dummy = false;
    const bool made = in_network_namespace(65'536, [&] {
        auto opened = LinkWatcher::open();
        ASSERT_TRUE(opened) << opened.error().text;
        LinkWatcher watcher = std::move(*opened);
        EXPECT_FALSE(watcher.changed());
        auto links = multicast_links().value();
        ASSERT_EQ(links.size(), 1u);
        EXPECT_EQ(links[0].name, "lo");
        EXPECT_TRUE(links[0].loopback);
        EXPECT_EQ(links[0].index, if_nametoindex("lo"));
        EXPECT_EQ(interface_index("lo"), links[0].index);
        EXPECT_EQ(links[0].v4, std::vector{loopback_v4()});

        dummy = ip("link add far0 type veth peer name far1");
        if (!dummy) return;
        EXPECT_TRUE(await_change(watcher));
        EXPECT_FALSE(watcher.changed()) << "a change is reported once";
        EXPECT_EQ(multicast_links().value(), links) << "it is not up";

        ASSERT_TRUE(ip("link set far0 up"));
        EXPECT_TRUE(await_change(watcher));
        EXPECT_EQ(multicast_links().value(), links) << "it has no carrier";
        ASSERT_TRUE(ip("link set far1 up"));
        do {  // the carrier is detected with a delay
            ASSERT_TRUE(await_change(watcher));
            links = multicast_links().value();
        } while (find(links, "far0") == nullptr);
        EXPECT_FALSE(find(links, "far0")->loopback);
        EXPECT_TRUE(find(links, "far0")->v4.empty());
        EXPECT_TRUE(std::ranges::is_sorted(links, {}, &Link::index));

        while (watcher.changed()) {
        }
        ASSERT_TRUE(ip("addr add 192.0.2.1/24 dev far0") && ip("addr add 192.0.2.2/24 dev far0 label far0:two"));
        ASSERT_TRUE(ip("addr add fe80::7/64 dev far0 nodad") && ip("addr add 2001:db8::7/64 dev far0 nodad"));
        EXPECT_TRUE(await_change(watcher));
        links = multicast_links().value();
        const Link* far = find(links, "far0");
        ASSERT_NE(far, nullptr);
        EXPECT_EQ(far->v4, (std::vector{Address::v4(192, 0, 2, 1, 0), Address::v4(192, 0, 2, 2, 0)}));
        std::vector<std::string> v6;
        for (const Address& address : far->v6_link_local) v6.push_back(ip_text(address));
        EXPECT_TRUE(std::ranges::count(v6, "fe80::7%far0") == 1) << "and none that is not link-local";
        for (const std::string& text : v6) EXPECT_TRUE(text.starts_with("fe80::")) << text;

        ASSERT_TRUE(ip("link set far0 multicast off"));
        EXPECT_TRUE(await_change(watcher));
        EXPECT_EQ(find(multicast_links().value(), "far0"), nullptr);
        ASSERT_TRUE(ip("link set far0 multicast on") && ip("link set far0 down"));
        EXPECT_TRUE(await_change(watcher));
        EXPECT_EQ(find(multicast_links().value(), "far0"), nullptr);
        ASSERT_TRUE(ip("link del far0"));
        EXPECT_TRUE(await_change(watcher));
        EXPECT_EQ(multicast_links().value().size(), 1u);
    });
    if (!made) GTEST_SKIP() << no_namespace;
    if (!dummy) GTEST_SKIP() << "no permission to create a veth link";
}

TEST(Links, a_receive_buffer_overflow_is_a_change) {
    bool done = false;
    const bool made = in_network_namespace(65'536, [&] {
        LinkWatcher watcher = LinkWatcher::open().value();
        const int tiny = 1;
        setsockopt(watcher.fd(), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof tiny);
        for (int i = 0; i < 20 && ip("addr add 127.0.1." + std::to_string(i) + "/32 dev lo"); ++i) done = true;
        if (!done) return;
        EXPECT_TRUE(await_change(watcher));
        EXPECT_FALSE(watcher.changed());
        ASSERT_TRUE(ip("addr del 127.0.1.1/32 dev lo"));
        EXPECT_TRUE(await_change(watcher)) << "later changes are still detected";
    });
    if (!made) GTEST_SKIP() << no_namespace;
    if (!done) GTEST_SKIP() << "no permission to add addresses";
}

TEST(Links, a_name_without_an_interface_has_no_index) {
    for (const std::string& name : {std::string("none"), std::string(), std::string(IF_NAMESIZE, 'x')}) {
        errno = 0;
        EXPECT_EQ(interface_index(name), 0u);
        EXPECT_EQ(errno, ENODEV) << name;
    }
}

}  // namespace
}  // namespace ringpost::test
