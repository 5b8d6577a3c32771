#pragma once

// Shared by the programs that measure one transport: a sender and a receiver process, shared counters, sequence checks.

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cinttypes>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bench {

struct Shared {
    std::atomic<bool> ready, stop;
    std::atomic<int> port;
    std::atomic<std::uint64_t> received;
};

[[noreturn]] inline void die(const char* what) {
    std::fprintf(stderr, "%s failed\n", what);
    std::exit(1);
}

[[noreturn]] inline void usage(const char* text) {
    std::fprintf(stderr, "usage: %s\n", text);
    std::exit(2);
}

inline std::uint64_t now_ns() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(t.tv_nsec);
}

inline void put_sequence(void* payload, std::uint64_t sequence) { std::memcpy(payload, &sequence, sizeof sequence); }

inline void check_sequence(const void* payload, std::uint64_t expected) {
    std::uint64_t sequence = 0;
    std::memcpy(&sequence, payload, sizeof sequence);
    if (sequence != expected) die("sequence check");
}

/// A message of at least 8 bytes: its number, then bytes that depend on it.
inline void write_message(std::byte* at, std::size_t bytes, std::uint64_t number) {
    put_sequence(at, number);
    std::memset(at + 8, static_cast<std::uint8_t>(number * 31), bytes - 8);
}

/// Checks the number and the content of a message, eight bytes at a time.
inline void check_message(const std::byte* at, std::size_t bytes, std::uint64_t expected) {
    check_sequence(at, expected);
    const std::uint64_t filler = static_cast<std::uint8_t>(expected * 31), eight = 0x0101'0101'0101'0101 * filler;
    std::uint64_t wrong = 0;
    std::size_t done = 8;
    for (; done + 8 <= bytes; done += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at + done, sizeof word);
        wrong |= word ^ eight;
    }
    for (; done < bytes; ++done) wrong |= std::to_integer<std::uint64_t>(at[done]) ^ filler;
    if (wrong != 0) die("content check");
}

inline void pin(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) die("sched_setaffinity");
}

/// Waits up to 5 s until the receiver has `sent` messages, then prints one JSON object. The duration starts at
/// `start_ns`.
inline void report(const char* name, std::size_t bytes, std::uint64_t sent, Shared& shared, std::uint64_t start_ns) {
    const std::uint64_t give_up = now_ns() + 5'000'000'000;
    while (shared.received < sent && now_ns() < give_up) sched_yield();
    const double duration_s = static_cast<double>(now_ns() - start_ns) / 1e9;
    const std::uint64_t received = shared.received;
    std::printf("{\"peer\":\"%s\",\"bytes\":%zu,\"sent\":%" PRIu64 ",\"received\":%" PRIu64 ",\"lost\":%" PRIu64
                ",\"duration_s\":%.6f,\"rate_per_s\":%.0f}\n",
                name, bytes, sent, received, sent - received, duration_s, static_cast<double>(received) / duration_s);
}

enum class Cores : std::uint8_t { any, pinned };

/// Runs receive(Shared&) in a child process until Shared::stop and send(Shared&) in this one as soon as Shared::ready
/// is set; pinned to core 1 and core 0, or on any core.
template <class Receive, class Send>
void run_pair(Cores cores, Receive receive, Send send) {
    void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) die("mmap");
    auto& shared = *new (memory) Shared{};
    const pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (cores == Cores::pinned) pin(1);
        receive(shared);
        _exit(0);
    }
    if (cores == Cores::pinned) pin(0);
    while (!shared.ready) sched_yield();
    send(shared);
    shared.stop = true;
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) std::exit(1);
}

}  // namespace bench
