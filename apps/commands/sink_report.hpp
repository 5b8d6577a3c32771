#pragma once

// What `ringpost sink` reports at its end.

#include "apps/commands/commands.hpp"
#include "codec/traffic/sink.hpp"

namespace ringpost::apps {

/// The counts of a sink by sender. Those of several engines add up.
class SenderReport {
  public:
    explicit SenderReport(traffic::Sink& sink);

    void add(const SenderReport& other);
    /// Adds `sources`, most datagrams first, and `sources_other` and `sources_forgotten` for those without a row.
    /// Without verification only what was received is known.
    void add_to(Json& summary, bool verified) const;

  private:
    traffic::SenderTable::Rows rows_;
    traffic::SenderCounters others_;
    std::uint64_t forgotten_;
};

/// The end of a sink's run.
struct SinkEnd {
    Json summary;
    Snapshot end;
};
/// As run_sink(); keeps the run in `directory` unless that is null.
SinkEnd measure_sink(const PeerOptions& options, Report& report, RunDirectory* directory,
                     const OnListening& on_listening);

/// After parsing. Rejects conditions of --fail-if on figures that the sink will not know.
void check_conditions(const PeerOptions& options);

/// `ringpost sink`.
int sink_command(const PeerOptions& options);

}  // namespace ringpost::apps
