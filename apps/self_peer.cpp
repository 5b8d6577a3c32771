#include "apps/self_peer.hpp"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>

#include "apps/options.hpp"

namespace ringpost::apps {
namespace {

/// Keeps this process to the first or the last core it may use.
void pin(bool first) {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2) return;
    int chosen = -1;
    for (int core = 0; core < CPU_SETSIZE; ++core)
        if (CPU_ISSET(core, &allowed) && (!first || chosen < 0)) chosen = core;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(chosen, &one);
    sched_setaffinity(0, sizeof one, &one);
}

}  // namespace

SelfPeer::SelfPeer(const std::function<int(const Tell&)>& run) {
    int ends[2];
    if (pipe(ends) != 0) throw Failure(Exit::failed, "pipe: cannot start the other end");
    child_ = fork();
    if (child_ < 0) throw Failure(Exit::failed, "fork: cannot start the other end");
    if (child_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpgid(0, 0);  // a terminal's interrupt is for the parent, who decides when this end stops
        ::close(ends[0]);
        pin(false);
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
    pin(true);
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
        if (got <= 0) throw Failure(Exit::failed, "the other end has stopped without a report");
        if (c == '\n') return line;
        line += c;
    }
}

void SelfPeer::stop() const { ::kill(child_, SIGTERM); }

}  // namespace ringpost::apps
