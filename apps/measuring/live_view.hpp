#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "apps/runs/snapshot.hpp"

namespace ringpost::apps {

/// Shows a run while it goes on, second by second, on standard error. On a terminal a few lines that are drawn over
/// each other: rates, loss and where it happened, processor time, p50, p99 and the longest of the interval, and a bar
/// spectrum of its times. Elsewhere a plain line for each interval. Colours only on a terminal, and not where NO_COLOR
/// is set (no-color.org).
class LiveView {
  public:
    enum class Style : std::uint8_t { plain, terminal, coloured };
    /// As standard error and the environment have it: plain as well where TERM says dumb or nothing.
    static Style style_of_stderr();

    /// `out` must outlive it. Bars are in UTF-8 where the environment's locale is.
    LiveView(RunShape shape, Style style, std::FILE* out);

    void show(const Snapshot& now);  ///< since the start; the interval is what has come since the last call
    void skip(const Snapshot& now) { last_ = now; }  ///< the next interval begins here; nothing is shown
    void end();                                      ///< takes what was drawn on a terminal away

  private:
    void draw(const Snapshot& now, const Snapshot& interval);

    RunShape shape_;
    Style style_;
    bool utf8_;
    std::FILE* out_;
    Snapshot last_;
    std::size_t lines_drawn_ = 0;
};

/// One interval as a line of text; `elapsed_s` is what has passed since the start. Left out is what the shape does not
/// have, and percentiles of nothing. What the kernel refused is told apart where `lost` does not include it.
std::string interval_text(const RunShape& shape, const Snapshot& interval, double elapsed_s);

}  // namespace ringpost::apps
