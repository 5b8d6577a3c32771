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

/// A device with a name among others: they find each other by adverts, connect, and send messages and ask questions by
/// name. Discovery goes over the datagram sockets, one for each link; the rest over streams. The calls are those of
/// codec/include/ringpost/datagram.hpp and codec/include/ringpost/stream.hpp.
///
/// Messages to one peer arrive in the order sent, and once, while its connection stands. Nothing received is dropped:
/// an application that does not take its events holds its peers back.
class Endpoint {
  public:
    using Event = devices::Event;

    explicit Endpoint(const Options& options);
    Endpoint(const Endpoint&) = delete;  // its parts refer to it
    Endpoint& operator=(const Endpoint&) = delete;

    /// A link with its own datagram socket, bound to the group's port and joined to the group, whose datagrams come
    /// from `own`: we say hello there. `socket` is below limits::devices_interfaces_max. A known socket is begun anew.
    void add_interface(Instant now, SocketIndex socket, const Address& own);
    /// The link has gone, and its socket with it.
    void remove_interface(SocketIndex socket);

    Sent send(Instant now, std::string_view name, std::string_view text);
    /// To every name in the directory; what became of it for each, in the order of peers().
    std::vector<Sent> send_all(Instant now, std::string_view text);

    /// Asks each of `names`, or everybody in the directory. Ends in one Event::Kind::answers, at `deadline` at the
    /// latest, which says for each name what it answered or why it did not.
    std::expected<AskId, AskRefusal> ask(Instant now, std::span<const std::string_view> names, std::string_view text,
                                         Instant deadline);
    std::expected<AskId, AskRefusal> ask_all(Instant now, std::string_view text, Instant deadline);

    /// Answers a question, once; after queue_full it may be tried again.
    Sent answer(Instant now, QuestionId question, std::string_view text);

    /// Everybody in the directory, in no particular order.
    std::vector<Peer> peers() const;
    std::uint32_t peer_count() const { return context_.directory.size(); }

    /// Goes away: no more adverts; what is queued leaves, then a goodbye on every connection, for two seconds at most.
    void close(Instant now);
    /// After close(): no connection is left.
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
    // One address may send so many adverts at once, and so many a second after that.
    static constexpr std::uint32_t adverts_at_once = 32;
    static constexpr Duration advert_interval = 50 * millisecond;

    Sent counted(Sent sent, std::uint64_t& queued);
    void learn(Instant now, const Heard& heard, const Datagram& in);
    void forget_shown();

    Context context_;
    Announcer announcer_;
    Switchboard switchboard_;
    SourceRates advert_rates_;
    bool shown_ = false;  ///< the front of the events has been returned, and goes with the next poll_event()
};

}  // namespace ringpost::devices
