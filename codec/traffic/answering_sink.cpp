// Pending replies are queued; consecutive replies that differ only in sequence share an entry with a count. Replies
// leave from the front of the queue, in trains of equal source, socket and size. Sequence numbers are assigned when
// replies are sent, so a reply dropped here does not look lost on the network.
//
// Peers choose the sizes, so the CRC of each reply covers all its bytes, as in verification. The fill is written once
// per buffer and size, because engines reuse a few buffers and never write to them.

#include "codec/traffic/answering_sink.hpp"

#include <algorithm>
#include <cstring>

#include "codec/base/check.hpp"
#include "codec/base/limits.hpp"
#include "codec/base/reflection.hpp"

namespace ringpost::traffic {

AnsweringSink::AnsweringSink(const AnsweringSinkOptions& options)
    : options_(options),
      sink_(options.sink),
      random_(options.seed),
      streams_(limits::load_streams_max, options.sink.key),
      queued_(limits::load_answers_owed_max) {
    RINGPOST_CHECK(options.sink.verify);
}

void AnsweringSink::handle(Instant now, const Datagram& in) {
    if (!sink_.take(now, in)) return;
    const bool answer = (traffic::stream_of(in.bytes) & answer_stream_bit) != 0;
    if (answer || reflects(in.source.port) || in.bytes.size() > limits::datagram_bytes_max)
        ++counts_.refused;
    else if (queued_count_ == limits::load_answers_owed_max)
        ++counts_.dropped;
    else
        queue_reply({in.source, in.path(), in.bytes.size(), now, 1});
}

void AnsweringSink::queue_reply(const QueuedReply& reply) {
    ++queued_count_;
    if (!queued_.empty() && queued_.back().due == reply.due && queued_.back().shares_train(reply))
        ++queued_.back().count;
    else
        queued_.push(reply);  // entries never outnumber the replies counted in queued_count_
}

std::optional<Transmit> AnsweringSink::poll_transmit(Instant now, std::span<std::byte> out) {
    if (const auto control = sink_.poll_transmit(now, out)) {
        layout_of(out.data(), 0);  // its fill is overwritten
        return control;
    }
    if (queued_.empty()) return std::nullopt;
    const QueuedReply first = queued_.front();
    const std::size_t most =
        std::clamp<std::size_t>(limits::datagram_bytes_max / first.bytes, 1, limits::train_segments_max);
    AnswerStream& answers = stream_of(first.source);
    Layout& layout = layout_of(out.data(), first.bytes);
    std::size_t count = 0;
    for (; count < most && !queued_.empty() && queued_.front().shares_train(first); ++count) {
        const std::span<std::byte> frame = out.subspan(count * first.bytes, first.bytes);
        if (count == layout.frames) {
            std::ranges::copy(fill_of(first.bytes - frame_bytes_min), frame.data() + frame_bytes_min);
            ++layout.frames;
        }
        encode({answers.stream, answers.next_sequence++, queued_.front().due + options_.due_offset}, frame);
        if (--queued_.front().count == 0) queued_.pop();
    }
    queued_count_ -= static_cast<std::uint32_t>(count);
    counts_.sent += count;
    return Transmit{first.source, first.path.socket, count * first.bytes, first.bytes, first.path.local};
}

AnswerStream& AnsweringSink::stream_of(const Address& source) {
    AnswerStream& answers = streams_.touch(source);
    if (!answers.started)
        answers = {.started = true, .stream = static_cast<std::uint32_t>(random_.next()) | answer_stream_bit};
    return answers;
}

AnsweringSink::Layout& AnsweringSink::layout_of(const std::byte* buffer, std::size_t frame_bytes) {
    auto found = std::ranges::find(layouts_, buffer, &Layout::buffer);
    if (found == layouts_.end())
        found = layouts_.begin() + static_cast<std::ptrdiff_t>(next_layout_++ % layouts_.size());
    if (found->buffer != buffer || found->frame_bytes != frame_bytes) *found = {buffer, frame_bytes, 0};
    return *found;
}

AnswerCounters AnsweringSink::answers() const {
    AnswerCounters out = counts_;
    out.sources_forgotten = streams_.evictions();
    return out;
}

}  // namespace ringpost::traffic
