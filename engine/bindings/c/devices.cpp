// Named devices. A devices::Node has two queues, of notices and of questions; a call that waits for both waits for the
// descriptor, which covers both.

#include <ringpost/devices.hpp>

#include <fmt/format.h>

#include <atomic>
#include <deque>
#include <mutex>
#include <utility>

#include "codec/base/limits.hpp"
#include "engine/bindings/c/handles.hpp"
#include "engine/bindings/c/options.hpp"
#include "engine/bindings/c/wait_readable.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::c {
namespace {

rp_devices_options devices_defaults() {
    const devices::NodeOptions node;
    rp_devices_options out{};
    out.listen = 1;
    out.engine = engine_defaults(node.engine.wait);
    out.group = to_c(node.protocol.group);
    out.tcp_port = node.protocol.tcp_port;
    out.period_ns = node.protocol.period;
    out.notices_max = node.notices_max;
    out.questions_max = node.questions_max;
    return out;
}

std::int32_t change_of(devices::Event::Kind kind) {
    using Kind = devices::Event::Kind;
    switch (kind) {
        case Kind::appeared: return RP_APPEARED;
        case Kind::suspect: return RP_SUSPECT;
        case Kind::back: return RP_BACK;
        case Kind::gone: return RP_GONE;
        case Kind::conflict: return RP_CONFLICT;
        case Kind::name_taken: return RP_NAME_TAKEN;
        case Kind::connected: return RP_CONNECTED;
        case Kind::disconnected: return RP_DISCONNECTED;
        case Kind::room: return RP_ROOM;
        case Kind::rejoin: return RP_REJOIN;
        case Kind::message:
        case Kind::question:
        case Kind::answers: break;
    }
    return 0;
}

Kept kept_of(devices::Notice notice) {
    Kept out;
    out.event.peer = to_c(notice.address);
    out.event.value = static_cast<std::int64_t>(notice.unsent);
    out.event.kind = RP_CHANGE;
    if (notice.kind == devices::Event::Kind::message) out.event.kind = RP_MESSAGE;
    if (notice.kind == devices::Event::Kind::question) out.event.kind = RP_QUESTION;
    out.event.id = notice.question.number;
    out.event.code = change_of(notice.kind);
    out.name = std::move(notice.name);
    out.bytes = std::move(notice.text);
    return out;
}

std::int32_t result_of(std::string_view call, devices::Sent sent) {
    switch (sent) {
        case devices::Sent::queued: return RP_OK;
        case devices::Sent::not_connected: return fail(RP_EPEER, call, "there is no connection to this device");
        case devices::Sent::too_large: return fail(RP_ETOOLARGE, call, "the text is too large for this device");
        case devices::Sent::queue_full: return fail(RP_EFULL, call, "the device is slow, and its queue is full");
        case devices::Sent::cannot_carry:
            return fail(RP_ETEXT, call, "the text contains `:,:` or `/EOL`, or is not UTF-8");
        case devices::Sent::expired: break;
    }
    return fail(RP_EUNKNOWN, call, "the question was answered or dropped, or has expired");
}

std::int32_t reply_of(devices::Reply reply) {
    switch (reply) {
        case devices::Reply::answered: return RP_ANSWERED;
        case devices::Reply::timed_out: return RP_UNANSWERED;
        case devices::Reply::too_large: return RP_ASK_TOO_LARGE;
        case devices::Reply::queue_full:
        case devices::Reply::no_room: return RP_ASK_FULL;
        case devices::Reply::waiting:
        case devices::Reply::not_connected: break;
    }
    return RP_NOT_CONNECTED;
}

/// Copies texts one after the other; the caller has checked that they fit.
class Texts {
  public:
    explicit Texts(std::span<std::byte> buffer) : buffer_(buffer) {}
    void put(std::string_view text, std::uint32_t& offset, std::uint32_t& size) {
        if (!text.empty()) std::memcpy(buffer_.data() + used_, text.data(), text.size());
        offset = static_cast<std::uint32_t>(used_);
        size = static_cast<std::uint32_t>(text.size());
        used_ += text.size();
    }

  private:
    std::span<std::byte> buffer_;
    std::size_t used_ = 0;
};

class Devices final : public Handle {
  public:
    explicit Devices(devices::Node node) : Handle("named devices", Threads::any), node_(std::move(node)) {}

    std::int32_t send(std::string_view call, std::span<const rp_message> messages, std::uint64_t* ids) override {
        std::int32_t taken = 0;
        for (const rp_message& message : messages) {
            if (const auto error = send(call, message)) return taken > 0 ? taken : error;
            if (ids != nullptr) ids[taken] = 0;
            ++taken;
        }
        return taken;
    }

