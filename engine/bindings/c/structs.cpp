// Struct messages on a socket, and the calls that only pack, unpack and find them.

#include <ringpost/structs.hpp>

#include <fmt/format.h>

#include <utility>

#include "codec/structs/endpoint.hpp"
#include "codec/structs/scanner.hpp"
#include "engine/bindings/c/options.hpp"
#include "engine/bindings/c/polled_handle.hpp"
#include "engine/faces/option_check.hpp"

namespace ringpost::c {
namespace {

rp_structs_options structs_defaults() {
    rp_structs_options out{};
    out.engine = engine_defaults();
    return out;
}

std::int32_t add_definition(std::string_view call, structs::Library& library, const rp_struct_definition& given) {
    if (given.name == nullptr || given.format == nullptr) return fail(RP_EINVAL, call, "name or format is NULL");
    if (given.id > UINT16_MAX) return fail(RP_EINVAL, call, fmt::format("id {}: at most {}", given.id, UINT16_MAX));
    const auto added = library.add(static_cast<structs::MessageId>(given.id), given.name, given.format);
    if (added) return RP_OK;
    using Kind = structs::LibraryError::Kind;
    switch (added.error().kind) {
        case Kind::id_taken: return fail(RP_EINVAL, call, fmt::format("id {} is taken", given.id));
        case Kind::name_taken: return fail(RP_EINVAL, call, fmt::format("name {} is taken", given.name));
        case Kind::name_empty: return fail(RP_EINVAL, call, "name is empty");
        case Kind::full: return fail(RP_EFULL, call, fmt::format("there are {} messages", limits::struct_messages_max));
        case Kind::bad_format: break;
    }
    return fail(RP_EINVAL, call,
                fmt::format("format {}: {} at {}", given.format, structs::describe(added.error().format.kind),
                            added.error().format.position));
}

std::int32_t struct_damage(structs::FrameError error) {
    switch (error) {
        case structs::FrameError::past_end: return RP_DAMAGE_PAST_END;
        case structs::FrameError::size_small: return RP_DAMAGE_SIZE_SMALL;
        case structs::FrameError::checksum: return RP_DAMAGE_CHECKSUM;
        case structs::FrameError::no_magic: break;
    }
    return 0;
}

class Structs final : public PolledHandle<structs::Endpoint> {
  public:
    Structs(std::unique_ptr<structs::Library> library, std::unique_ptr<PolledEndpoint<structs::Endpoint>> polled)
        : PolledHandle("struct messages", std::move(polled)), library_(std::move(library)) {}

    std::int32_t send(std::string_view call, std::span<const rp_message> messages, std::uint64_t* ids) override {
        std::int32_t taken = 0;
        for (const rp_message& message : messages) {
            if (const auto error = send(call, message)) return taken > 0 ? taken : error;
            if (ids != nullptr) ids[taken] = 0;
            ++taken;
        }
        return taken;
    }

    std::int32_t define(std::string_view call, const rp_struct_definition& definition) override {
        return add_definition(call, *library_, definition);
    }

    std::vector<rp_counter> counters() override {
        std::vector<rp_counter> out;
        auto counts = endpoint().counters();
        counts.refused_bad_peer = polled().bad_peers;
        append_counters(out, counts);
        append_engine_counters(out, polled().counters());
        return out;
    }

  protected:
    std::optional<Found> next(std::int32_t what) override {
        while (const auto event = endpoint().poll_event()) {
            Found found = found_of(*event);
            if ((what & found.event.kind) != 0) return found;
        }
        return std::nullopt;
    }

  private:
    static Found found_of(const structs::Event& event) {
        Found found;
        found.event.kind = event.kind == structs::Event::Kind::message ? RP_MESSAGE : RP_DAMAGE;
        found.event.peer = to_c(event.source);
        found.event.id = event.id;
        found.bytes = event.payload;
        if (event.definition != nullptr) found.name = event.definition->name;
        switch (event.kind) {
            case structs::Event::Kind::message: break;
            case structs::Event::Kind::unknown_id: found.event.code = RP_DAMAGE_UNKNOWN_ID; break;
            case structs::Event::Kind::wrong_size: found.event.code = RP_DAMAGE_WRONG_SIZE; break;
            case structs::Event::Kind::damage:
                found.event.code = struct_damage(event.error);
                found.event.value = event.failures;
                break;
        }
        return found;
    }

