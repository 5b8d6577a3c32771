#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "apps/runs/snapshot.hpp"

namespace ringpost::apps {

/// Shows a run on standard error while it goes on, interval by interval. A terminal gets a few lines that are redrawn
/// in place: rates, loss by place, processor time, percentiles, and a bar spectrum. Any other output gets one plain
/// line per interval. Colours require a terminal and an empty NO_COLOR (no-color.org).
class LiveView {
  public:
    enum class Style : std::uint8_t { plain, terminal, coloured };
    /// Depends on standard error and the environment. A terminal whose TERM is `dumb` or unset gets plain lines.
    static Style style_of_stderr();

    /// `out` must outlive it. Bars are UTF-8 if the environment's locale is.
    LiveView(RunShape shape, Style style, std::FILE* out);

    void show(const Snapshot& now);                  ///< since the start; shows the interval since the last call
    void skip(const Snapshot& now) { last_ = now; }  ///< starts the next interval without showing anything
    void end();                                      ///< clears what it has drawn on a terminal

  private:
    void draw(const Snapshot& now, const Snapshot& interval);
    void write(const std::string& text);  ///< what cannot be written is dropped

    RunShape shape_;
    Style style_;
    bool utf8_;
    std::FILE* out_;
    Snapshot last_;
    std::size_t lines_drawn_ = 0;
};

/// One interval as a line of text, with the time since the start. Unknown figures and percentiles of nothing are left
/// out. Datagrams refused by the kernel are listed separately where `lost` does not include them.
std::string interval_text(const RunShape& shape, const Snapshot& interval, double elapsed_s);

}  // namespace ringpost::apps
