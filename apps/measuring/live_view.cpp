#include "apps/measuring/live_view.hpp"
namespace ringpost::apps {
LiveView::Style LiveView::style_of_stderr() { return Style::plain; }
LiveView::LiveView(const RunShape& shape, Style style, std::FILE* out) : shape_(shape), style_(style), out_(out) {}
void LiveView::show(const Snapshot&) {}
void LiveView::end() {}
}  // namespace ringpost::apps