    std::int32_t receive(std::string_view call, std::int32_t what, EventWriter& out, Duration timeout) override {
        constexpr std::int32_t notices = RP_MESSAGE | RP_CHANGE;
        const Instant deadline = deadline_after(timeout);
        const bool both = (what & notices) != 0 && (what & RP_QUESTION) != 0;
        while (take_kept(what, out)) {
            const Instant until = both || out.count() > 0 ? 0 : deadline;
            if ((what & notices) != 0) take(out, what, until, [&](Duration most) { return node_.receive(most); });
            if ((what & RP_QUESTION) != 0)
                take(out, what, until, [&](Duration most) { return node_.next_question(most); });
            if (out.count() > 0 || out.is_small() || !both || stopped_) break;
            if (!wait_readable(node_.fd(), deadline)) break;
        }
        if (out.count() > 0 || !out.is_small()) return static_cast<std::int32_t>(out.count());
        return fail(RP_ESMALL, call, "the buffer is too small for the next event");
    }

    std::int32_t descriptor(std::string_view) override { return node_.fd(); }
    std::int32_t poll(std::string_view) override {
        const std::scoped_lock lock(kept_mutex_);
        return !kept_.empty() || wait_readable(node_.fd(), now()) ? 1 : 0;
    }
    void stop() override {
        stopped_ = true;
        node_.stop();
    }

    std::int32_t ask(std::string_view call, std::span<const std::string> names, std::string_view question,
                     Duration timeout, std::uint64_t& id) override {
        auto answers = names.empty() ? node_.ask_all(question, timeout) : node_.ask(names, question, timeout);
        if (!answers && answers.error() == devices::AskRefusal::cannot_carry)
            return fail(RP_ETEXT, call, "the question contains `:,:` or `/EOL`, or is not UTF-8");
        if (!answers) return fail(RP_EFULL, call, "too many questions are pending");
        const auto count = static_cast<std::int32_t>(answers->size());
        const std::scoped_lock lock(kept_mutex_);
        id = ++asks_;
        answers_.push_back({id, std::move(*answers)});
        if (answers_.size() > limits::c_answers_max) answers_.pop_front();
        return count;
    }

    std::int32_t answers(std::string_view call, std::uint64_t id, std::span<rp_answer_text> out,
                         std::span<std::byte> buffer, std::size_t* needed) override {
        const std::scoped_lock lock(kept_mutex_);
        const auto found =
            std::find_if(answers_.begin(), answers_.end(), [&](const auto& each) { return each.id == id; });
        if (found == answers_.end()) return fail(RP_EUNKNOWN, call, fmt::format("ask {}: no answers are kept", id));
        std::size_t bytes = 0;
        for (const devices::Answer& answer : found->answers) bytes += answer.name.size() + answer.text.size();
        if (needed != nullptr) *needed = bytes;
        const std::size_t count = found->answers.size();
        if (bytes > buffer.size() || count > out.size())
            return fail(RP_ESMALL, call, fmt::format("there are {} answers of {} bytes", count, bytes));
        Texts texts(buffer);
        for (std::size_t i = 0; i < count; ++i) {
            out[i] = {};
            out[i].reply = reply_of(found->answers[i].reply);
            texts.put(found->answers[i].name, out[i].name_offset, out[i].name_size);
            texts.put(found->answers[i].text, out[i].offset, out[i].size);
        }
        answers_.erase(found);
        return static_cast<std::int32_t>(count);
    }

    std::int32_t answer(std::string_view call, std::uint64_t question, std::string_view text) override {
        return result_of(call, node_.answer({question}, text));
    }
    std::int32_t drop(std::string_view, std::uint64_t question) override {
        node_.drop({question});
        return RP_OK;
    }

    std::int32_t peers(std::string_view call, std::span<rp_peer> out, std::span<std::byte> buffer,
                       std::uint32_t* count_needed, std::size_t* needed) override {
        const std::vector<devices::Peer> all = node_.peers();
        std::size_t bytes = 0;
        for (const devices::Peer& peer : all) bytes += peer.name.size();
        if (count_needed != nullptr) *count_needed = static_cast<std::uint32_t>(all.size());
        if (needed != nullptr) *needed = bytes;
        if (bytes > buffer.size() || all.size() > out.size())
            return fail(RP_ESMALL, call,
                        fmt::format("there are {} devices, with names of {} bytes", all.size(), bytes));
        Texts texts(buffer);
        for (std::size_t i = 0; i < all.size(); ++i) {
            out[i] = {};
            out[i].address = to_c(all[i].address);
            texts.put(all[i].name, out[i].name_offset, out[i].name_size);
            out[i].suspect = all[i].presence == devices::Presence::suspect ? 1 : 0;
            out[i].connected = all[i].connected ? 1 : 0;
        }
        return static_cast<std::int32_t>(all.size());
    }

