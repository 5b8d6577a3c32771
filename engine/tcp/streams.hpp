#pragma once

// What both backends share of TCP: connections and the endpoint's names for them, what is asked of them, what has
// happened to them. How to wait for a connection is what a backend adds: UringStreams, MmsgStreams.

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

/// Buffers to receive in, of all connections together: a turn takes in no more than they hold.
inline constexpr unsigned stream_receive_buffers = 64;
inline constexpr std::size_t stream_receive_bytes = 65'536;

/// How long a listener rests that cannot accept: out of descriptors or memory.
inline constexpr Duration accept_rest = 100 * millisecond;

/// The buffers that writes are made in. One is lent; it is taken only when the system has not taken its bytes at once.
class WriteBuffers {
  public:
    using Buffer = std::unique_ptr<std::byte[]>;

    /// limits::stream_write_bytes_max, the same ones until take().
    std::span<std::byte> lend();
    Buffer take() { return std::move(lent_); }
    void give_back(Buffer buffer);

  private:
    Buffer lent_;
    std::vector<Buffer> spare_;
};

class Streams {
  public:
    virtual ~Streams() = default;
    Streams(const Streams&) = delete;
    Streams& operator=(const Streams&) = delete;

    // The calls of backend.hpp.
    void listen(StreamListener listener);
    std::span<const StreamEvent> stream_events() const { return events_; }
    void answer(const StreamEvent& accepted, std::optional<StreamIndex> name);
    std::optional<StreamInput> post(const StreamRequest& request);
    bool sending() const { return writes_under_way_ > 0; }

  protected:
    using Slot = std::uint32_t;  // a connection's place in the table

    /// Its socket is closed in a place that is free, or that requests still under way keep from being used again.
    struct Connection {
        StreamSocket socket;
        std::optional<StreamIndex> name;  // none before accept() was answered
        Address peer;
        bool connecting = false;
        bool paused = false;
        bool to_serve = false;              // is in to_serve_
        int send_result = 0;                // a send has failed with it: the receive ends, and tells
        WriteBuffers::Buffer buffer;        // of the write under way, if it did not go at once
        std::span<const std::byte> unsent;  // what the system has not yet taken of it

        bool wants_bytes() const { return name && !connecting && !paused; }
    };
    struct Listener {
        StreamListener socket;
        bool waiting = false;  // the backend waits for connections
        Instant rests_until = 0;
    };

    /// Both are the backend's, and the buffer lent last is where a write's bytes are.
    Streams(EngineCounters& counters, WriteBuffers& buffers) : counters_(counters), buffers_(buffers) {}

    // What a backend has seen. Results are bytes, or a negative errno.
    void on_accepted(Listener& listener, int result);
    void on_connected(Slot slot, int result);
    void on_received(Slot slot, std::span<const std::byte> bytes);
    void on_sent(Slot slot, int result);
    /// The receive has ended: 0, the peer has sent its last byte; or an error.
    void on_end(Slot slot, int result);

    /// What a backend does once a turn, before it waits: forgets what was told, serve()s whom something has changed
    /// for and calls attend() for the listeners that wait for nothing. Returns how long it may sleep.
    Duration prepare(Duration sleep);
    void serve_later(Slot slot);
    /// Waits for what the connection now wants, and no more for what it wants no more.
    virtual void serve(Slot slot) = 0;
    /// Waits for connections.
    virtual void attend(std::uint32_t index) = 0;
    /// The connection is about to be closed. False: something under way still needs its memory, release() will follow.
    virtual bool let_go(Slot slot) = 0;
    void release(Slot slot);

    Connection& connection(Slot slot) { return connections_[slot]; }
    std::size_t slots() const { return connections_.size(); }
    Listener& listener(std::uint32_t index) { return listeners_[index]; }
    const Listener& listener(std::uint32_t index) const { return listeners_[index]; }
    std::size_t listeners() const { return listeners_.size(); }

  private:
    Slot add(StreamSocket socket, const Address& peer);
    void give_name(Slot slot, StreamIndex name);
    Slot slot_of(StreamIndex name) const;
    std::optional<StreamInput> connect(const StreamRequest& request);
    std::optional<StreamInput> write(const StreamRequest& request);
    std::optional<StreamInput> pause(StreamIndex name, bool paused);
    StreamInput end(Slot slot, int result);
    void tell(const StreamInput& input) { events_.push_back({.input = input}); }
    void close(Slot slot);

    EngineCounters& counters_;
    WriteBuffers& buffers_;
    std::deque<Connection> connections_;  // deques: requests in the kernel's hands point into them
    std::deque<Listener> listeners_;
    std::vector<Slot> free_;
    std::vector<Slot> slots_;  // by name
    std::vector<Slot> to_serve_, serving_;
    std::vector<StreamEvent> events_;
    std::size_t writes_under_way_ = 0;
};

}  // namespace ringpost
