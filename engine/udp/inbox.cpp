// Buffers are used in order until clear(). Each receive prepares the message headers of its burst (source address only
// if the socket is unconnected, control data only if enabled). Truncated messages are counted and dropped.

#include "engine/udp/inbox.hpp"

#include <algorithm>

#include "engine/udp/socket_errors.hpp"
#include "engine/udp/system_calls.hpp"

namespace ringpost {

Inbox::Inbox()
    : memory_(new std::byte[received_max * receive_buffer_bytes]), slots_(received_max), messages_(received_max) {
    for (std::size_t i = 0; i < received_max; ++i)
        slots_[i].vector = {&memory_[i * receive_buffer_bytes], receive_buffer_bytes};
}

bool Inbox::receive(const UdpSocket& socket, SocketIndex index, Burst& burst, std::vector<Received>& out,
                    EngineCounters& counters) {
    const std::size_t room = std::min(received_max - used_, burst.size());
    for (std::size_t slot = used_; slot < used_ + room; ++slot) prepare(slot, socket);
    const int result = receive_now(socket.fd(), &messages_[used_], room);
    if (result < 0) count_receive_error(counters, -result);
    if (result < 0 && socket.reports_errors() && may_be_queued(-result)) socket.discard_errors();
    const auto count = static_cast<std::size_t>(std::max(result, 0));
    for (std::size_t slot = used_; slot < used_ + count; ++slot) {
        const msghdr& header = messages_[slot].msg_hdr;
        if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
            ++counters.truncated;
            continue;
        }
        const Received train = make_received(socket, index,
                                             {.bytes = {&memory_[slot * receive_buffer_bytes], messages_[slot].msg_len},
                                              .source = header.msg_name == nullptr ? nullptr : &slots_[slot].name.any,
                                              .control = header.msg_control,
                                              .control_bytes = header.msg_controllen});
        take_received(socket, train, out, counters);
    }
    used_ += count;
    burst.adapt(count == burst.size());
    return count == room;
}

void Inbox::prepare(std::size_t slot, const UdpSocket& socket) {
    const bool connected = socket.peer().family != Family::none;
    msghdr& header = messages_[slot].msg_hdr;
    header.msg_iov = &slots_[slot].vector;
    header.msg_iovlen = 1;
    header.msg_name = connected ? nullptr : &slots_[slot].name;
    header.msg_namelen = connected ? 0 : sizeof(SocketAddress);
    header.msg_controllen = socket.control_bytes();
    header.msg_control = header.msg_controllen > 0 ? slots_[slot].control : nullptr;
    header.msg_flags = 0;
}

}  // namespace ringpost
