// Adverts go to the directory. The switchboard manages connections according to what the directory learns from them,
// and the announcer sends our own adverts. Events queues what the application has to receive; received frames stay in
// their connections until the application polls them.

#include "codec/devices/endpoint.hpp"

#include <algorithm>

#include "codec/base/check.hpp"

namespace ringpost::devices {
namespace {

Reply reply_of(Sent sent) {
    switch (sent) {
        case Sent::too_large: return Reply::too_large;
        case Sent::queue_full: return Reply::queue_full;
        default: return Reply::not_connected;
    }
}

}  // namespace

Endpoint::Endpoint(const Options& options)
    : context_(options),
      announcer_(context_),
      switchboard_(context_, announcer_),
      advert_rates_(context_.sources(), advert_interval, adverts_at_once, options.key) {
    RINGPOST_CHECK(!check_name(options.name));
    RINGPOST_CHECK(options.period > 0 && options.connect_timeout > 0 && options.name_timeout > 0);
    RINGPOST_CHECK(options.compatible_gap >= 0 && options.seeds.size() <= limits::devices_seeds_max);
    RINGPOST_CHECK(options.names_max >= 1 && options.names_max <= limits::devices_names_max);
    RINGPOST_CHECK(options.streams_max >= 1 && options.streams_max <= limits::streams_max);
    RINGPOST_CHECK(options.queue_bytes >= limits::devices_frame_bytes_max);
}

void Endpoint::add_interface(Instant now, SocketIndex socket, const Address& own) {
    if (!context_.closed) announcer_.add(now, socket, own);
}

void Endpoint::remove_interface(SocketIndex socket) { announcer_.remove(socket); }

// Calls from the application.

Sent Endpoint::counted(Sent sent, std::uint64_t& queued) {
    Counters& counts = context_.counts;
    switch (sent) {
        case Sent::queued: ++queued; break;
        case Sent::not_connected: ++counts.refused_not_connected; break;
        case Sent::too_large: ++counts.refused_too_large; break;
        case Sent::queue_full: ++counts.refused_queue_full; break;
        case Sent::cannot_carry: ++counts.refused_cannot_carry; break;
        case Sent::expired: break;
    }
    return sent;
}

Sent Endpoint::send(Instant now, std::string_view name, std::string_view text) {
    std::uint64_t& sent = context_.counts.messages_sent;
    if (!can_carry(text)) return counted(Sent::cannot_carry, sent);
    const NameIndex device = context_.directory.find(name);
    if (device == no_name) return counted(Sent::not_connected, sent);
    return counted(switchboard_.push(now, device, {FrameKind::message, 0, text}), sent);
}

std::vector<Sent> Endpoint::send_all(Instant now, std::string_view text) {
    const bool carried = can_carry(text);
    std::vector<Sent> out;
    out.reserve(context_.directory.size());
    context_.directory.for_each([&](NameIndex device) {
        const Sent sent = carried ? switchboard_.push(now, device, {FrameKind::message, 0, text}) : Sent::cannot_carry;
        out.push_back(counted(sent, context_.counts.messages_sent));
    });
    return out;
}

std::expected<AskId, AskRefusal> Endpoint::ask(Instant now, std::span<const std::string_view> names,
                                               std::string_view text, Instant deadline) {
    if (!can_carry(text)) return std::unexpected(AskRefusal::cannot_carry);
    const auto id = context_.asks.open(names.size(), deadline);
    if (!id) return id;
    for (const std::string_view name : names) context_.asks.add(*id, name);
    bool ended = names.empty();
    for (std::uint32_t position = 0; position < names.size(); ++position) {
        const NameIndex device = context_.directory.find(names[position]);
        const Asked asked{*id, position};
        const Sent sent = counted(device == no_name ? Sent::not_connected : switchboard_.ask(now, device, text, asked),
                                  context_.counts.questions_sent);
        if (sent != Sent::queued) ended = context_.asks.settle(asked, reply_of(sent), {});
    }
    if (ended) context_.events.push_ask(id->index);
    return id;
}

std::expected<AskId, AskRefusal> Endpoint::ask_all(Instant now, std::string_view text, Instant deadline) {
    std::vector<std::string_view> names;
    names.reserve(context_.directory.size());
    context_.directory.for_each([&](NameIndex device) { names.push_back(context_.directory[device].name); });
    return ask(now, names, text, deadline);
}

Sent Endpoint::answer(Instant now, QuestionId question, std::string_view text) {
    std::uint64_t& answered = context_.counts.answers_sent;
    if (!can_carry(text)) return counted(Sent::cannot_carry, answered);
    const Inquiries::Inquiry* inquiry = context_.inquiries.find(now, question);
    if (inquiry == nullptr) return Sent::expired;
    const Sent sent = counted(switchboard_.answer(now, *inquiry, text), answered);
    if (sent == Sent::queued || sent == Sent::not_connected) context_.inquiries.remove(question);
    return sent;
}

std::vector<Peer> Endpoint::peers() const {
    std::vector<Peer> out;
    out.reserve(context_.directory.size());
    context_.directory.for_each([&](NameIndex index) {
        const Device& device = context_.directory[index];
        const Connection* connection = switchboard_.connection(index);
        out.push_back({.name = device.name,
                       .address = device.address,
                       .presence = device.presence,
                       .announced_at = device.announced_at,
                       .connected = connection != nullptr,
                       .is_ringpost = connection != nullptr && connection->is_ringpost,
                       .last_cause = switchboard_.last_cause(index)});
    });
    return out;
}

void Endpoint::close(Instant now) {
    if (context_.closed) return;
    context_.closed = true;
    announcer_.stop();
    switchboard_.close(now);
}

// Adverts.

void Endpoint::handle(Instant now, const Datagram& in) {
    Counters& counts = context_.counts;
    if (context_.closed) return;
    ++counts.adverts_heard;
    const bool own_address = announcer_.is_own(in.source);
    if (!own_address && !advert_rates_.take(now, in.source)) {
        ++counts.adverts_limited;
        return;
    }
    const auto advert = decode_advert(in.bytes);
    if (!advert) {
        ++counts.adverts_bad;
        return;
    }
    if (advert->name == context_.options.name) {
        ++(own_address ? counts.adverts_own : counts.adverts_name_taken);
        if (!own_address) switchboard_.report_name_taken(now, in.source);
        return;
    }
    switchboard_.on_advert_bytes(in.source, in.bytes.size());
    switchboard_.make_room(now, advert->name);
    apply(now, context_.directory.on_advert(now, advert->name, in.source, in.socket), in);
    const NameIndex device = context_.directory.find(advert->name);
    const bool is_its_own = device != no_name && same_host(context_.directory[device].address, in.source);
    if (is_its_own) switchboard_.on_advert(now, device);
    if (advert->kind != AdvertKind::hello) return;
    // The peer may have restarted. Then it does not know us, and our connection to it is stale.
    announcer_.answer(now, in.socket);
    if (is_its_own) switchboard_.on_hello(now, device);
}

void Endpoint::apply(Instant now, const Update& update, const Datagram& in) {
    Counters& counts = context_.counts;
    switch (update.kind) {
        case Update::Kind::known: ++counts.adverts_taken; break;
        case Update::Kind::appeared:
            ++counts.adverts_taken;
            announcer_.answer(now, in.socket);
            switchboard_.on_appeared(now, update.index);
            break;
        case Update::Kind::back:
            ++counts.adverts_taken;
            switchboard_.on_change(now, update.index, Change::back, in.source);
            break;
        case Update::Kind::moved:
            ++counts.adverts_taken;
            announcer_.answer(now, in.socket);
            switchboard_.on_change(now, update.index, Change::moved, update.before);
            break;
        case Update::Kind::conflict:
            ++counts.adverts_conflicting;
            switchboard_.on_conflict(now, update.index, in.source, update.report);
            break;
        case Update::Kind::elsewhere: ++counts.adverts_elsewhere; break;
        case Update::Kind::full: ++counts.adverts_no_room; break;
    }
}

// Timeouts and driver calls.

void Endpoint::handle_timeout(Instant now) {
    announcer_.expire(now);
    context_.directory.expire(now, [&](NameIndex device, Change change, const Address& before) {
        switchboard_.on_change(now, device, change, before);
    });
    context_.asks.expire(
        now, [&](StreamIndex stream, std::uint64_t key) { switchboard_.remove_question(stream, key); },
        [&](std::uint32_t ask) { context_.events.push_ask(ask); });
    switchboard_.expire(now);
}

std::optional<Instant> Endpoint::poll_timeout() const {
    const auto at = [](std::optional<Instant> timeout) { return timeout.value_or(never); };
    const Instant earliest = std::min({at(announcer_.next_timeout()), at(context_.directory.next_timeout()),
                                       at(context_.asks.next_timeout()), at(switchboard_.next_timeout())});
    return earliest == never ? std::nullopt : std::optional(earliest);
}

std::optional<Transmit> Endpoint::poll_transmit(Instant, std::span<std::byte> out) { return announcer_.poll(out); }

std::optional<StreamIndex> Endpoint::accept(Instant now, const Address& peer) { return switchboard_.accept(now, peer); }

void Endpoint::handle(Instant now, const StreamInput& in) { switchboard_.handle(now, in); }

std::optional<StreamRequest> Endpoint::poll_stream(Instant now, std::span<std::byte> out) {
    return switchboard_.poll(now, out);
}

// Events. The previous event is released first.

std::optional<Event> Endpoint::poll_event() {
    Events& events = context_.events;
    if (front_returned_) release_front();
    front_returned_ = false;
    std::optional<Event> event;
    while (!front_returned_ && !events.empty()) {
        const Pending& pending = events.front();
        event.emplace();
        front_returned_ = true;
        switch (pending.kind) {
            case Pending::Kind::frames:
                if (switchboard_.peek(pending.index, *event)) break;
                front_returned_ = false;
                switchboard_.end_turn(pending.index);
                events.pop();
                event.reset();
                break;
            case Pending::Kind::ask:
                event->kind = Event::Kind::answers;
                event->ask = context_.asks.id(pending.index);
                event->answers = context_.asks.answers(pending.index);
                break;
            case Pending::Kind::change:
                event->kind = pending.what;
                event->name = pending.name;
                event->address = pending.address;
                event->cause = pending.cause;
                event->unsent = pending.unsent;
                break;
        }
    }
    return event;
}

void Endpoint::release_front() {
    Events& events = context_.events;
    const Pending& shown = events.front();
    if (shown.kind == Pending::Kind::frames) {
        switchboard_.take(shown.index);  // the connection keeps its turn
        return;
    }
    if (shown.kind == Pending::Kind::ask) context_.asks.release(shown.index);
    events.pop();
}

}  // namespace ringpost::devices
