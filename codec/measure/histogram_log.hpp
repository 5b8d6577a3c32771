#pragma once

// Histograms in the text formats of HdrHistogram's tools: the V2 encoding, compressed and in base64, and the lines of
// .hlog files. Source: AbstractHistogram and HistogramLogWriter of the Java implementation (log format 1.3). The
// decoders accept untrusted input.

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codec/measure/histogram.hpp"

namespace ringpost {

/// The uncompressed V2 encoding: a header of 40 bytes, then the counts up to the last non-zero one. Saturated durations
/// are part of the top bucket; the encoding cannot distinguish them.
std::vector<std::byte> encode_histogram(const Histogram& histogram);

/// Returns the histogram or a short error text. Accepts only the layout of Histogram: 3 significant digits, lowest
/// value 1, any highest value. Values above trackable_ns_max saturate. Memory use is proportional to that of a
/// Histogram.
std::expected<Histogram, std::string> decode_histogram(std::span<const std::byte> bytes);

/// The same in the form used in logs: V2, compressed with zlib, in base64.
std::string encode_histogram_text(const Histogram& histogram);
std::expected<Histogram, std::string> decode_histogram_text(std::string_view text);

/// A line of a log: the histogram of one interval.
struct LoggedInterval {
    std::string tag;     ///< name of the series; "" means none; must not contain commas or line breaks
    double start_s = 0;  ///< since the start of the log
    double length_s = 0;
    Histogram histogram;
};

/// The header of a log: version, start and legend. `start_s` is in seconds since 1970, `start_text` is the same time as
/// text.
std::string histogram_log_head(double start_s, std::string_view start_text);

/// A line with its line break. The longest duration is printed in milliseconds, as HdrHistogram does for nanoseconds.
std::string histogram_log_line(const LoggedInterval& interval);

/// Parses a line without its line break. Returns an interval, nullopt for a comment, the legend or an empty line, or an
/// error text.
std::expected<std::optional<LoggedInterval>, std::string> parse_histogram_log_line(std::string_view line);

/// The start of the log in seconds since 1970, if `line` is the line that contains it.
std::optional<double> parse_histogram_log_start(std::string_view line);

}  // namespace ringpost
