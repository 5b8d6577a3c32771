// prometheus-cpp serves HTTP from threads of its own, which mostly sleep. Each serves one connection at a time, so a
// connection without a request occupies one until it times out. A scrape is built from the last snapshot on request.
// Snapshots are exchanged by pointer, so the measuring side never waits for a scrape.

#include "apps/measuring/metrics.hpp"

#include <fmt/core.h>
#include <prometheus/client_metric.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "apps/cli/options.hpp"
#include "apps/runs/figures.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr const char* server_threads = "16";
constexpr const char* request_timeout_ms = "2000";

/// 1, 2 and 5 times the powers of ten, from 1 us to 10 s.
constexpr auto bounds_ns = [] {
    std::array<Duration, 22> out{};
    std::size_t at = 0;
    for (Duration power = microsecond; at < out.size(); power *= 10)
        for (const Duration times : {1, 2, 5})
            if (at < out.size()) out[at++] = times * power;
    return out;
}();
static_assert(bounds_ns.front() == microsecond && bounds_ns.back() == 10 * second);

ClientMetric::Histogram histogram_metric(const Histogram& histogram) {
    ClientMetric::Histogram out;
    out.sample_count = histogram.count();
    out.sample_sum = histogram.mean() / 1e9 * static_cast<double>(histogram.count());
    for (const Duration bound : bounds_ns) out.bucket.push_back({0, static_cast<double>(bound) / 1e9});
    histogram.for_each_bucket([&](Duration lowest, Duration, std::uint64_t count) {
        const auto* const first = std::lower_bound(bounds_ns.begin(), bounds_ns.end(), lowest);
        for (auto i = static_cast<std::size_t>(first - bounds_ns.begin()); i < bounds_ns.size(); ++i)
            out.bucket[i].cumulative_count += count;
    });
    return out;
}

/// ringpost_NAME_seconds, in the characters that Prometheus allows.
std::string histogram_name(const std::string& name) {
    std::string out = "ringpost_";
    for (const char c : name) {
        const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        out += allowed ? c : '_';
    }
    return out + "_seconds";
}

/// The library does not report why it cannot listen, but leaves the errno of the system call. Without one, it has
/// rejected a well-formed address: an IPv6 address in a build without IPv6, such as Debian's.
std::unique_ptr<prometheus::Exposer> listen(const std::string& address) {
    const Address resolved = listening_address(address);
    errno = 0;
    try {
        return std::make_unique<prometheus::Exposer>(
            std::vector<std::string>{"listening_ports", to_text(resolved), "num_threads", server_threads,
                                     "request_timeout_ms", request_timeout_ms});
    } catch (const std::exception&) {
        const int error = errno;
        const char* reason = error != 0                      ? std::strerror(error)
                             : resolved.family == Family::v6 ? "the web server of this prometheus-cpp has no IPv6"
                                                             : "cannot listen";
        throw Failure(Exit::usage, fmt::format("--prometheus {}: {}", address, reason));
    }
}

}  // namespace

class Metrics::Collected : public prometheus::Collectable {
  public:
    explicit Collected(RunShape shape) : shape_(std::move(shape)) {}

    void update(const Snapshot& now) {
        auto copied = std::make_shared<const Snapshot>(now);
        const std::lock_guard lock(mutex_);
        last_.swap(copied);
    }

    std::vector<MetricFamily> Collect() const override {
        const std::shared_ptr<const Snapshot> last = this->last();
        std::vector<MetricFamily> out;
        for (const Figure& figure : figures) {
            if (figure.metric.empty() || !is_known(figure, shape_, When::running)) continue;
            const bool counter = figure.kind == Kind::counter;
            ClientMetric metric = labelled();
            const double scale = figure.unit == Unit::microseconds ? 1e-6 : 1;  // seconds, as Prometheus expects
            (counter ? metric.counter.value : metric.gauge.value) =
                scale * total_of(figure, shape_, *last).get<double>();
            out.push_back({std::string(figure.metric),
                           std::string(figure.help),
                           counter ? MetricType::Counter : MetricType::Gauge,
                           {metric}});
        }
        if (!shape_.histograms.empty()) {
            const std::string& name = shape_.histograms.front();
            ClientMetric metric = labelled();
            metric.histogram = histogram_metric(last->histograms.empty() ? Histogram() : last->histograms.front());
            out.push_back({histogram_name(name), "Durations: " + name + ".", MetricType::Histogram, {metric}});
        }
        return out;
    }

  private:
    std::shared_ptr<const Snapshot> last() const {
        const std::lock_guard lock(mutex_);
        return last_;
    }

    ClientMetric labelled() const {
        ClientMetric metric;
        metric.label = {{"command", shape_.command}};
        return metric;
    }

    const RunShape shape_;
    mutable std::mutex mutex_;
    std::shared_ptr<const Snapshot> last_ = std::make_shared<const Snapshot>();
};

Address listening_address(const std::string& text) {
    // Elsewhere no address has port 0.
    const bool chosen = text.ends_with(":0");
    auto resolved = resolve_host_port(chosen ? text.substr(0, text.size() - 1) + "1" : text);
    if (!resolved) throw Failure(Exit::usage, "--prometheus " + resolved.error().text);
    if (chosen) resolved->port = 0;
    return *resolved;
}

Metrics::Metrics(const std::string& address, const RunShape& shape)
    : collected_(std::make_shared<Collected>(shape)), exposer_(listen(address)) {
    exposer_->RegisterCollectable(collected_);
}

Metrics::~Metrics() = default;

std::uint16_t Metrics::port() const { return static_cast<std::uint16_t>(exposer_->GetListeningPorts().at(0)); }

void Metrics::update(const Snapshot& now) { collected_->update(now); }

}  // namespace ringpost::apps
