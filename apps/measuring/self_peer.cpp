#include "apps/measuring/self_peer.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

#include "apps/cli/failure.hpp"
#include "apps/cli/options.hpp"

namespace ringpost::apps {
SharedCounters::SharedCounters() {
    void* memory = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw Failure(Exit::failed, "mmap: no memory to share with the other end");
    page_ = new (memory) Page;
}

SharedCounters::~SharedCounters() { munmap(page_, sizeof(Page)); }

SharedCounters::Counters SharedCounters::sum() const {
    Counters out;
    for (const Slot& slot : page_->slots) {
        out.received += slot.received.load(std::memory_order_relaxed);
        out.lost += slot.lost.load(std::memory_order_relaxed);
        out.socket_dropped += slot.socket_dropped.load(std::memory_order_relaxed);
    }
    return out;
}

void SharedCounters::publish(std::size_t engine, const Counters& counts) {
    Slot& slot = page_->slots[engine];
    slot.received.store(counts.received, std::memory_order_relaxed);
    slot.lost.store(counts.lost, std::memory_order_relaxed);
    slot.socket_dropped.store(counts.socket_dropped, std::memory_order_relaxed);
}

SelfPeer::SelfPeer(const std::function<int(const Tell&)>& run) {
    int ends[2];
    if (pipe(ends) != 0) throw Failure(Exit::failed, "pipe: cannot start the other end");
    child_ = fork();
    if (child_ < 0) throw Failure(Exit::failed, "fork: cannot start the other end");
    if (child_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpgid(0, 0);  // a terminal's interrupt is for the parent, who decides when this end stops
        ::close(ends[0]);
        int code = Exit::failed;
        try {
            code = run([&](const std::string& line) {
                const std::string text = line + "\n";
                if (::write(ends[1], text.data(), text.size()) != static_cast<ssize_t>(text.size()))
                    _exit(Exit::failed);
            });
        } catch (const std::exception& error) {
            std::fprintf(stderr, "ringpost: %s\n", error.what());
        }
        _exit(code);
    }
    ::close(ends[1]);
    pipe_ = ends[0];
}

SelfPeer::~SelfPeer() {
    stop();
    ::close(pipe_);
    waitpid(child_, nullptr, 0);
}

std::string SelfPeer::hear() const {
    std::string line;
    char c = 0;
    while (true) {
        const ssize_t got = ::read(pipe_, &c, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0)
            throw Failure(exit_code(Exit::failed), received_signal() != 0
                                                       ? "ended before it began"
                                                       : "the other end has stopped without a report");
        if (c == '\n') return line;
        line += c;
    }
}

void SelfPeer::stop() const { ::kill(child_, SIGTERM); }

}  // namespace ringpost::apps