    std::int32_t send(std::string_view call, const rp_message& given) {
        if (given.bytes == nullptr && given.size > 0) return fail(RP_EINVAL, call, "message->bytes is NULL");
        if (given.flags != 0) return fail(RP_EINVAL, call, "message->flags: not for struct messages");
        if (given.id > UINT16_MAX) return fail(RP_EUNKNOWN, call, fmt::format("id {} is unknown", given.id));
        Address peer;
        if (given.peer != nullptr)
            if (const auto error = read(call, "message->peer", *given.peer, peer)) return error;
        if (!may_be_peer(peer, polled().local)) {
            ++polled().bad_peers;
            return fail(RP_EPEER, call, "the peer has no address or port, or another address family than the socket");
        }
        const auto sent = change().send(peer, {static_cast<structs::MessageId>(given.id),
                                               {static_cast<const std::byte*>(given.bytes), given.size}});
        if (sent) return RP_OK;
        switch (sent.error()) {
            case structs::Refusal::unknown_id:
                return fail(RP_EUNKNOWN, call, fmt::format("id {} is unknown", given.id));
            case structs::Refusal::wrong_size:
                return fail(RP_EVALUE, call,
                            fmt::format("{} bytes are not the size of message {}", given.size, given.id));
            case structs::Refusal::too_large: return fail(RP_ETOOLARGE, call, "the message is larger than a datagram");
            case structs::Refusal::bad_peer:
            case structs::Refusal::queue_full: break;
        }
        return fail(RP_EFULL, call, "the queue of messages is full");
    }

    std::unique_ptr<structs::Library> library_;  ///< the endpoint refers to it
};

/// RP_OK, or the failure.
std::int32_t parse_format(std::string_view call, const char* text, structs::Format& out) {
    if (text == nullptr) return fail(RP_EINVAL, call, "format is NULL");
    const auto format = structs::Format::parse(text);
    if (!format)
        return fail(
            RP_EINVAL, call,
            fmt::format("format {}: {} at {}", text, structs::describe(format.error().kind), format.error().position));
    out = *format;
    return RP_OK;
}

std::int32_t read_value(std::string_view call, const rp_value& given, std::uint32_t index, structs::Value& out) {
    switch (given.kind) {
        case RP_INTEGER: out = given.as.integer; return RP_OK;
        case RP_UNSIGNED: out = given.as.unsigned_integer; return RP_OK;
        case RP_REAL: out = given.as.real; return RP_OK;
        case RP_BOOLEAN: out = given.as.boolean != 0; return RP_OK;
        case RP_BYTES: break;
        default: return fail(RP_EINVAL, call, fmt::format("values[{}].kind: not one of RP_INTEGER...", index));
    }
    if (given.as.bytes.at == nullptr && given.as.bytes.size > 0)
        return fail(RP_EINVAL, call, fmt::format("values[{}].as.bytes.at is NULL", index));
    out = std::string_view(static_cast<const char*>(given.as.bytes.at), given.as.bytes.size);
    return RP_OK;
}

rp_value value_of(const structs::Value& value) {
    rp_value out{};
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
        out.kind = RP_INTEGER;
        out.as.integer = *integer;
    } else if (const auto* number = std::get_if<std::uint64_t>(&value)) {
        out.kind = RP_UNSIGNED;
        out.as.unsigned_integer = *number;
    } else if (const auto* real = std::get_if<double>(&value)) {
        out.kind = RP_REAL;
        out.as.real = *real;
    } else if (const auto* flag = std::get_if<bool>(&value)) {
        out.kind = RP_BOOLEAN;
        out.as.boolean = *flag ? 1 : 0;
    } else if (const auto* bytes = std::get_if<std::string_view>(&value)) {
        out.kind = RP_BYTES;
        out.as.bytes = {bytes->data(), bytes->size()};
    }
    return out;
}

const char* text_of_error(structs::ValueError::Kind kind) {
    switch (kind) {
        case structs::ValueError::Kind::too_few: return "missing";
        case structs::ValueError::Kind::too_many: return "more values than the format has";
        case structs::ValueError::Kind::wrong_kind: return "another kind than the format has";
        case structs::ValueError::Kind::out_of_range: break;
    }
    return "out of range";
}

}  // namespace
}  // namespace ringpost::c

using namespace ringpost;
using namespace ringpost::c;

int32_t rp_structs_init(rp_structs_options* options, size_t size) {
    return init("rp_structs_init", options, size, structs_defaults());
}

int32_t rp_structs_open(const rp_structs_options* options, rp_handle** handle) {
    constexpr const char* call = "rp_structs_open";
    if (handle == nullptr) return fail(RP_EINVAL, call, "handle is NULL");
    *handle = nullptr;
    rp_structs_options given = structs_defaults();
    if (const auto error = read(call, options, given)) return error;
    EngineOptions engine;
    SocketOptions socket;
    socket.bind = any_address(0);
    socket.broadcast = given.broadcast != 0;
    socket.gro = given.engine.gro != 0;
    if (const auto error = read(call, given.engine, engine)) return error;
    if (const auto error = read(call, "bind", given.bind, socket.bind)) return error;
    if (const auto error = read(call, given.allowed, given.allowed_count, socket.allowed)) return error;
    if (given.definitions == nullptr && given.definitions_count > 0)
        return fail(RP_EINVAL, call, "definitions is NULL");
    auto library = std::make_unique<structs::Library>();
    for (std::uint32_t i = 0; i < given.definitions_count; ++i)
        if (const auto error = add_definition(call, *library, given.definitions[i])) return error;
    auto polled = PolledEndpoint<structs::Endpoint>::open(
        socket, engine, [&](SocketIndex index) -> structs::Endpoint { return structs::Endpoint(*library, index); });
    if (!polled) return fail(call, polled.error());
    return publish(call, std::make_unique<Structs>(std::move(library), std::move(*polled)), handle);
}

