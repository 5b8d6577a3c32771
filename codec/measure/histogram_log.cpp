// The V2 encoding consists of a header of big-endian fields,
//
//     cookie 4 | payload bytes 4 | index offset 4 | significant digits 4 | lowest 8 | highest 8 | ratio 8 (a double)
//
// and the counts in order of index, each a ZigZag LEB128 integer of at most 9 bytes; the ninth byte has eight value
// bits. A negative integer is the length of a run of zeros. Counts behind the last one are zero. The compressed form
// consists of another cookie, the number of bytes that follow, and a zlib stream of the first form.
//
// The index offset and the ratio exist for histograms that shift or scale their values in memory. Their counts are
// still written in plain order, and implementations disagree on these two fields, so the decoder ignores both.

#include "codec/measure/histogram_log.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <memory>

#include "codec/base/allocated.hpp"
#include "codec/base/base64.hpp"
#include "codec/base/bytes.hpp"
#include "codec/base/check.hpp"
#include "codec/base/limits.hpp"

namespace ringpost {

namespace {

// The low nibble is the version. The 1 above it marks LEB128 counts.
constexpr std::uint32_t cookie = 0x1c849313;
constexpr std::uint32_t compressed_cookie = 0x1c849314;
constexpr std::size_t head_bytes = 40;
constexpr std::size_t compressed_head_bytes = 8;
constexpr std::uint32_t significant_digits = 3;
constexpr unsigned count_bytes_max = 9;
constexpr int compression_level = 6;
/// Largest expansion of a zlib stream: 258 bytes for two bits.
constexpr std::size_t growth_max = 1032;

static_assert(limits::histogram_encoded_bytes_max == head_bytes + count_bytes_max * Histogram::index_end);

using Fault = std::unexpected<std::string>;

void put_count(std::vector<std::byte>& out, std::int64_t value) {
    auto rest = static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
    for (unsigned bytes = 1; bytes < count_bytes_max && rest >= 0x80; ++bytes, rest >>= 7)
        out.push_back(static_cast<std::byte>(rest | 0x80));
    out.push_back(static_cast<std::byte>(rest));
}

/// Decodes and removes the integer at the front of `bytes`, which must not be empty. Returns nullopt if it is
/// truncated.
std::optional<std::int64_t> take_count(std::span<const std::byte>& bytes) {
    std::uint64_t value = 0;
    for (unsigned k = 0; k < std::min<std::size_t>(bytes.size(), count_bytes_max); ++k) {
        const auto byte = std::to_integer<std::uint64_t>(bytes[k]);
        const bool last = k + 1 == count_bytes_max || byte < 0x80;
        value |= (last ? byte : byte & 0x7f) << 7 * k;
        if (!last) continue;
        bytes = bytes.subspan(k + 1);
        return static_cast<std::int64_t>(value >> 1 ^ (0 - (value & 1)));
    }
    return std::nullopt;
}

std::expected<Histogram, std::string> decode_counts(std::span<const std::byte> bytes) {
    Histogram histogram;
    std::size_t index = 0;
    while (!bytes.empty()) {
        const auto count = take_count(bytes);
        if (!count) return Fault("a histogram whose last count is cut off");
        const std::uint64_t places = *count < 0 ? 0 - static_cast<std::uint64_t>(*count) : 1;
        if (places > Histogram::index_end - index) return Fault("a histogram with counts past the longest duration");
        if (*count > 0) {
            if (histogram.count() > static_cast<std::uint64_t>(INT64_MAX - *count))
                return Fault("a histogram whose counts add up to more than 63 bits");
            histogram.record_bucket(index, static_cast<std::uint64_t>(*count));
        }
        index += places;
    }
    return histogram;
}

std::expected<std::vector<std::byte>, std::string> decompress(std::span<const std::byte> bytes) {
    const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> decompressor(
        allocated(libdeflate_alloc_decompressor), libdeflate_free_decompressor);
    std::vector<std::byte> plain(std::min(limits::histogram_encoded_bytes_max, bytes.size() * growth_max));
    std::size_t taken = 0;
    std::size_t made = 0;
    const auto result = libdeflate_zlib_decompress_ex(decompressor.get(), bytes.data(), bytes.size(), plain.data(),
                                                      plain.size(), &taken, &made);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE) return Fault("a histogram that is too large");
    if (result != LIBDEFLATE_SUCCESS || taken != bytes.size()) return Fault("a histogram whose zlib stream is broken");
    plain.resize(made);
    return plain;
}

/// Formats with three decimals, as in the log format.
std::string milli(double number) {
    std::array<char, 330> text;  // the longest double has 309 digits before the decimal point
    const auto [end, error] =
        std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed, 3);
    RINGPOST_CHECK(error == std::errc{});
    return {text.data(), end};
}

/// Returns the field up to the next comma and removes both.
std::string_view take_field(std::string_view& line) {
    const std::size_t comma = std::min(line.find(','), line.size());
    const std::string_view field = line.substr(0, comma);
    line.remove_prefix(std::min(comma + 1, line.size()));
    return field;
}

/// Parses a finite, non-negative number, skipping leading spaces.
std::optional<double> number_of(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(number) || number < 0)
        return std::nullopt;
    return number;
}

}  // namespace

