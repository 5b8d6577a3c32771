// A peer is in open_ when space may have come up for what waits: after a DATA has left the flight. The windows
// themselves change only then.
//
// Whether the application or the window has limited what is in flight is judged when a train of RECVs arrives, by what
// was in flight before it: half of the window in slow start, all but a few datagrams later.

#include "codec/gtudp/windows.hpp"

namespace ringpost::gtudp {
namespace {

/// In which congestion control counts, whatever the size of datagrams.
constexpr std::uint32_t packet_bytes = 1'472;

}  // namespace

Windows::Windows(const Options& options)
    : enabled_(options.congestion != CongestionControl::fixed),
      windows_(enabled_ ? options.peers_max : 1),
      links_(enabled_ ? options.sends_max : 1),
      open_(enabled_ ? options.peers_max : 1) {}

void Windows::begin(Peer& peer, PeerIndex index) {
    Window& window = windows_[index];
    // An earlier peer of this place may still be in open_.
    window = {recovery::Congestion(recovery::Cubic(packet_bytes)), 0, 0, {}, {}, window.open};
    window.bytes = window.congestion.window();
    peer.has_window = true;
}

void Windows::on_confirmed(Instant now, PeerIndex peer, const Confirmed& confirmed, bool rtt_sampled,
                           const recovery::Rtt& rtt) {
    Window& window = windows_[peer];
    const std::uint64_t before = window.in_flight + confirmed.bytes;
    const std::uint64_t unused = window.bytes - std::min(window.bytes, before);
    const bool slow_start = window.congestion.in_slow_start();
    const recovery::AckSample sample = {
        .bytes = confirmed.bytes,
        .in_flight = before,
        .sent_at = confirmed.sent_at,
        .number = number_of(std::max<Instant>(confirmed.sent_at, 0)),
        .rtt_sampled = rtt_sampled,
        .app_limited = unused > (slow_start ? window.bytes / 2 : std::uint64_t{2} * packet_bytes)};
    window.congestion.on_ack(now, sample, confirmed.packets, rtt);
    window.bytes = window.congestion.window();
}

void Windows::on_lost(Instant now, PeerIndex peer, std::size_t bytes, Instant sent_at, bool persistent) {
    Window& window = windows_[peer];
    window.congestion.on_lost(now, {.bytes = bytes, .packets = 1, .sent_at = sent_at, .persistent = persistent});
    window.bytes = window.congestion.window();
    leave(peer, bytes);
}

void Windows::on_late(Instant now, PeerIndex peer) {
    if (!enabled_) return;
    Window& window = windows_[peer];
    window.congestion.on_late(now, 1);
    window.bytes = window.congestion.window();
    open(peer);
}

}  // namespace ringpost::gtudp
