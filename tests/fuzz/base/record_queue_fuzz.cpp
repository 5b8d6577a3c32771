// Compares pushes and pops with a deque. The first byte is the size of the ring. In each further byte, the lowest bit
// selects push or pop and the rest is the length of the record.

#include <deque>

#include "codec/base/record_queue.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::base_record_queue {

namespace {

constexpr std::size_t room_for(std::size_t bytes) { return 16 + (bytes + 7) / 8 * 8; }

int run(const std::uint8_t* data, std::size_t size) {
    Script script(data, size, 4'096);
    const std::size_t capacity = std::size_t{script.u8()} * 8;
    RecordQueue<std::uint64_t> queue(capacity);
    std::deque<Bytes> model;
    std::size_t used = 0;
    std::uint64_t pushed = 0, popped = 0;
    while (!script.over()) {
        const std::uint8_t step = script.u8();
        if ((step & 1) != 0) {
            const Bytes bytes(step >> 1, static_cast<std::byte>(step));
            const bool fits = queue.push(pushed, bytes);
            RINGPOST_CHECK(!model.empty() || fits == (room_for(bytes.size()) <= capacity));
            if (fits) {
                ++pushed;
                model.push_back(bytes);
                used += room_for(bytes.size());
                RINGPOST_CHECK(used <= capacity);
            }
        } else if (!model.empty()) {
            used -= room_for(model.front().size());
            model.pop_front();
            queue.pop();
            ++popped;
        }
        const auto front = queue.front();
        RINGPOST_CHECK(queue.size() == model.size() && queue.empty() == model.empty());
        RINGPOST_CHECK(front.has_value() == !model.empty());
        if (front) RINGPOST_CHECK(front->header == popped && fuzz::same_bytes(front->bytes, model.front()));
    }
    return 0;
}

const Target registered("base/record_queue", run);

}  // namespace
}  // namespace ringpost::fuzz::base_record_queue
