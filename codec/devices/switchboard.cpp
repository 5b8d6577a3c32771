// A device's Link has at most one open connection and one attempt of ours. While it has neither, a retry timer runs. It
// dials or, if the other side has to open, sends it a unicast hello. Each connection has a timer of its own for its
// deadline (to be established, named or closed) or the end of a gap; when open, for the next check for idle buffers.

#include "codec/devices/switchboard.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "codec/base/check.hpp"

namespace ringpost::devices {
namespace {

constexpr Duration stable_after = 5 * second;  // a connection that lasted this long resets the back-off
constexpr Duration close_timeout = 800 * millisecond;
constexpr Duration ping_timeout = 3 * second;  // for the reply to a ping of a ringpost peer

// One network can take these parts of the places, and leaves the rest to others: 7 / 8.
constexpr std::uint32_t share_weight = 7;
constexpr std::uint32_t unnamed_part = 2, attempts_part = 4;

// Connections accepted from one address: a burst, and a rate.
constexpr std::uint32_t accepts_at_once = 32;
constexpr Duration accept_interval = 50 * millisecond;

std::uint32_t part_of(std::uint32_t streams, std::uint32_t divisor, std::uint32_t most) {
    return std::clamp(streams / divisor, 1u, most);
}

}  // namespace

Switchboard::Switchboard(Context& context, Announcer& announcer)
    : context_(context),
      announcer_(announcer),
      active_(std::bit_ceil(context.options.streams_max)),
      deadlines_(context.options.streams_max, context.options.start),
      retries_(context.options.names_max, context.options.start),
      accept_rates_(context.sources(), accept_interval, accepts_at_once, context.options.key),
      near_(context.sources(), context.options.key),
      far_(context.sources(), context.options.key),
      streams_(context.options.streams_max, share_weight, context.options.key),
      unnamed_(part_of(context.options.streams_max, unnamed_part, limits::devices_unnamed_max), share_weight,
               context.options.key),
      attempts_(part_of(context.options.streams_max, attempts_part, limits::devices_attempts_max), share_weight,
                context.options.key) {}

void Switchboard::on_advert_bytes(const Address& source, std::size_t payload) {
    reach_of(source).on_advert(source, datagram_bytes(source, payload));
}

void Switchboard::make_room(Instant now, std::string_view name) {
    Directory& directory = context_.directory;
    if (!directory.full() || directory.find(name) != no_name) return;
    const NameIndex device = directory.eviction([this](Duration end) { return context_.random_below(end); },
                                                [this](const Address& address) { return announcer_.is_near(address); });
    if (device == no_name) return;
    ++context_.counts.names_evicted;
    drop_device(now, device, directory[device].address);
    directory.remove(device);
}

// Notifications from the directory.

void Switchboard::on_appeared(Instant now, NameIndex device) {
    const Device& who = context_.directory[device];
    context_.events.push_change(Event::Kind::appeared, who.name, who.address);
    start_connecting(now, device);
}

void Switchboard::start_connecting(Instant now, NameIndex device) {
    link(device) = {};
    if (we_open(device))
        dial(now, device);
    else
        retry_later(now, device);
}

void Switchboard::on_advert(Instant now, NameIndex device) {
    if (!std::exchange(link(device).awaits_advert, false)) return;
    retry(now, device);
}

void Switchboard::on_hello(Instant now, NameIndex device) {
    const Link& to = link(device);
    if (to.connection != no_stream)
        ping(now, device);
    else if (to.attempt == no_stream && we_open(device))
        dial(now, device);
}

bool Switchboard::ping(Instant now, NameIndex device) {
    const StreamIndex stream = link(device).connection;
    if (stream == no_stream) return false;
    Connection& to = *connections_[stream];
    if (to.state != Connection::State::open || now < to.pinged_at + second) return false;
    to.pinged_at = now;
    ++context_.counts.pings_sent;
    to.push_word(FrameKind::ping);
    activate(stream);
    return true;
}

void Switchboard::on_change(Instant now, NameIndex device, Change change, const Address& before) {
    const Device& who = context_.directory[device];
    switch (change) {
        case Change::appeared: on_appeared(now, device); break;
        case Change::back: context_.events.push_change(Event::Kind::back, who.name, who.address); break;
        case Change::suspect:
            context_.events.push_change(Event::Kind::suspect, who.name, who.address);
            ping(now, device);
            break;
        case Change::gone: drop_device(now, device, before); break;
        case Change::moved:
            drop_device(now, device, before);
            on_appeared(now, device);
            break;
    }
}

void Switchboard::on_conflict(Instant now, NameIndex device, const Address& claimant, bool report) {
    if (report) context_.events.push_change(Event::Kind::conflict, context_.directory[device].name, claimant);
    if (ping(now, device) && connections_[link(device).connection]->is_ringpost)
        context_.directory.confirm_by(now + ping_timeout, device);
}

void Switchboard::report_name_taken(Instant now, const Address& by) {
    if (now < name_taken_reported_at_ + context_.options.period) return;
    name_taken_reported_at_ = now;
    context_.events.push_change(Event::Kind::name_taken, context_.options.name, by);
}

void Switchboard::drop_device(Instant now, NameIndex device, const Address& before) {
    const Link had = link(device);
    if (had.connection != no_stream) end(now, had.connection, Cause::gone);
    if (had.attempt != no_stream) end(now, had.attempt, Cause::gone);
    retries_.cancel(device);
    link(device) = {};
    context_.events.push_change(Event::Kind::gone, context_.directory[device].name, before);
}

// Choosing between two connections.

void Switchboard::on_name(Instant now, StreamIndex stream, std::string_view name) {
    Connection& named = *connections_[stream];
    if (name == context_.options.name) {
        if (!announcer_.is_own(named.peer)) report_name_taken(now, named.peer);
        end(now, stream, Cause::own_name);
        return;
    }
    Directory& directory = context_.directory;
    if (named.dialled && directory[named.device].name != name) {
        end(now, stream, Cause::bad_name);
        return;
    }
    named.name = name;
    if (!named.dialled) named.device = directory.find(name);
    if (named.device != no_name && !may_stay(now, stream)) return;
    make_room(now, name);
    const Update update = directory.on_connected(now, name, with_port(named.peer, context_.options.group.port));
    if (update.kind == Update::Kind::full) {
        end(now, stream, Cause::directory_full);
        return;
    }
    named.device = update.index;
    if (update.kind == Update::Kind::moved) drop_device(now, update.index, update.before);
    if (named.state != Connection::State::awaiting_name) return;  // it was an attempt to reach the old address
    const Device& who = directory[update.index];
    if (update.kind == Update::Kind::moved || update.kind == Update::Kind::appeared)
        context_.events.push_change(Event::Kind::appeared, who.name, who.address);
    if (update.kind == Update::Kind::back) on_change(now, update.index, Change::back, who.address);
    open(now, stream);
}

bool Switchboard::may_stay(Instant now, StreamIndex stream) {
    const Connection& named = *connections_[stream];
    const NameIndex device = named.device;
    const StreamIndex other = link(device).connection;
    if (other == no_stream) return true;
    const Connection& open = *connections_[other];
    if (!same_host(open.peer, named.peer)) {
        const Address claimant = with_port(named.peer, context_.options.group.port);
        const Address& known = context_.directory[device].address;
        // The name belongs to the address that sends its adverts, not to the one that connected first.
        const bool usurped = same_host(named.peer, known) && !same_host(open.peer, known);
        if (usurped) {
            on_conflict(now, device, with_port(open.peer, context_.options.group.port),
                        context_.directory.may_report_conflict(now, device));
            end(now, other, Cause::name_conflict);
            return true;
        }
        if (context_.directory.contest(now, device, claimant, no_socket)) {
            end(now, other, Cause::gone);
            return true;
        }
        on_conflict(now, device, claimant, context_.directory.may_report_conflict(now, device));
        end(now, stream, Cause::name_conflict);
        return false;
    }
    const bool other_stays = open.dialled && !named.dialled;  // only the lower name dials
    end(now, other_stays ? stream : other, Cause::duplicate);
    return !other_stays;
}

void Switchboard::open(Instant now, StreamIndex stream) {
    Connection& named = *connections_[stream];
    Link& to = link(named.device);
    if (named.dialled) {
        to.attempt = no_stream;
        release_attempt(now, named, Reach::Outcome::answered);
    } else {
        unnamed_.give_back(network_of(named.peer));
    }
    to.open_at = now;
    context_.directory.set_connected(named.device, true);
    RINGPOST_CHECK(to.connection == no_stream);  // may_stay() has ended any other
    to.connection = stream;
    retries_.cancel(named.device);
    named.state = Connection::State::open;
    named.opened_at = named.bytes_at = now;
    named.deadline = now + free_after;
    schedule(stream);
    context_.events.push_change(Event::Kind::connected, named.name, named.peer);
}

// Ending connections.

void Switchboard::end(Instant now, StreamIndex stream, Cause cause, DriverStream at_driver) {
    Connection& ended = *connections_[stream];
    const Connection::State was = ended.state;
    if (was == Connection::State::unused || was == Connection::State::ended) return;
    const bool was_open = was == Connection::State::open || was == Connection::State::closing;
    ++context_.counts.ended[static_cast<std::size_t>(cause)];
    ended.state = Connection::State::ended;
    ended.deadline = never;
    deadlines_.cancel(stream);
    if (was == Connection::State::awaiting_name && !ended.dialled) unnamed_.give_back(network_of(ended.peer));
    end_attempt(now, ended, cause);
    if (ended.has_asked) context_.counts.questions_forgotten += context_.inquiries.remove_of(ended.serial);
    ended.keys.remove_all([&](const Asked& asked) { settle_question(asked, Reply::not_connected, {}); });
    if (was_open) {
        const std::size_t unsent = ended.queued_frames();
        context_.counts.unsent += unsent;
        context_.events.push_change(Event::Kind::disconnected, ended.name, ended.peer, cause, unsent);
        if (now >= ended.opened_at + stable_after) link(ended.device).failures = 0;
        link(ended.device).open_at = now;
        context_.directory.set_connected(ended.device, false);
    } else {
        ended.in = {};
    }
    ended.out = {};
    release_driver_stream(stream, at_driver);
    if (was_open || ended.dialled) unlink(now, stream, cause, was_open);
    release(stream);
}

void Switchboard::unlink(Instant now, StreamIndex stream, Cause cause, bool was_open) {
    const NameIndex device = connections_[stream]->device;
    Link& from = link(device);
    (was_open ? from.connection : from.attempt) = no_stream;
    from.last_cause = cause;
    if (cause == Cause::goodbye) {
        drop_device(now, device, context_.directory[device].address);
        context_.directory.remove(device);
        return;
    }
    if (cause == Cause::gone || cause == Cause::closed) return;
    if (was_open && cause != Cause::duplicate) {
        const Address before = context_.directory[device].address;
        const auto change = context_.directory.on_failure(now, device);
        if (change) on_change(now, device, *change, before);
        if (change == Change::moved) return;
    }
    if (from.connection == no_stream && from.attempt == no_stream) retry_later(now, device);
}

void Switchboard::close(Instant now) {
    now_ = now;
    for (StreamIndex stream = 0; stream < connections_.size(); ++stream) {
        Connection& left = *connections_[stream];
        if (left.state != Connection::State::open) {
            end(now, stream, Cause::closed);
            continue;
        }
        left.state = Connection::State::closing;
        left.deadline = now + close_timeout;
        left.push_word(FrameKind::quit);
        activate(stream);
        schedule(stream);
    }
}

const Connection* Switchboard::connection(NameIndex device) const {
    const bool open = device < links_.size() && links_[device].connection != no_stream;
    return open ? connections_[links_[device].connection].get() : nullptr;
}

std::optional<Cause> Switchboard::last_cause(NameIndex device) const {
    return device < links_.size() ? links_[device].last_cause : std::nullopt;
}

}  // namespace ringpost::devices
