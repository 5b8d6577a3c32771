// The parts of UringBackend that are made at their first use: streams and watched descriptors.

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

}  // namespace ringpost
