#pragma once

// TCP streams, shared by both backends: the connection table, the endpoint's requests and the resulting events.
// UringStreams and MmsgStreams add how to wait for sockets.

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <ringpost/counters.hpp>
#include <ringpost/stream.hpp>
#include <ringpost/time.hpp>
#include "engine/tcp/stream_event.hpp"
#include "engine/tcp/stream_socket.hpp"

namespace ringpost {

/// Receive buffers, shared by all connections. They limit how much one turn receives.
inline constexpr unsigned stream_receive_buffers = 64;
inline constexpr std::size_t stream_receive_bytes = 65'536;

/// How long a listener pauses after an accept failed for lack of descriptors or memory.
inline constexpr Duration accept_pause = 100 * millisecond;

/// Write buffers of limits::stream_write_bytes_max each. The current one is reused by every write until a partial write
/// takes it.
class WriteBuffers {
  public:
    using Buffer = std::unique_ptr<std::byte[]>;

    /// The current buffer; the same one until take().
    std::span<std::byte> current();
    Buffer take() { return std::move(current_); }
    void recycle(Buffer buffer);

  private:
    Buffer current_;
    std::vector<Buffer> spare_;
};

/// The connections and listeners of a backend. Single-threaded. See streams.cpp for the mechanism.
class Streams {
  public:
    virtual ~Streams() = default;
    Streams(const Streams&) = delete;
    Streams& operator=(const Streams&) = delete;

    // See backend.hpp.
    void listen(StreamListener listener);
    std::span<const StreamEvent> stream_events() const { return events_; }
    void answer(const StreamEvent& accepted, std::optional<StreamIndex> stream);
    std::optional<StreamInput> post(const StreamRequest& request);
    bool sending() const { return writes_in_flight_ > 0; }

  protected:
    using Slot = std::uint32_t;  // index into the connection table

    /// The socket is closed if the slot is free, or waits for the completion of its last requests.
    struct Connection {
        StreamSocket socket;
        std::optional<StreamIndex> stream;  // none until an accepted connection is answered
        Address peer;
        bool connecting = false;
        bool paused = false;
        bool update_scheduled = false;      // is in scheduled_
        int send_result = 0;                // negative errno of a failed send, reported when the receive ends
        WriteBuffers::Buffer buffer;        // of a partial write
        std::span<const std::byte> unsent;  // the rest of a partial write

        bool wants_bytes() const { return stream && !connecting && !paused; }
    };
    struct Listener {
        StreamListener socket;
        bool waiting = false;  // the backend waits for connections
        Instant paused_until = 0;
    };

    /// Both belong to the backend. post() takes a write's bytes from buffers.current().
    Streams(EngineCounters& counters, WriteBuffers& buffers) : counters_(counters), buffers_(buffers) {}

    // Called by the backend. `result` is a byte count or a negative errno.
    void on_accepted(Listener& listener, int result);
    void on_connected(Slot slot, int result);
    void on_received(Slot slot, std::span<const std::byte> bytes);
    void on_sent(Slot slot, int result);
    /// A receive returned the end of the stream (0) or an error.
    void on_end(Slot slot, int result);

    /// Call once per turn before sleeping. Clears the events, calls update() for connections whose state has changed
    /// and start_accepting() for idle listeners. Returns how long the backend may sleep, at most `sleep`.
    Duration prepare(Duration sleep);
    /// Schedules update() for the next prepare().
    void schedule_update(Slot slot);
    /// Starts and stops waiting for the socket according to the state of the connection.
    virtual void update(Slot slot) = 0;
    /// Starts accepting connections.
    virtual void start_accepting(std::uint32_t index) = 0;
    /// Cancels the connection's requests before it is closed. False if the kernel still uses its memory; call release()
    /// once it does not.
    virtual bool cancel_requests(Slot slot) = 0;
    /// Frees the slot of a closed connection.
    void release(Slot slot);

    Connection& connection(Slot slot) { return connections_[slot]; }
    std::size_t slots() const { return connections_.size(); }
    Listener& listener(std::uint32_t index) { return listeners_[index]; }
    const Listener& listener(std::uint32_t index) const { return listeners_[index]; }
    std::size_t listeners() const { return listeners_.size(); }

  private:
    Slot add(StreamSocket socket, const Address& peer);
    void assign_index(Slot slot, StreamIndex stream);
    Slot slot_of(StreamIndex stream) const;
    std::optional<StreamInput> connect(const StreamRequest& request);
    std::optional<StreamInput> write(const StreamRequest& request);
    std::optional<StreamInput> set_paused(StreamIndex stream, bool paused);
    StreamInput end(Slot slot, int result);
    void emit(const StreamInput& input) { events_.push_back({.input = input}); }
    void close(Slot slot);

    EngineCounters& counters_;
    WriteBuffers& buffers_;
    std::deque<Connection> connections_;  // deques, because requests in flight point into them
    std::deque<Listener> listeners_;
    std::vector<Slot> free_;
    std::vector<Slot> slot_by_stream_;  // by StreamIndex
    std::vector<Slot> scheduled_, updating_;
    std::vector<StreamEvent> events_;
    std::size_t writes_in_flight_ = 0;
};

}  // namespace ringpost
