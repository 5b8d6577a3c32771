#pragma once

#include <cerrno>
#include <cstdint>
#include <string>

#include "engine/loop/loop.hpp"
#include "engine/mmsg/mmsg_backend.hpp"
#include "engine/uring/uring_backend.hpp"

namespace ringpost {

/// Opens the chosen backend and returns use(loop), called with a Loop over it. If io_uring is unavailable, `automatic`
/// calls report(text) with a one-line reason and falls back to mmsg. The error is that of the last backend tried.
template <class Use, class Report>
auto with_loop(const EngineOptions& options, Report&& report, Use&& use)
    -> Result<decltype(use(std::declval<Loop<UringBackend>&>()))> {
    if (options.backend != BackendChoice::mmsg) {
        auto backend = UringBackend::open(options);
        if (backend) {
            Loop<UringBackend> loop(std::move(*backend), options.wait);
            return use(loop);
        }
        const int code = backend.error().code;
        const bool no_descriptor = code == EMFILE || code == ENFILE;  // for no backend
        if (options.backend == BackendChoice::uring || no_descriptor) return std::unexpected(backend.error());
        report(backend.error().text + "; using the mmsg backend (epoll, recvmmsg, sendmmsg)");
    }
    auto backend = MmsgBackend::open(options);
    if (!backend) return std::unexpected(backend.error());
    Loop<MmsgBackend> loop(std::move(*backend), options.wait);
    return use(loop);
}

}  // namespace ringpost
