#pragma once

// The subcommands. add_NAME registers one; if it is chosen on the command line, it sets `chosen`.

#include <functional>

#include "apps/cli/cores.hpp"
#include "apps/cli/options.hpp"
#include "apps/cli/report.hpp"
#include "apps/cli/server.hpp"
#include "apps/cli/server_end.hpp"
#include "apps/runs/directory.hpp"

namespace ringpost::apps {

void add_sink(CLI::App& root, Command& chosen);
void add_echo(CLI::App& root, Command& chosen);
void add_key(CLI::App& root, Command& chosen);
void add_load(CLI::App& root, Command& chosen);
void add_latency(CLI::App& root, Command& chosen);
void add_merge(CLI::App& root, Command& chosen);
void add_compare(CLI::App& root, Command& chosen);
void add_beacon(CLI::App& root, Command& chosen);
void add_message(CLI::App& root, Command& chosen);
void add_node(CLI::App& root, Command& chosen);
void add_discover(CLI::App& root, Command& chosen);
void add_relay(CLI::App& root, Command& chosen);
void add_send(CLI::App& root, Command& chosen);
void add_recv(CLI::App& root, Command& chosen);
void add_struct(CLI::App& root, Command& chosen);

class SharedFigures;

/// The options of the peer of a measuring command: sink or echo.
struct PeerOptions : ServerOptions {
    Side side = Side::near;      ///< the side that its engines' cores are chosen for
    bool verify = true;          ///< sink only, as are the next four options
    bool one_way = false;        ///< record one-way times
    bool bidirectional = false;  ///< answer each frame
    bool control = true;         ///< answer requests for the counts of a stream
    std::string prometheus;
    std::uint64_t reverse_bits_per_s = 0;  ///< sink only: sent at most to those that ask; 0: nothing
    RunOptions run;                        ///< sink only, as is the next one
    std::vector<std::string> fail_if;      ///< conditions
    ServerEnd end;
    /// After the signal to stop, run until nothing has been received for this long, as datagrams may be in flight.
    Duration linger = 0;
    SharedFigures* figures = nullptr;  ///< sink only: where it publishes its figures, many times a second
};

/// Options for the peer of a --self run: on loopback, with the options that both ends share.
template <class Options>
PeerOptions peer_of(const Options& options) {
    PeerOptions peer;
    peer.common = options.common;
    peer.transport = options.transport;
    peer.bind = "127.0.0.1";
    peer.threads = options.threads;
    peer.side = Side::far;
    return peer;
}

/// Makes the `--` of `compare` an argument of its own, which separates the two sides.
void mark_sides(std::vector<std::string>& arguments);

/// Called with the server's address as soon as it listens.
using OnListening = std::function<void(const Address& local)>;

/// Serve until a signal or the end by itself, and return the summary. Throw a Failure if they cannot start.
Json run_sink(const PeerOptions& options, Report& report, const OnListening& on_listening);
Json run_echo(const PeerOptions& options, Report& report, const OnListening& on_listening);

}  // namespace ringpost::apps
