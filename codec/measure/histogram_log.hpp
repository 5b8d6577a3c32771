#pragma once

// Histograms as text that the tools of HdrHistogram read, and theirs read back: the V2 encoding, compressed and in
// base64, and the lines of a .hlog file. Source: AbstractHistogram and HistogramLogWriter of the Java implementation
// (log format 1.3). What is read may come from anybody.

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codec/measure/histogram.hpp"

namespace ringpost {

/// The V2 encoding, uncompressed: 40 bytes of head, then the counts up to the last that is not zero. Durations above
/// trackable_ns_max are among those of the top bucket: the encoding does not tell them apart.
std::vector<std::byte> encode_histogram(const Histogram& histogram);

/// The histogram, or why there is none, in a few words. Only the layout of Histogram is read: 3 significant digits from
/// 1 up to any highest value; what lies above trackable_ns_max saturates. Takes memory in proportion to a Histogram.
std::expected<Histogram, std::string> decode_histogram(std::span<const std::byte> bytes);

/// The same in the form of the logs: V2 compressed by zlib, in base64.
std::string encode_histogram_text(const Histogram& histogram);
std::expected<Histogram, std::string> decode_histogram_text(std::string_view text);

/// One line of a log: what was recorded in a span of time.
struct LoggedInterval {
    std::string tag;     ///< which of several kinds in one log; "" is none, and no comma or line end is in it
    double start_s = 0;  ///< since the start of the log
    double length_s = 0;
    Histogram histogram;
};

/// What a log begins with: version, start and legend. `start_s` is in seconds since 1970, `start_text` the same in
/// words.
std::string histogram_log_head(double start_s, std::string_view start_text);

/// One line with its end. The longest duration is told in milliseconds, as HdrHistogram does for nanoseconds.
std::string histogram_log_line(const LoggedInterval& interval);

/// Reads a line without its end: an interval, nothing (a comment, the legend, an empty line), or what is wrong with it.
std::expected<std::optional<LoggedInterval>, std::string> parse_histogram_log_line(std::string_view line);

/// The start of the log, in seconds since 1970, if `line` is the one that tells it.
std::optional<double> parse_histogram_log_start(std::string_view line);

}  // namespace ringpost
