#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include <ringpost/native/statistics.hpp>
#include "codec/native/channel/outgoing.hpp"
#include "codec/native/flow.hpp"
#include "codec/native/options.hpp"
#include "codec/native/reference.hpp"
#include "codec/recovery/limits.hpp"

namespace ringpost::native {

/// References of a packet that is being built.
struct PacketReferences {
    std::array<Reference, recovery::limits::references_per_packet_max> all{};
    std::uint32_t count = 0;
    bool full() const { return count == all.size(); }
    void add(Reference reference) { all[count++] = reference; }
};

/// The messages of all channels: which of them go into the next packet, and what happens when a packet's fate is known.
class Sending {
  public:
    Sending(const ConnectionOptions& options, const PeerOptions& peer);

    std::uint32_t channels() const { return static_cast<std::uint32_t>(channels_.size()); }
    Outgoing& channel(std::uint32_t index) { return *channels_[index]; }
    const Outgoing& channel(std::uint32_t index) const { return *channels_[index]; }
    std::uint32_t message_bytes_max() const { return message_bytes_max_; }

    /// Whether pack() would find anything, except for the peer's limits.
    bool has_data() const;
    /// Everything that was appended is acknowledged.
    bool all_acked() const;
    std::uint64_t count_unacked() const;
    /// In the form of the wire.
    std::uint64_t unacked_bytes() const;
    std::uint64_t unsent_bytes() const;

    /// Fills a packet. `whole`: room for frames in a packet of the largest size; `fill`: cut messages to fill this one.
    void pack(FrameWriter& out, std::size_t whole, bool fill, PacketReferences& references, Statistics& counts);
    /// Puts the slice into the packet again, as a probe.
    bool pack_again(FrameWriter& out, Reference slice, PacketReferences& references, Statistics& counts);
    /// A packet was built with pack(): another channel's turn may come.
    void end_packet();

    /// See Outgoing.
    void rewind();

    void on_acked(Reference reference);
    void on_lost(Reference reference);
    void on_window(const WindowFrame& frame);

    /// A channel that has free space again although a send was refused; -1: none.
    int take_writable();
    /// A channel of which the peer has more messages than when this was last asked; -1: none. Only with
    /// ProtocolOptions::acknowledgements.
    int take_acknowledged();
    /// A send was refused for want of space, and is tried once more: take_writable() will report that there is. Called
    /// by the appending thread.
    void await_space(std::uint32_t channel) {
        awaited_[channel].store(true, std::memory_order_relaxed);
        // Either the appending thread sees the space that comes now, or the driving one sees that it is awaited.
        std::atomic_thread_fence(std::memory_order_seq_cst);
    }

  private:
    struct Group {
        std::vector<std::uint8_t> channels;  ///< of one priority
        std::uint32_t current = 0;
        std::uint32_t turns_left = 1;
    };

    /// Returns false when the packet is full.
    bool pack_channel(Outgoing& channel, std::uint8_t index, FrameWriter& out, const Outgoing::Room& room,
                      PacketReferences& references, Statistics& counts);
    void report_blocked(Outgoing& channel, std::uint8_t index, FrameWriter& out, PacketReferences& references,
                        Statistics& counts);

    std::vector<std::unique_ptr<Outgoing>> channels_;
    std::vector<std::uint8_t> weights_;
    std::vector<Group> groups_;  ///< by priority
    Group* packed_ = nullptr;    ///< whose turn the last packet used
    SendCredit credit_;
    std::uint32_t message_bytes_max_;
    std::unique_ptr<std::atomic<bool>[]> awaited_;  ///< by channel
    bool freed_ = false;                            ///< space may have come since take_writable() looked
    std::vector<std::uint64_t> reported_;           ///< by channel: acknowledged messages; empty: not wanted
    bool acked_ = false;                            ///< more may be acknowledged than is in `reported_`
};

}  // namespace ringpost::native
