#include "engine/udp/inbox.hpp"

#include <algorithm>

#include "engine/os/clock.hpp"
#include "engine/udp/socket_errors.hpp"
#include "engine/udp/system_calls.hpp"

namespace ringpost {

std::size_t control_bytes(const UdpSocket& socket) {
    return (socket.gro() ? receive_control_bytes : 0) + (socket.stamps() ? stamp_control_bytes : 0);
}

void take_control(Received& train, void* control, std::size_t bytes) {
    const ReceiveControl told = bytes > 0 ? read_control(control, bytes) : ReceiveControl{};
    train.segment_bytes = told.segment_bytes > 0 ? told.segment_bytes : train.bytes.size();
    train.stamped_at = told.stamped_unix_ns;
}

void settle_stamps(std::span<Received> batch) {
    const auto is_stamped = [](const Received& train) { return train.stamped_at != never; };
    const auto first = std::ranges::find_if(batch, is_stamped);
    if (first == batch.end()) return;
    const Duration offset = unix_offset();
    for (auto train = first; train != batch.end(); ++train)
        if (is_stamped(*train)) train->stamped_at -= offset;
}

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
    const auto count = static_cast<std::size_t>(std::max(result, 0));
    for (std::size_t slot = used_; slot < used_ + count; ++slot) {
        if ((messages_[slot].msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
            ++counters.truncated;
        else
            out.push_back(delivery(slot, socket, index));
    }
    used_ += count;
    burst.result(count == burst.size());
    return count == room;
}

void Inbox::prepare(std::size_t slot, const UdpSocket& socket) {
    const bool connected = socket.peer().family != Family::none;
    msghdr& header = messages_[slot].msg_hdr;
    header.msg_iov = &slots_[slot].vector;
    header.msg_iovlen = 1;
    header.msg_name = connected ? nullptr : &slots_[slot].name;
    header.msg_namelen = connected ? 0 : sizeof(SocketAddress);
    header.msg_controllen = control_bytes(socket);
    header.msg_control = header.msg_controllen > 0 ? slots_[slot].control : nullptr;
    header.msg_flags = 0;
}

Received Inbox::delivery(std::size_t slot, const UdpSocket& socket, SocketIndex index) {
    const msghdr& header = messages_[slot].msg_hdr;
    Received train;
    train.source = header.msg_name == nullptr ? socket.peer() : from_socket_address(slots_[slot].name.any);
    train.socket = index;
    train.bytes = {&memory_[slot * receive_buffer_bytes], messages_[slot].msg_len};
    take_control(train, header.msg_control, header.msg_controllen);
    return train;
}

}  // namespace ringpost
