#pragma once

#include <string>
#include <string_view>

namespace ringpost::apps {

/// Makes report.html of a kept run's other files, in the same directory: one file that needs no network. False if it
/// could not be written; Failure if the others cannot be read.
bool write_report_page(const std::string& path);

/// The files of apps/report, of which the page consists. (uPlot, https://github.com/leeoniya/uPlot, 1.6.32, MIT
/// licence.)
extern const std::string_view page_html, page_js, uplot_js, uplot_css;

}  // namespace ringpost::apps