    const char* backend() const override { return node_.backend(); }
    const char* note() const override { return node_.note().c_str(); }
    std::vector<rp_counter> counters() override {
        const devices::NodeCounters counts = node_.counters();
        std::vector<rp_counter> out;
        append_counters(out, counts.protocol);
        append_engine_counters(out, counts.engine);
        out.push_back({"questions_dropped", counts.questions_dropped});
        out.push_back({"links", counts.links});
        out.push_back({"links_failed", counts.links_failed});
        return out;
    }

  private:
    struct Asked {
        std::uint64_t id;
        std::vector<devices::Answer> answers;
    };

    std::int32_t send(std::string_view call, const rp_message& given) {
        if (given.bytes == nullptr && given.size > 0) return fail(RP_EINVAL, call, "message->bytes is NULL");
        if (given.flags != 0) return fail(RP_EINVAL, call, "message->flags: not for named devices");
        const std::string_view text(static_cast<const char*>(given.bytes), given.size);
        if (given.name != nullptr) return result_of(call, node_.send(given.name, text));
        auto worst = devices::Sent::queued;
        for (const auto& [name, sent] : node_.send_all(text))
            if (sent == devices::Sent::cannot_carry) worst = sent;
        return result_of(call, worst);
    }

    template <class Next>
    void take(EventWriter& out, std::int32_t what, Instant until, Next&& next) {
        while (!out.full() && !out.is_small()) {
            const bool waits = out.count() == 0 && until > 0;
            auto notice = next(!waits ? 0 : until == never ? never : std::max<Duration>(until - now(), 0));
            if (!notice) return;
            Kept kept = kept_of(std::move(*notice));
            if ((kept.event.kind & what) != 0 && out.write(kept)) continue;
            const std::scoped_lock lock(kept_mutex_);
            // Of kinds that are never asked for only the newest are kept.
            if (kept_.size() == limits::c_kept_max) kept_.pop_front();
            kept_.push_back(std::move(kept));
            if (out.is_small() || (kept_.back().event.kind & what) != 0) return;
        }
    }

    /// False if one of them does not fit.
    bool take_kept(std::int32_t what, EventWriter& out) {
        const std::scoped_lock lock(kept_mutex_);
        for (auto kept = kept_.begin(); kept != kept_.end() && !out.full();) {
            if ((kept->event.kind & what) == 0) {
                ++kept;
                continue;
            }
            if (!out.write(*kept)) return false;
            kept = kept_.erase(kept);
        }
        return true;
    }

    devices::Node node_;
    std::atomic<bool> stopped_{false};
    std::mutex kept_mutex_;
    std::deque<Kept> kept_;
    std::deque<Asked> answers_;
    std::uint64_t asks_ = 0;
};

std::int32_t read_options(std::string_view call, const rp_devices_options& given, devices::NodeOptions& out) {
    if (given.name == nullptr) return fail(RP_EINVAL, call, "name is NULL");
    out.protocol.name = given.name;
    out.listen = given.listen != 0;
    if (const auto error = read(call, given.engine, out.engine)) return error;
    if (const auto error = read(call, "group", given.group, out.protocol.group)) return error;
    if (const auto error = read(call, "interfaces", given.interfaces, given.interfaces_count, out.interfaces))
        return error;
    if (const auto error = read(call, "ignored_interfaces", given.ignored_interfaces, given.ignored_interfaces_count,
                                out.ignored_interfaces))
        return error;
    if (given.seeds == nullptr && given.seeds_count > 0) return fail(RP_EINVAL, call, "seeds is NULL");
    for (std::uint32_t i = 0; i < given.seeds_count; ++i) {
        const auto seed = from_c(given.seeds[i]);
        if (!seed || seed->family == Family::none)
            return fail(RP_EINVAL, call, fmt::format("seeds[{}]: not an address", i));
        out.protocol.seeds.push_back(*seed);
    }
    out.protocol.tcp_port = given.tcp_port;
    out.protocol.period = given.period_ns;
    out.notices_max = given.notices_max;
    out.questions_max = given.questions_max;
    return RP_OK;
}

}  // namespace
}  // namespace ringpost::c

using namespace ringpost;
using namespace ringpost::c;

int32_t rp_devices_init(rp_devices_options* options, size_t size) {
    return init("rp_devices_init", options, size, devices_defaults());
}

int32_t rp_devices_open(const rp_devices_options* options, rp_handle** handle) {
    constexpr const char* call = "rp_devices_open";
    if (handle == nullptr) return fail(RP_EINVAL, call, "handle is NULL");
    *handle = nullptr;
    rp_devices_options given = devices_defaults();
    if (const auto error = read(call, options, given)) return error;
    devices::NodeOptions node;
    if (const auto error = read_options(call, given, node)) return error;
    auto opened = devices::Node::open(node);
    if (!opened) return fail(call, opened.error());
    return publish(call, std::make_unique<Devices>(std::move(*opened)), handle);
}
