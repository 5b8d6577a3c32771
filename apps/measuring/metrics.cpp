#include "apps/measuring/metrics.hpp"
namespace ringpost::apps {
struct Metrics::Parts {};
Metrics::Metrics(const std::string&, const RunShape&) {}
Metrics::~Metrics() = default;
void Metrics::update(const Snapshot&) {}
}  // namespace ringpost::apps