std::vector<std::byte> encode_histogram(const Histogram& histogram) {
    std::vector<std::byte> out(head_bytes);
    auto counts = histogram.bucket_counts();
    while (counts.size() > 1 && counts.back() == 0) counts = counts.first(counts.size() - 1);
    for (std::size_t index = 0; index < counts.size();) {
        const auto zeros =
            static_cast<std::size_t>(std::find_if(counts.begin() + static_cast<std::ptrdiff_t>(index), counts.end(),
                                                  [](std::uint64_t count) { return count != 0; }) -
                                     counts.begin() - static_cast<std::ptrdiff_t>(index));
        put_count(out, zeros > 1 ? -static_cast<std::int64_t>(zeros) : static_cast<std::int64_t>(counts[index]));
        index += std::max<std::size_t>(zeros, 1);
    }
    store_be(out.data(), cookie);
    store_be(&out[4], static_cast<std::uint32_t>(out.size() - head_bytes));
    store_be(&out[8], std::uint32_t{0});
    store_be(&out[12], significant_digits);
    store_be(&out[16], std::uint64_t{1});
    store_be(&out[24], static_cast<std::uint64_t>(Histogram::trackable_ns_max));
    store_be(&out[32], std::bit_cast<std::uint64_t>(1.0));
    return out;
}

std::expected<Histogram, std::string> decode_histogram(std::span<const std::byte> bytes) {
    if (bytes.size() < head_bytes || load_be<std::uint32_t>(bytes.data()) != cookie)
        return Fault("not a histogram in V2 encoding");
    if (load_be<std::uint32_t>(&bytes[4]) != bytes.size() - head_bytes)
        return Fault("a histogram whose length field is wrong");
    const auto digits = load_be<std::uint32_t>(&bytes[12]);
    const auto lowest = load_be<std::uint64_t>(&bytes[16]);
    if (digits != significant_digits || lowest != 1)
        return Fault("a histogram of " + std::to_string(digits) + " significant digits from " + std::to_string(lowest) +
                     "; only those of 3 from 1 are read");
    return decode_counts(bytes.subspan(head_bytes));
}

std::string encode_histogram_text(const Histogram& histogram) {
    const std::vector<std::byte> plain = encode_histogram(histogram);
    const std::unique_ptr<libdeflate_compressor, void (*)(libdeflate_compressor*)> compressor(
        allocated([] { return libdeflate_alloc_compressor(compression_level); }), libdeflate_free_compressor);
    std::vector<std::byte> out(compressed_head_bytes + libdeflate_zlib_compress_bound(compressor.get(), plain.size()));
    const std::size_t made =
        libdeflate_zlib_compress(compressor.get(), plain.data(), plain.size(), out.data() + compressed_head_bytes,
                                 out.size() - compressed_head_bytes);
    RINGPOST_CHECK(made > 0);
    store_be(out.data(), compressed_cookie);
    store_be(&out[4], static_cast<std::uint32_t>(made));
    return encode_base64(std::span(out).first(compressed_head_bytes + made));
}

std::expected<Histogram, std::string> decode_histogram_text(std::string_view text) {
    const auto bytes = decode_base64(text);
    if (!bytes) return Fault("a histogram that is not base64");
    if (bytes->size() < compressed_head_bytes || load_be<std::uint32_t>(bytes->data()) != compressed_cookie)
        return Fault("not a histogram in compressed V2 encoding");
    if (load_be<std::uint32_t>(bytes->data() + 4) != bytes->size() - compressed_head_bytes)
        return Fault("a histogram whose length field is wrong");
    const auto plain = decompress(std::span(*bytes).subspan(compressed_head_bytes));
    if (!plain) return Fault(plain.error());
    return decode_histogram(*plain);
}

std::string histogram_log_head(double start_s, std::string_view start_text) {
    return "#[Histogram log format version 1.3]\n#[StartTime: " + milli(start_s) + " (seconds since epoch), " +
           std::string(start_text) +
           "]\n\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";
}

std::string histogram_log_line(const LoggedInterval& interval) {
    const double max_ms = static_cast<double>(interval.histogram.max()) / 1e6;
    return (interval.tag.empty() ? "" : "Tag=" + interval.tag + ",") + milli(interval.start_s) + "," +
           milli(interval.length_s) + "," + milli(max_ms) + "," + encode_histogram_text(interval.histogram) + "\n";
}

std::expected<std::optional<LoggedInterval>, std::string> parse_histogram_log_line(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#') || line.starts_with("\"StartTimestamp\"")) return std::nullopt;
    LoggedInterval interval;
    if (line.starts_with("Tag=")) {
        line.remove_prefix(4);
        interval.tag = take_field(line);
    }
    const auto start_s = number_of(take_field(line));
    const auto length_s = number_of(take_field(line));
    const auto longest = number_of(take_field(line));
    if (!start_s || !length_s || !longest) return Fault("expected start, length and longest, each a number");
    auto histogram = decode_histogram_text(line);
    if (!histogram) return Fault(std::move(histogram.error()));
    interval.start_s = *start_s;
    interval.length_s = *length_s;
    interval.histogram = std::move(*histogram);
    return interval;
}

std::optional<double> parse_histogram_log_start(std::string_view line) {
    constexpr std::string_view head = "#[StartTime:";
    if (!line.starts_with(head)) return std::nullopt;
    line.remove_prefix(head.size());
    return number_of(line.substr(0, line.find(" (")));
}

}  // namespace ringpost
