// The parts of UringBackend off the path of datagrams: streams and watched descriptors, which are made at their first
// use, and reports.

#include <string>
#include <utility>

#include "engine/uring/uring_backend.hpp"

namespace ringpost {

Result<void> UringBackend::open_streams() {
    if (streams_ != nullptr) return {};
    auto opened = UringStreams::open(ring_, counters_, write_buffers_);
    if (!opened) return std::unexpected(opened.error());
    streams_ = std::move(*opened);
    return {};
}

Result<void> UringBackend::listen(StreamListener listener) {
    if (auto done = open_streams(); !done) return done;
    streams_->listen(std::move(listener));
    return {};
}

std::optional<StreamInput> UringBackend::post(const StreamRequest& request) {
    if (!open_streams()) {  // no stream exists yet, so the request can only be to connect
        ++counters_.connect_failed;
        StreamInput refused;
        refused.kind = StreamInput::Kind::closed;
        refused.stream = request.stream;
        refused.end = StreamEnd::failed;
        return refused;
    }
    return streams_->post(request);
}

int UringBackend::stay_armed() {
    stays_armed_ = true;
    auto opened = Waker::open();
    if (opened && ring_.signal(opened->fd())) ready_.emplace(std::move(*opened));
    enter(0);
    return ready_ ? ready_->fd() : ring_.fd();
}

Result<Watched> UringBackend::watch(int fd) {
    if (!watches_) {
        auto opened = Watches::open();
        if (!opened) return std::unexpected(opened.error());
        watches_.emplace(std::move(*opened));
    }
    return watches_->add(fd);
}

void UringBackend::unwatch(int fd) {
    if (watches_) watches_->remove(fd);
}

std::string UringBackend::granted() const {
    constexpr std::pair<unsigned, const char*> names[] = {{IORING_SETUP_SINGLE_ISSUER, "single_issuer"},
                                                          {IORING_SETUP_DEFER_TASKRUN, "defer_taskrun"},
                                                          {IORING_SETUP_TASKRUN_FLAG, "taskrun_flag"},
                                                          {IORING_SETUP_SUBMIT_ALL, "submit_all"},
                                                          {IORING_SETUP_CQSIZE, "cqsize"},
                                                          {IORING_SETUP_CLAMP, "clamp"}};
    std::string out;
    for (const auto& [flag, text] : names)
        if ((ring_.setup_flags() & flag) != 0) out += (out.empty() ? "" : " ") + std::string(text);
    return out;
}

std::size_t UringBackend::in_flight() const {
    std::size_t count = (waker_armed_ ? 1 : 0) + (watches_armed_ ? 1 : 0);
    for (const SocketSlot& slot : sockets_) count += slot.requests;
    return count + (streams_ != nullptr ? streams_->in_flight() : 0);
}

}  // namespace ringpost
