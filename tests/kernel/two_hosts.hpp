#pragma once

// Two simulated hosts: network namespaces connected by a veth link.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <semaphore>
#include <string>
#include <thread>

#include "engine/os/address.hpp"

namespace ringpost::test {

/// Two connected network namespaces. made() is false if the process lacks the permission.
class Hosts {
  public:
    Hosts() {
        std::thread first([&] {
            if (!enter_new(0)) return;
            std::binary_semaphore entered{0}, moved{0};
            pid_t second_id = 0;
            std::thread second([&] {
                enter_new(1);
                second_id = gettid();
                entered.release();
                moved.acquire();
                made_ = made_ && set_up(1);
            });
            entered.acquire();
            made_ = ip("link add eth0 type veth peer name eth0 netns " + std::to_string(second_id)) && set_up(0);
            moved.release();
            second.join();
        });
        first.join();
    }
    ~Hosts() {
        for (const int network : networks_) ::close(network);
    }
    Hosts(const Hosts&) = delete;
    Hosts& operator=(const Hosts&) = delete;

    bool made() const { return made_; }

    /// Runs `body` on a thread in the namespace of `host`.
    void on(std::size_t host, const std::function<void()>& body) const {
        std::thread thread([&] {
            ASSERT_EQ(setns(networks_[host], CLONE_NEWNET), 0) << std::strerror(errno);
            body();
        });
        thread.join();
    }

    static Address address(std::size_t host) {
        return Address::v4(10, 79, 0, static_cast<std::uint8_t>(1 + host), 3'235);
    }

  private:
    static bool ip(const std::string& arguments) { return std::system(("ip " + arguments).c_str()) == 0; }
    static bool set_up(std::size_t host) {
        return ip("addr add " + ip_text(address(host)) + "/24 dev eth0") && ip("link set eth0 up") &&
               ip("link set lo up");
    }
    bool enter_new(std::size_t host) {
        if (unshare(CLONE_NEWNET) != 0) return false;
        networks_[host] = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        return networks_[host] >= 0;
    }

    int networks_[2] = {-1, -1};
    bool made_ = false;
};

}  // namespace ringpost::test
