#include "codec/traffic/control.hpp"

#include <algorithm>

#include "codec/base/bytes.hpp"
#include "codec/base/crc32c.hpp"
#include "codec/traffic/frame.hpp"

namespace ringpost::traffic {
namespace {

constexpr std::size_t control_kind_at = 16;
constexpr std::size_t control_numbers_at = 24;
static_assert(control_numbers_at + control_numbers * sizeof(std::uint64_t) == control_bytes);

/// Numbers that a kind uses, from the first on; 0 for an unknown kind, and one for a kind without any.
constexpr std::size_t numbers_used(std::uint8_t kind) {
    switch (static_cast<ControlKind>(kind)) {
        case ControlKind::ask_counts: return 0;
        case ControlKind::counts: return 7;
        case ControlKind::ask_reverse: return 5;
        case ControlKind::reverse: return 4;
        case ControlKind::ask_clock: return 0;
        case ControlKind::clock: return 1;
    }
    return 0;
}

constexpr bool is_control_kind(std::uint8_t kind) {
    return kind >= static_cast<std::uint8_t>(ControlKind::ask_counts) &&
           kind <= static_cast<std::uint8_t>(ControlKind::clock);
}

}  // namespace

std::optional<Control> decode_control(std::span<const std::byte> bytes) {
    if (bytes.size() != control_bytes) return std::nullopt;
    if (load_le<std::uint32_t>(bytes.data()) != ~crc32c(bytes.subspan(4))) return std::nullopt;
    const auto kind = static_cast<std::uint8_t>(bytes[control_kind_at]);
    if (!is_control_kind(kind)) return std::nullopt;
    if (load_le<std::uint64_t>(&bytes[control_kind_at]) != kind) return std::nullopt;  // the seven bytes behind it
    Control out{.kind = static_cast<ControlKind>(kind),
                .stream = load_le<std::uint32_t>(&bytes[4]),
                .cookie = load_le<std::uint64_t>(&bytes[8])};
    for (std::size_t i = 0; i < control_numbers; ++i)
        out.numbers[i] = load_le<std::uint64_t>(&bytes[control_numbers_at + i * sizeof(std::uint64_t)]);
    const auto unused = std::span(out.numbers).subspan(numbers_used(kind));
    if (std::ranges::any_of(unused, [](std::uint64_t number) { return number != 0; })) return std::nullopt;
    return out;
}

void encode_control(const Control& control, std::span<std::byte> out) {
    store_le<std::uint32_t>(&out[4], control.stream);
    store_le<std::uint64_t>(&out[8], control.cookie);
    store_le<std::uint64_t>(&out[control_kind_at], static_cast<std::uint8_t>(control.kind));
    for (std::size_t i = 0; i < control_numbers; ++i)
        store_le<std::uint64_t>(&out[control_numbers_at + i * sizeof(std::uint64_t)], control.numbers[i]);
    store_le<std::uint32_t>(out.data(), ~crc32c(out.subspan(4, control_bytes - 4)));
}

Control counts_answer(const Control& request, const StreamCounts& counts, bool forgotten) {
    return {.kind = ControlKind::counts,
            .stream = request.stream,
            .cookie = request.cookie,
            .numbers = {counts.received, counts.missing, counts.end, counts.duplicate, counts.reordered, counts.corrupt,
                        forgotten ? 1u : 0u}};
}

CountsAnswer counts_of(const Control& answer, std::uint64_t sent) {
    if (answer.kind != ControlKind::counts || answer.numbers[6] > 1) return {};
    const StreamCounts counts{.received = answer.numbers[0],
                              .missing = answer.numbers[1],
                              .end = answer.numbers[2],
                              .duplicate = answer.numbers[3],
                              .reordered = answer.numbers[4],
                              .corrupt = answer.numbers[5]};
    const bool within = counts.end <= sent && counts.missing <= counts.end &&
                        counts.received <= counts.end - counts.missing && counts.reordered <= counts.received &&
                        counts.duplicate < sequence_end && counts.corrupt < sequence_end;
    if (!within) return {};
    return {.credible = true, .counts = answer.numbers[6] == 0 ? std::optional(counts) : std::nullopt};
}

}  // namespace ringpost::traffic
