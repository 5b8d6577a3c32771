#pragma once

#include <string>
#include <string_view>

namespace ringpost::apps {

/// Makes report.html from the other files of a kept run, in the same directory: one file that needs no network. Returns
/// false if it cannot be written; throws Failure if the others cannot be read.
bool write_report_page(const std::string& path);

/// The files of apps/runs/page. (uPlot, https://github.com/leeoniya/uPlot, 1.6.32, MIT licence.)
extern const std::string_view page_html, page_js, uplot_js, uplot_css;

}  // namespace ringpost::apps
