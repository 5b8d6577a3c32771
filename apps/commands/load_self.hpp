#pragma once

#include "apps/commands/load_run.hpp"
#include "apps/measuring/self_peer.hpp"
#include "apps/runs/figures.hpp"

namespace ringpost::apps {

/// The sink of `load --self`, a child process. Create it while this process has no other thread.
struct OwnSink {
    SharedFigures figures;
    SelfPeer process;

    explicit OwnSink(const LoadOptions& options);
    /// Once only.
    Address address() const;
    /// Stops the sink and returns the summary of both ends. `mine` is that of this process. Completes each of `ends` by
    /// what only the sink knows.
    Json finish(const RunShape& shape, const Json& mine, std::initializer_list<Snapshot*> ends) const;
};

}  // namespace ringpost::apps
