// Each direction of a connection is a queue of items in flight, in order: bytes, and the events that it is established,
// ends or breaks. A cut link delays everything until it is restored, like TCP retransmission. What arrives at an end
// that no longer exists is answered with a reset if its host is up.

#include "tests/sim/streams.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/sim/network.hpp"

namespace ringpost::sim {
namespace {

constexpr Duration try_again_after = 200 * millisecond;

}  // namespace

void Streams::request(Instant now, NodeIndex node, const Address& own, const StreamRequest& request,
                      std::span<const std::byte> bytes) {
    using Kind = StreamRequest::Kind;
    std::size_t end = 0;
    Wire* wire = find(node, request.stream, end);
    if (request.kind == Kind::connect) {
        ASSERT_EQ(wire, nullptr) << "a request to connect a stream that is in use";
        ++counts_.connects;
        wires_.push_back(std::make_unique<Wire>());
        Wire& asked = *wires_.back();
        asked.from = own;
        asked.from.port = next_port_++;
        asked.to = request.peer;
        asked.ends[0].node = node;
        asked.ends[0].index = request.stream;
        asked.ends[0].alive = true;
        const auto target = world_.node_at(request.peer);
        asked.ends[1].node = target.value_or(node);
        if (target) push(now, asked, 1, Item::Kind::syn);
        return;
    }
    ASSERT_NE(wire, nullptr) << "a request for an unknown stream";
    End& mine = wire->ends[end];
    switch (request.kind) {
        case Kind::write:
            ASSERT_GT(bytes.size(), 0u);
            ASSERT_FALSE(mine.writing) << "one write at a time";
            mine.writing = true;
            push(now, *wire, 1 - end, Item::Kind::bytes, bytes);
            break;
        case Kind::close:
            mine.alive = false;
            mine.coming.clear();
            mine.coming_bytes = 0;
            push(now, *wire, 1 - end, Item::Kind::fin);
            break;
        case Kind::pause: mine.paused = true; break;
        case Kind::resume: mine.paused = false; break;
        case Kind::connect: break;
    }
}

void Streams::push(Instant now, Wire& wire, std::size_t towards, Item::Kind kind, std::span<const std::byte> bytes) {
    End& to = wire.ends[towards];
    Instant at = now + world_.delay(wire.ends[1 - towards].node, to.node);
    do {
        if (!to.coming.empty()) at = std::max(at, to.coming.back().at);
        const std::size_t count = knobs.cut_bytes_max == SIZE_MAX
                                      ? bytes.size()
                                      : std::min<std::size_t>(bytes.size(), random_.between(1, knobs.cut_bytes_max));
        const auto piece = bytes.first(count);
        to.coming.push_back({kind, at, {piece.begin(), piece.end()}});
        to.coming_bytes += count;
        bytes = bytes.subspan(count);
    } while (!bytes.empty());
}

void Streams::step(Instant now) {
    for (std::size_t i = 0; i < wires_.size(); ++i) {  // inputs may add wires
        Wire& wire = *wires_[i];
        for (std::size_t towards = 0; towards < 2; ++towards)
            while (step(now, wire, towards)) continue;
        for (std::size_t end = 0; end < 2; ++end) {
            End& mine = wire.ends[end];
            if (!mine.alive || !mine.writing || wire.ends[1 - end].coming_bytes > knobs.window_bytes) continue;
            mine.writing = false;
            dispatch(mine, {.kind = StreamInput::Kind::written, .stream = mine.index, .bytes = {}});
        }
        const auto quiet = [](const End& end) { return !end.alive && end.coming.empty(); };
        wire.over = quiet(wire.ends[0]) && quiet(wire.ends[1]);
    }
    std::erase_if(wires_, [](const auto& wire) { return wire->over; });
}

// Returns whether anything was delivered.
bool Streams::step(Instant now, Wire& wire, std::size_t towards) {
    End& to = wire.ends[towards];
    if (to.coming.empty() || to.coming.front().at > now) return false;
    const NodeIndex from = wire.ends[1 - towards].node;
    if (world_.is_cut(from, to.node) || !world_.is_at(to.node, towards == 0 ? wire.from : wire.to)) {
        for (Item& item : to.coming) item.at = std::max(item.at, now + try_again_after);
        return false;
    }
    const bool blocks = to.alive && to.paused && to.coming.front().kind != Item::Kind::reset;
    if (blocks) return false;
    Item item = std::move(to.coming.front());
    to.coming.pop_front();
    to.coming_bytes -= item.bytes.size();
    arrive(now, wire, towards, std::move(item));
    return true;
}

void Streams::arrive(Instant now, Wire& wire, std::size_t towards, Item item) {
    End& to = wire.ends[towards];
    const auto close = [&](StreamEnd why) {
        if (!to.alive) return;
        to.alive = false;
        End& other = wire.ends[1 - towards];
        std::erase_if(other.coming, [](const Item& coming) { return coming.kind == Item::Kind::bytes; });
        other.coming_bytes = 0;
        dispatch(to, {.kind = StreamInput::Kind::closed, .stream = to.index, .bytes = {}, .end = why});
    };
    switch (item.kind) {
        case Item::Kind::syn: {
            if (!world_.listens(to.node)) {
                push(now, wire, 0, Item::Kind::refused);
                return;
            }
            push(now, wire, 0, Item::Kind::standing);
            if (const auto index = world_.accept(to.node, wire.from)) {
                to.alive = true;
                to.index = *index;
                ++counts_.accepted;
            } else {
                push(now, wire, 0, Item::Kind::fin);
            }
            return;
        }
        case Item::Kind::standing:
            if (to.alive) dispatch(to, {.kind = StreamInput::Kind::connected, .stream = to.index, .bytes = {}});
            return;
        case Item::Kind::bytes: arrive_bytes(now, wire, towards, std::move(item)); return;
        case Item::Kind::fin: close(StreamEnd::finished); return;
        case Item::Kind::reset: close(StreamEnd::reset); return;
        case Item::Kind::refused: close(StreamEnd::refused); return;
    }
}

void Streams::arrive_bytes(Instant now, Wire& wire, std::size_t towards, Item item) {
    End& to = wire.ends[towards];
    if (!to.alive) {
        push(now, wire, 1 - towards, Item::Kind::reset);
        return;
    }
    if (knobs.cut_bytes_max == SIZE_MAX)
        while (!to.coming.empty() && to.coming.front().kind == Item::Kind::bytes && to.coming.front().at <= now) {
            const auto& more = to.coming.front().bytes;
            item.bytes.insert(item.bytes.end(), more.begin(), more.end());
            to.coming_bytes -= more.size();
            to.coming.pop_front();
        }
    counts_.bytes += item.bytes.size();
    dispatch(to, {.kind = StreamInput::Kind::bytes, .stream = to.index, .bytes = item.bytes});
}

void Streams::dispatch(End& end, StreamInput input) {
    ++counts_.inputs;
    // An allocation of exactly this size that is freed after the call: a sanitizer detects reads beyond or after it.
    const std::vector<std::byte> bytes(input.bytes.begin(), input.bytes.end());
    input.bytes = bytes;
    world_.input(end.node, input);
}

std::optional<Instant> Streams::next() const {
    std::optional<Instant> earliest;
    for (const auto& wire : wires_)
        for (std::size_t towards = 0; towards < 2; ++towards) {
            const End& to = wire->ends[towards];
            const End& from = wire->ends[1 - towards];
            if (!to.coming.empty() && !(to.alive && to.paused))
                earliest = std::min(earliest.value_or(never), to.coming.front().at);
            // `written` follows the write after a moment.
            if (from.alive && from.writing && to.coming_bytes <= knobs.window_bytes) earliest = 0;
        }
    return earliest;
}

void Streams::reset(Instant now, NodeIndex a, NodeIndex b) {
    for (const auto& wire : wires_) {
        const NodeIndex one = wire->ends[0].node, other = wire->ends[1].node;
        if (!(one == a && other == b) && !(one == b && other == a)) continue;
        for (std::size_t towards = 0; towards < 2; ++towards) {
            wire->ends[towards].coming.clear();
            wire->ends[towards].coming_bytes = 0;
            push(now, *wire, towards, Item::Kind::reset);
        }
    }
}

void Streams::kill(Instant now, NodeIndex node, bool silently) {
    for (const auto& wire : wires_)
        for (std::size_t end = 0; end < 2; ++end) {
            End& mine = wire->ends[end];
            if (mine.node != node || !mine.alive) continue;
            mine.alive = false;
            mine.coming.clear();
            mine.coming_bytes = 0;
            if (!silently) push(now, *wire, 1 - end, Item::Kind::reset);
        }
}

std::size_t Streams::standing(NodeIndex a, NodeIndex b) const {
    return static_cast<std::size_t>(std::ranges::count_if(wires_, [&](const auto& wire) {
        const NodeIndex one = wire->ends[0].node, other = wire->ends[1].node;
        return ((one == a && other == b) || (one == b && other == a)) && wire->ends[0].alive && wire->ends[1].alive;
    }));
}

Streams::Wire* Streams::find(NodeIndex node, StreamIndex index, std::size_t& end) {
    for (const auto& wire : wires_)
        for (end = 0; end < 2; ++end)
            if (wire->ends[end].node == node && wire->ends[end].alive && wire->ends[end].index == index)
                return wire.get();
    return nullptr;
}

}  // namespace ringpost::sim
