// Requests are copied to a queue and returned in order. Consecutive replies with equal destination, socket, hop limit
// and size form a train, which a shorter one may end.

#include "codec/echo/endpoint.hpp"

#include <cstring>

#include "codec/base/limits.hpp"
#include "codec/base/reflection.hpp"

namespace ringpost::echo {

Endpoint::Endpoint() : replies_(limits::echo_queue_bytes) {}

void Endpoint::handle(Instant, const Datagram& in) {
    ++counts_.received;
    if (reflects(in.source.port) || from_itself(in) || in.bytes.size() > limits::datagram_bytes_max)
        ++counts_.refused;
    else if (is_last_hop(in.hop_limit))
        ++counts_.hops_exhausted;
    else if (!replies_.push({in.source, in.path(), next_hop_limit(in.hop_limit)}, in.bytes))
        ++counts_.queue_full;
}

std::optional<Transmit> Endpoint::poll_transmit(Instant, std::span<std::byte> out) {
    auto reply = replies_.front();
    if (!reply) return std::nullopt;
    const Reply to = reply->header;
    const std::size_t segment_bytes = reply->bytes.size();
    std::size_t bytes = 0;
    std::size_t count = 0;
    bool closed = false;
    while (reply && !closed && count < limits::train_segments_max && reply->header == to &&
           reply->bytes.size() <= segment_bytes && bytes + reply->bytes.size() <= limits::datagram_bytes_max) {
        if (count > 0 && reply->bytes.empty()) break;  // an empty datagram cannot be a segment
        if (!reply->bytes.empty()) std::memcpy(&out[bytes], reply->bytes.data(), reply->bytes.size());
        bytes += reply->bytes.size();
        closed = reply->bytes.size() < segment_bytes || segment_bytes == 0;
        ++count;
        replies_.pop();
        reply = replies_.front();
    }
    counts_.sent += count;
    return Transmit{to.destination, to.path.socket, bytes, segment_bytes, to.path.local, to.hop_limit};
}

}  // namespace ringpost::echo
