#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <ringpost/datagram.hpp>
#include <ringpost/stream.hpp>
#include "codec/devices/announcer.hpp"
#include "codec/devices/context.hpp"
#include "codec/devices/options.hpp"
#include "codec/devices/questions.hpp"
#include "codec/devices/switchboard.hpp"

namespace ringpost::devices {

/// A named device. Devices discover each other with adverts on the datagram sockets, one per link, then connect and
/// exchange messages and questions by name over streams. The calls are specified in codec/include/ringpost/endpoint.hpp
/// and codec/include/ringpost/stream.hpp.
///
/// Messages to one peer arrive once and in order while the connection lasts. Received messages are never dropped: an
/// application that does not poll its events pauses its peers.
class Endpoint {
  public:
    using Event = devices::Event;

    explicit Endpoint(const Options& options);
    Endpoint(const Endpoint&) = delete;  // its parts hold references to it
    Endpoint& operator=(const Endpoint&) = delete;

    /// Adds a link with its own datagram socket, which is bound to the group port, has joined the group, and sends from
    /// `own`. Sends a hello on it. `socket` must be below limits::devices_interfaces_max. Adding a known socket
    /// restarts it.
    void add_interface(Instant now, SocketIndex socket, const Address& own);
    /// The link and its socket are gone.
    void remove_interface(SocketIndex socket);

    Sent send(Instant now, std::string_view name, std::string_view text);
    /// Sends to every name in the directory. Returns one result per name, in the order of peers().
    std::vector<Sent> send_all(Instant now, std::string_view text);

    /// Asks each of `names`, or every name in the directory. Ends with one Event::Kind::answers, at `deadline` at the
    /// latest, which holds for each name the answer or the reason why there is none.
    std::expected<AskId, AskRefusal> ask(Instant now, std::span<const std::string_view> names, std::string_view text,
                                         Instant deadline);
    std::expected<AskId, AskRefusal> ask_all(Instant now, std::string_view text, Instant deadline);

    /// Answers a question, once. May be retried after queue_full.
    Sent answer(Instant now, QuestionId question, std::string_view text);
    /// The question will not be answered: frees its place.
    void drop(QuestionId question) { context_.inquiries.remove(question); }
    /// False once the question was answered or dropped, its asker is gone, or a minute has passed.
    bool awaits_answer(Instant now, QuestionId question) const {
        return context_.inquiries.find(now, question) != nullptr;
    }

    /// All names in the directory, in no particular order.
    std::vector<Peer> peers() const;
    std::uint32_t peer_count() const { return context_.directory.size(); }

    /// Stops announcing, sends what is queued and a goodbye on every connection, and closes them within two seconds.
    void close(Instant now);
    /// Whether all connections have been closed after close().
    bool finished() const { return context_.closed && switchboard_.empty(); }

    void handle(Instant now, const Datagram& in);
    void handle_timeout(Instant now);
    std::optional<Transmit> poll_transmit(Instant now, std::span<std::byte> out);
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const;

    std::optional<StreamIndex> accept(Instant now, const Address& peer);
    void handle(Instant now, const StreamInput& in);
    std::optional<StreamRequest> poll_stream(Instant now, std::span<std::byte> out);

    const Counters& counters() const { return context_.counts; }

  private:
    // Adverts accepted from one address: a burst, and a rate.
    static constexpr std::uint32_t adverts_at_once = 32;
    static constexpr Duration advert_interval = 50 * millisecond;

    Sent counted(Sent sent, std::uint64_t& queued);
    void apply(Instant now, const Update& update, const Datagram& in);
    void release_front();

    Context context_;
    Announcer announcer_;
    Switchboard switchboard_;
    SourceRates advert_rates_;
    bool front_returned_ = false;  ///< the front of the events has been returned; the next poll_event() removes it
};

}  // namespace ringpost::devices
