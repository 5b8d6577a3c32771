#include "engine/udp/received.hpp"

#include <algorithm>

#include "engine/os/address.hpp"
#include "engine/os/clock.hpp"
#include "engine/udp/control.hpp"

namespace ringpost {

Received make_received(const UdpSocket& socket, SocketIndex index, const ReceivedMessage& message) {
    const ReceiveControl control =
        message.control_bytes > 0 ? read_control(message.control, message.control_bytes) : ReceiveControl{};
    Received train;
    train.source = message.source == nullptr ? socket.peer() : from_socket_address(*message.source);
    train.socket = index;
    train.bytes = message.bytes;
    train.segment_bytes = control.segment_bytes > 0 ? control.segment_bytes : message.bytes.size();
    train.stamped_at = control.stamped_unix_ns;
    if (DeviceClock* const clock = socket.device_clock())
        train.stamped_at = control.stamped_device_ns == never ? never : clock->to_unix(control.stamped_device_ns);
    train.ecn = control.ecn;
    train.hop_limit = control.to_group ? 0 : control.hop_limit;
    if (!socket.reports_local()) {
        train.local = socket.local();
    } else if (control.local.family != Family::none) {
        train.local = control.local;
        train.local.port = socket.local().port;
    }
    return train;
}

void take_received(const UdpSocket& socket, const Received& train, std::vector<Received>& out,
                   EngineCounters& counters) {
    if (socket.allows(train.source))
        out.push_back(train);
    else
        counters.not_allowed += segment_count(train.bytes.size(), train.segment_bytes);
}

void settle_stamps(std::span<Received> batch) {
    const auto is_stamped = [](const Received& train) { return train.stamped_at != never; };
    const auto first = std::ranges::find_if(batch, is_stamped);
    if (first == batch.end()) return;
    const Duration offset = unix_offset();
    for (auto train = first; train != batch.end(); ++train)
        if (is_stamped(*train)) train->stamped_at -= offset;
}

void count_received(EngineCounters& counters, std::span<const Received> batch) {
    for (const Received& train : batch) counters.received += segment_count(train.bytes.size(), train.segment_bytes);
    counters.received_trains += batch.size();
}

}  // namespace ringpost