int32_t rp_format_size(const char* format) {
    structs::Format parsed;
    if (const auto error = parse_format("rp_format_size", format, parsed)) return error;
    return static_cast<std::int32_t>(parsed.bytes());
}

int32_t rp_pack(const char* format, const rp_value* values, uint32_t count, void* payload, size_t capacity) {
    constexpr const char* call = "rp_pack";
    structs::Format parsed;
    if (const auto error = parse_format(call, format, parsed)) return error;
    if ((values == nullptr && count > 0) || (payload == nullptr && capacity > 0))
        return fail(RP_EINVAL, call, "values or payload is NULL");
    if (parsed.bytes() > capacity)
        return fail(RP_ESMALL, call, fmt::format("the payload has {} bytes", parsed.bytes()));
    std::vector<structs::Value> all(count);
    for (std::uint32_t i = 0; i < count; ++i)
        if (const auto error = read_value(call, values[i], i, all[i])) return error;
    const auto packed = structs::pack(parsed, all, {static_cast<std::byte*>(payload), capacity});
    if (packed) return static_cast<std::int32_t>(parsed.bytes());
    return fail(RP_EVALUE, call, fmt::format("value {}: {}", packed.error().index, text_of_error(packed.error().kind)));
}

int32_t rp_unpack(const char* format, const void* payload, size_t size, rp_value* values, uint32_t count) {
    constexpr const char* call = "rp_unpack";
    structs::Format parsed;
    if (const auto error = parse_format(call, format, parsed)) return error;
    if ((values == nullptr && count > 0) || (payload == nullptr && size > 0))
        return fail(RP_EINVAL, call, "values or payload is NULL");
    if (size != parsed.bytes())
        return fail(RP_EVALUE, call, fmt::format("the payload has {} bytes, the format {}", size, parsed.bytes()));
    if (parsed.values() > count) return fail(RP_ESMALL, call, fmt::format("there are {} values", parsed.values()));
    structs::ValueReader reader(parsed, {static_cast<const std::byte*>(payload), size});
    std::uint32_t unpacked = 0;
    while (const auto value = reader.next()) values[unpacked++] = value_of(*value);
    return static_cast<std::int32_t>(unpacked);
}

int32_t rp_packet_write(uint32_t id, const void* payload, size_t size, void* packet, size_t capacity) {
    constexpr const char* call = "rp_packet_write";
    if ((payload == nullptr && size > 0) || packet == nullptr)
        return fail(RP_EINVAL, call, "payload or packet is NULL");
    if (id > UINT16_MAX) return fail(RP_EINVAL, call, fmt::format("id {}: at most {}", id, UINT16_MAX));
    if (size > limits::struct_payload_bytes_max)
        return fail(RP_ETOOLARGE, call, fmt::format("size {}: at most {}", size, limits::struct_payload_bytes_max));
    if (size + structs::header_bytes > capacity)
        return fail(RP_ESMALL, call, fmt::format("the packet has {} bytes", size + structs::header_bytes));
    const structs::Packet made{static_cast<structs::MessageId>(id), {static_cast<const std::byte*>(payload), size}};
    return static_cast<std::int32_t>(structs::encode(made, {static_cast<std::byte*>(packet), capacity}));
}

int32_t rp_packet_find(const void* bytes, size_t size, size_t from, rp_packet* packet) {
    constexpr const char* call = "rp_packet_find";
    if (packet == nullptr || (bytes == nullptr && size > 0)) return fail(RP_EINVAL, call, "bytes or packet is NULL");
    if (from > size || size > UINT32_MAX) return fail(RP_EINVAL, call, "from or size is too large");
    const std::span<const std::byte> all(static_cast<const std::byte*>(bytes), size);
    structs::Scanner scanner(all.subspan(from));
    *packet = {};
    for (auto found = scanner.next(); found; found = scanner.next()) {
        if (!found->packet) {
            if (packet->id == 0) packet->id = static_cast<std::uint32_t>(struct_damage(found->packet.error()));
            continue;
        }
        const auto payload = found->packet->payload;
        packet->id = found->packet->id;
        packet->offset = static_cast<std::uint32_t>(from + found->offset + structs::header_bytes);
        packet->size = static_cast<std::uint32_t>(payload.size());
        packet->end = packet->offset + packet->size;
        return 1;
    }
    packet->end = static_cast<std::uint32_t>(size);
    return 0;
}
