#include "apps/measuring/self_peer.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <exception>
#include <new>
#include <type_traits>

#include "apps/cli/failure.hpp"
#include "apps/cli/options.hpp"
#include "apps/cli/output.hpp"
#include "apps/cli/report.hpp"
#include "engine/os/system_error.hpp"

namespace ringpost::apps {
namespace {

/// Calls use(index, member) for each member of a snapshot that only a receiver knows.
template <class Use>
void for_each_received(const Use& use) {
    for_each_member([&](const Figure& figure, auto member) {
        if constexpr (!std::is_same_v<decltype(member), double Snapshot::*>)
            if (figure.known == Known::receiving || figure.known == Known::verifying)
                use(static_cast<std::size_t>(&figure - figures), member);
    });
}

}  // namespace

SharedFigures::SharedFigures() {
    void* memory = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw Failure(Exit::failed, "mmap: no memory to share with the peer");
    page_ = new (memory) Page;
}

SharedFigures::~SharedFigures() { munmap(page_, sizeof(Page)); }

void SharedFigures::publish(std::size_t engine, const Snapshot& now) {
    for_each_received([&](std::size_t index, auto member) {
        page_->slots[engine].values[index].store(static_cast<std::uint64_t>(member_of(now, member)),
                                                 std::memory_order_relaxed);
    });
}

void SharedFigures::copy_to(Snapshot& now) const {
    for_each_received([&](std::size_t index, auto member) {
        std::uint64_t sum = 0;
        for (const Slot& slot : page_->slots) sum += slot.values[index].load(std::memory_order_relaxed);
        member_of(now, member) = static_cast<std::remove_reference_t<decltype(member_of(now, member))>>(sum);
    });
}

SelfPeer::SelfPeer(const std::function<int(const WriteLine&)>& run) {
    int ends[2];
    if (pipe(ends) != 0) throw Failure(Exit::failed, system_error("cannot start the peer", errno).text);
    child_ = fork();
    if (child_ < 0) throw Failure(Exit::failed, thread_error("cannot start the peer", errno).text);
    if (child_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpgid(0, 0);  // a terminal's interrupt goes to the parent, which stops this process
        ::close(ends[0]);
        int code = Exit::failed;
        try {
            code = run([&](const std::string& line) {
                const std::string text = line + "\n";
                if (::write(ends[1], text.data(), text.size()) != static_cast<ssize_t>(text.size()))
                    _exit(Exit::failed);
            });
        } catch (const std::exception& error) {
            diagnose(error.what());
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

std::string SelfPeer::read_line() const {
    std::size_t end = 0;
    while ((end = unread_.find('\n')) == std::string::npos) {
        char some[4096];
        const ssize_t got = ::read(pipe_, some, sizeof some);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0)
            throw Failure(exit_code(Exit::failed), received_signal() != 0 ? "interrupted before the start"
                                                                          : "the peer has exited without a report");
        unread_.append(some, static_cast<std::size_t>(got));
    }
    std::string line = unread_.substr(0, end);
    unread_.erase(0, end + 1);
    return line;
}

void SelfPeer::stop() const { ::kill(child_, SIGTERM); }

}  // namespace ringpost::apps
