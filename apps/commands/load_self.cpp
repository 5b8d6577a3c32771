#include "apps/commands/load_self.hpp"

#include <string>

#include "apps/commands/commands.hpp"
#include "apps/commands/load_report.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

int run_sink_process(const LoadOptions& options, SharedFigures& figures, const SelfPeer::WriteLine& write_line) {
    Report silent(Report::Form::silent);
    PeerOptions server = peer_of(options);
    server.verify = options.verify;
    server.one_way = options.one_way;
    server.bidirectional = options.bidirectional;
    server.linger = 20 * millisecond;
    server.figures = &figures;
    write_line(run_sink(server, silent, [&](const Address& local) { write_line(std::to_string(local.port)); }).dump());
    return Exit::done;
}

}  // namespace

OwnSink::OwnSink(const LoadOptions& options)
    : process([&](const SelfPeer::WriteLine& write_line) { return run_sink_process(options, figures, write_line); }) {}

Address OwnSink::address() const {
    return Address::v4(127, 0, 0, 1, static_cast<std::uint16_t>(std::stoul(process.read_line())));
}

Json OwnSink::finish(const RunShape& shape, const Json& mine, std::initializer_list<Snapshot*> ends) const {
    figures.announce_sent(mine["sent"]);
    process.stop();
    Json summary = join_reports(mine, Json::parse(process.read_line()));
    for (Snapshot* end : ends) {
        end->received = summary["received"];
        end->lost = summary["lost"];
        end->socket_dropped = summary["socket_dropped"];
    }
    summary.update(summary_json(shape, **ends.begin()));
    return summary;
}

}  // namespace ringpost::apps
