#pragma once

#include <cstddef>
#include <cstdint>

#include "codec/base/zeroed_array.hpp"
#include "codec/native/flow.hpp"
#include "codec/native/frame.hpp"
#include "codec/native/send_log.hpp"

namespace ringpost::native {

/// A piece of a SendLog that was put into a packet: whole messages, or a part of one. It is sent again as it is.
struct Slice {
    std::uint32_t position = 0;  ///< in the log, low half
    std::uint32_t first = 0;     ///< number of the (first) message, low half
    std::uint32_t offset = 0;    ///< of a part: in its message
    std::uint16_t bytes = 0;     ///< of messages with their lengths, or of the part without
    std::uint8_t count = 0;      ///< messages; of a part: bytes of the length in front of its message
    std::uint8_t state = 0;      ///< flags and copies in flight
};
static_assert(sizeof(Slice) == 16);

/// The sending side of a reliable channel: cuts its log into slices, and knows which of them the peer has. Slices are
/// numbered in the order of the log.
class Outgoing {
  public:
    /// `log_bytes`: a power of two. `window`: the peer's first limit.
    Outgoing(std::uint8_t channel, std::size_t log_bytes, std::uint64_t window);

    SendLog& log() { return log_; }
    SendCredit& credit() { return credit_; }
    const SendCredit& credit() const { return credit_; }

    /// Messages that were sent, or begun.
    std::uint64_t numbers() const { return next_number_; }
    /// The peer has all messages below this number.
    std::uint64_t acknowledged() const;
    bool has_new() const { return log_.head() != log_.sent(); }
    bool has_lost() const { return lost_count_ > 0; }
    /// Everything appended so far is acknowledged.
    bool all_acked() const { return log_.una() == log_.head(); }
    /// Messages that are not acknowledged: walks what is left of the log.
    std::uint64_t count_unacked() const;

    enum class Packed : std::uint8_t {
        nothing,    ///< there is nothing (more) to send
        written,    ///< a frame was written; `slice` is set
        no_room,    ///< what is next does not fit into this packet
        no_credit,  ///< the peer's limit for this channel or the connection is reached
        no_slices,  ///< too many slices wait for acknowledgements
    };
    struct Room {
        std::size_t whole;  ///< room for frames of an empty packet of the largest size
        bool fill;          ///< cut a message that does not fit in order to fill the packet
        SendCredit* connection;
    };
    /// Writes a frame with new messages, as many as fit.
    Packed pack_new(FrameWriter& out, const Room& room, std::uint32_t& slice);
    /// Writes the oldest lost slice again.
    Packed pack_lost(FrameWriter& out, std::uint32_t& slice);
    /// Writes the slice again although it may still arrive, as a probe. Returns `nothing` if it has been acknowledged.
    Packed pack_again(FrameWriter& out, std::uint32_t slice);

    /// Forgets the slices: everything that is not acknowledged is cut anew, and sent again.
    void rewind();

    /// The fate of a packet with this slice. Slices before begin() are known to be acknowledged.
    void on_acked(std::uint32_t slice);
    void on_lost(std::uint32_t slice);
    std::uint32_t begin() const { return begin_; }

  private:
    enum State : std::uint8_t { acked = 0x80, part = 0x40, copies = 0x3f };
    /// Messages at the front of the log that fit.
    struct Batch {
        std::uint32_t count = 0, bytes = 0;
        std::uint64_t cost = 0;
        bool no_credit = false;
    };

    Batch measure(std::size_t room, std::uint64_t credit, std::uint64_t most) const;
    std::uint32_t repeated(std::uint64_t position, std::uint32_t bytes, std::uint32_t most) const;
    Packed pack_part(FrameWriter& out, std::uint32_t& slice);
    bool write_slice(FrameWriter& out, const Slice& slice);
    Slice& at(std::uint32_t slice) { return slices_[slice & mask_]; }
    std::uint32_t add_slice(const Slice& slice);
    bool is_known(std::uint32_t slice) const { return slice - begin_ < end_ - begin_; }
    void set_lost(std::uint32_t slice, bool lost);
    void free_acked();

    std::uint8_t channel_;
    SendLog log_;
    SendCredit credit_;
    ZeroedArray<Slice> slices_;
    ZeroedArray<std::uint64_t> lost_;  ///< a bit for each slice: to be sent again
    std::uint32_t mask_;
    std::uint32_t begin_ = 0, end_ = 0;
    std::uint32_t lost_from_ = 0;  ///< no slice before it is lost
    std::uint32_t lost_count_ = 0;
    std::uint64_t next_number_ = 0;
    std::uint64_t paid_ = 0;  ///< messages below have used credit, although they may be sent anew
    // A message that is being sent in parts: its number is the last one given.
    std::uint32_t part_total_ = 0, part_done_ = 0;
    std::uint8_t part_prefix_ = 0;
    bool in_parts_ = false;
};

}  // namespace ringpost::native
