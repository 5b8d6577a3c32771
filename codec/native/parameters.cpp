// A parameter of a number is a row: its id and which member it is. Writing and reading walk the same rows, in ascending
// order of the ids; kinds of channels and the name have functions of their own.

#include "codec/native/parameters.hpp"

#include <algorithm>
#include <cstring>
#include <variant>

#include "codec/base/bytes.hpp"
#include "codec/base/check.hpp"
#include "codec/base/utf8.hpp"

namespace ringpost::native {
namespace {

constexpr std::uint8_t channels_id = 2, name_id = 9, random_id_first = 128;

struct NumberParameter {
    std::uint8_t id;
    std::variant<std::uint16_t Parameters::*, std::uint32_t Parameters::*, std::uint64_t Parameters::*> member;
    std::uint64_t least, most;
};

constexpr NumberParameter number_parameters[] = {
    {1, &Parameters::message_bytes_max, 1, limits::native_message_bytes_max},
    {3, &Parameters::connection_window_bytes, 0, UINT64_MAX},
    {4, &Parameters::channel_window_bytes, 0, UINT64_MAX},
    {5, &Parameters::idle_timeout_ms, 1, UINT32_MAX},
    {6, &Parameters::ack_delay_us, 0, limits::native_ack_delay_us_max},
    {7, &Parameters::datagram_bytes_max, limits::native_datagram_bytes_min, limits::native_datagram_bytes_max},
    {8, &Parameters::features, 0, UINT32_MAX},
};

std::uint64_t value_of(const NumberParameter& row, const Parameters& parameters) {
    return std::visit([&](auto member) -> std::uint64_t { return parameters.*member; }, row.member);
}

// Writes id, length and value, and returns their end.
std::byte* write_parameter(std::byte* out, std::uint8_t id, std::span<const std::byte> value) {
    *out++ = std::byte{id};
    *out++ = static_cast<std::byte>(value.size());
    return std::ranges::copy(value, out).out;
}

std::byte* write_number(std::byte* out, const NumberParameter& row, const Parameters& parameters) {
    return std::visit(
        [&](auto member) {
            std::array<std::byte, sizeof(parameters.*member)> bytes;
            store_le(bytes.data(), parameters.*member);
            return write_parameter(out, row.id, bytes);
        },
        row.member);
}

std::byte* write_channels(std::byte* out, const ChannelKinds& channels) {
    std::array<std::byte, 2 * limits::native_channel_runs_max> bytes;
    std::size_t size = 0;
    for (const ChannelKinds::Run& run : channels.runs()) {
        bytes[size++] = static_cast<std::byte>(run.kind);
        bytes[size++] = std::byte{run.count_less_1};
    }
    return write_parameter(out, channels_id, std::span(bytes).first(size));
}

using Fault = std::optional<ParameterError>;

Fault read_number(const NumberParameter& row, std::span<const std::byte> value, Parameters& out) {
    const bool fits = std::visit(
        [&](auto member) {
            using Number = std::remove_reference_t<decltype(out.*member)>;
            if (value.size() != sizeof(Number)) return false;
            out.*member = load_le<Number>(value.data());
            return true;
        },
        row.member);
    if (!fits) return ParameterError::length;
    const std::uint64_t number = value_of(row, out);
    return number < row.least || number > row.most ? Fault(ParameterError::out_of_range) : std::nullopt;
}

Fault read_channels(std::span<const std::byte> value, ChannelKinds& out) {
    if (value.size() % 2 != 0 || value.empty()) return ParameterError::length;
    out.clear();
    for (; !value.empty(); value = value.subspan(2)) {
        if (value[0] > static_cast<std::byte>(ChannelKind::latest)) return ParameterError::bad_kind;
        const auto kind = static_cast<ChannelKind>(value[0]);
        // Each set of channels has one encoding: runs that follow each other differ.
        if (!out.runs().empty() && out.runs().back().kind == kind) return ParameterError::bad_kind;
        if (!out.try_append(kind, std::to_integer<std::size_t>(value[1]) + 1)) return ParameterError::too_many_channels;
    }
    return std::nullopt;
}

Fault read_parameter(std::uint8_t id, std::span<const std::byte> value, Parameters& out) {
    if (id == channels_id) return read_channels(value, out.channels);
    if (id == name_id) {
        if (value.size() > limits::native_name_bytes_max) return ParameterError::length;
        const std::string_view text(reinterpret_cast<const char*>(value.data()), value.size());
        return out.set_application(text) ? std::nullopt : Fault(ParameterError::name);
    }
    const auto* const row = std::ranges::find(number_parameters, id, &NumberParameter::id);
    return row == std::end(number_parameters) ? std::nullopt : read_number(*row, value, out);
}

}  // namespace

bool ChannelKinds::try_append(ChannelKind kind, std::size_t count) {
    if (count == 0) return true;
    if (channels() + count > limits::native_channels_max) return false;
    if (count_ > 0 && runs_[count_ - 1u].kind == kind) {
        runs_[count_ - 1u].count_less_1 = static_cast<std::uint8_t>(runs_[count_ - 1u].count_less_1 + count);
        return true;
    }
    if (count_ == runs_.size()) return false;
    append(kind, count);
    return true;
}

void ChannelKinds::append(ChannelKind kind, std::size_t count) {
    runs_[count_++] = {kind, static_cast<std::uint8_t>(count - 1)};
}

std::size_t ChannelKinds::channels() const {
    std::size_t sum = 0;
    for (const Run& run : runs()) sum += run.count_less_1 + std::size_t{1};
    return sum;
}

ChannelKind ChannelKinds::kind_of(std::size_t channel) const {
    for (const Run& run : runs()) {
        if (channel <= run.count_less_1) return run.kind;
        channel -= run.count_less_1 + std::size_t{1};
    }
    RINGPOST_CHECK(false);
    return ChannelKind::ordered;
}

bool Parameters::set_application(std::string_view text) {
    if (text.size() > name.size() || !is_utf8(text)) return false;
    name = {};
    std::ranges::copy(text, name.begin());
    name_bytes = static_cast<std::uint8_t>(text.size());
    return true;
}

std::optional<ParameterError> fault_of(const Parameters& parameters) {
    for (const NumberParameter& row : number_parameters) {
        const std::uint64_t number = value_of(row, parameters);
        if (number < row.least || number > row.most) return ParameterError::out_of_range;
    }
    if (parameters.channels.runs().empty()) return ParameterError::bad_kind;
    return is_utf8(parameters.application()) ? Fault() : Fault(ParameterError::name);
}

std::size_t write_parameters(std::span<std::byte> out, const Parameters& parameters, std::uint32_t random) {
    RINGPOST_CHECK(out.size() >= parameters_bytes_max && !fault_of(parameters));
    std::byte* at = out.data();
    for (const NumberParameter& row : number_parameters) {
        if (row.id == channels_id + 1) at = write_channels(at, parameters.channels);
        at = write_number(at, row, parameters);
    }
    at = write_parameter(at, name_id, std::as_bytes(std::span(parameters.application())));
    std::array<std::byte, sizeof random> noise;
    store_le(noise.data(), random);
    const auto unknown_id = static_cast<std::uint8_t>(random_id_first | (random & 0x7f));
    at = write_parameter(at, unknown_id, std::span(noise).first((random >> 8) % (noise.size() + 1)));
    return static_cast<std::size_t>(at - out.data());
}

std::expected<Parameters, ParameterError> parse_parameters(std::span<const std::byte> bytes) {
    Parameters out;
    int last_id = -1;
    while (!bytes.empty()) {
        if (bytes.size() < 2) return std::unexpected(ParameterError::cut);
        const auto id = std::to_integer<std::uint8_t>(bytes[0]);
        const auto length = std::to_integer<std::size_t>(bytes[1]);
        if (bytes.size() - 2 < length) return std::unexpected(ParameterError::cut);
        if (id <= last_id) return std::unexpected(ParameterError::order);
        last_id = id;
        if (const Fault fault = read_parameter(id, bytes.subspan(2, length), out)) return std::unexpected(*fault);
        bytes = bytes.subspan(2 + length);
    }
    return out;
}

std::optional<ChannelMismatch> mismatch_of(const ChannelKinds& ours, const ChannelKinds& theirs) {
    const std::size_t common = std::min(ours.channels(), theirs.channels());
    for (std::size_t channel = 0; channel < common; ++channel)
        if (ours.kind_of(channel) != theirs.kind_of(channel))
            return ChannelMismatch{channel, ours.kind_of(channel), theirs.kind_of(channel)};
    return std::nullopt;
}

}  // namespace ringpost::native
