#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ringpost {

/// A counter of the struct `Counters`: its name in every output, and its member. Each struct of counters returns an
/// array of them from `table()`, which all outputs iterate over.
template <class Counters>
struct Counter {
    std::string_view name;
    std::uint64_t Counters::* member;
};

/// Whether `Counters::table()` contains each counter once. `other_bytes` is the size of the members that are not
/// counters. Asserted next to each struct, so a counter without a row does not compile.
template <class Counters>
consteval bool lists_every_counter(std::size_t other_bytes = 0) {
    const auto table = Counters::table();
    for (std::size_t i = 0; i < table.size(); ++i)
        for (std::size_t k = 0; k < i; ++k)
            if (table[i].member == table[k].member || table[i].name == table[k].name) return false;
    return sizeof(Counters) == table.size() * sizeof(std::uint64_t) + other_bytes;
}

/// Adds each counter of `more` to that of `sum`.
template <class Counters>
void add_to(Counters& sum, const Counters& more) {
    for (const auto& row : Counters::table()) sum.*row.member += more.*row.member;
}

/// Operations and losses of one engine since it started, by cause.
struct EngineCounters {
    std::uint64_t received = 0;         ///< datagrams passed to the endpoint
    std::uint64_t received_trains = 0;  ///< deliveries by the kernel, each a datagram or a train
    std::uint64_t sent = 0;             ///< datagrams accepted by the kernel
    std::uint64_t sent_trains = 0;      ///< submissions to the kernel, each a datagram or a train
    std::uint64_t send_retried = 0;     ///< submissions repeated because the socket's send buffer was full
    std::uint64_t trains_refused = 0;   ///< sockets that now send datagrams singly because their path rejects trains
    std::uint64_t send_failed = 0;      ///< datagrams rejected by the kernel
    std::uint64_t unreachable = 0;      ///< errors reporting a peer, its port or its network as unreachable
    std::uint64_t not_allowed = 0;      ///< received datagrams dropped because their source is not allowed
    std::uint64_t truncated = 0;        ///< received datagrams or trains dropped because they did not fit the buffer
    std::uint64_t receive_failed = 0;   ///< other receive errors
    std::uint64_t socket_dropped = 0;   ///< dropped by the kernel: receive buffer full; a train counts as one

    std::uint64_t streams_accepted = 0;       ///< incoming connections that the endpoint accepted
    std::uint64_t streams_refused = 0;        ///< incoming connections that the endpoint refused
    std::uint64_t accept_failed = 0;          ///< failures of accept(), such as no descriptor or no memory
    std::uint64_t streams_connected = 0;      ///< outgoing connections established
    std::uint64_t connect_failed = 0;         ///< outgoing connections that failed
    std::uint64_t streams_broken = 0;         ///< connections ended by a reset or an error
    std::uint64_t stream_bytes_sent = 0;      ///< accepted by the kernel
    std::uint64_t stream_bytes_received = 0;  ///< passed to the endpoint

    int last_send_errno = 0;

    static constexpr auto table() {
        return std::to_array<Counter<EngineCounters>>({
            {"received", &EngineCounters::received},
            {"received_trains", &EngineCounters::received_trains},
            {"sent", &EngineCounters::sent},
            {"sent_trains", &EngineCounters::sent_trains},
            {"send_retried", &EngineCounters::send_retried},
            {"trains_refused", &EngineCounters::trains_refused},
            {"send_failed", &EngineCounters::send_failed},
            {"unreachable", &EngineCounters::unreachable},
            {"not_allowed", &EngineCounters::not_allowed},
            {"truncated", &EngineCounters::truncated},
            {"receive_failed", &EngineCounters::receive_failed},
            {"socket_dropped", &EngineCounters::socket_dropped},
            {"streams_accepted", &EngineCounters::streams_accepted},
            {"streams_refused", &EngineCounters::streams_refused},
            {"accept_failed", &EngineCounters::accept_failed},
            {"streams_connected", &EngineCounters::streams_connected},
            {"connect_failed", &EngineCounters::connect_failed},
            {"streams_broken", &EngineCounters::streams_broken},
            {"stream_bytes_sent", &EngineCounters::stream_bytes_sent},
            {"stream_bytes_received", &EngineCounters::stream_bytes_received},
        });
    }
};
static_assert(lists_every_counter<EngineCounters>(sizeof(std::uint64_t)));

}  // namespace ringpost
