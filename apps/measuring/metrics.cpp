// prometheus-cpp serves HTTP, from two threads of its own. What a scrape tells is made from the last snapshot when it
// is asked for; snapshots are handed over by their pointer, so that who measures never waits for who scrapes.

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
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

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

/// The library does not say why it could not listen, but leaves errno as the system call has set it. Where none was
/// made, it did not take the address, which is well-formed: an IPv6 one when it was built without, as Debian's is.
std::unique_ptr<prometheus::Exposer> listen(const std::string& address) {
    // Where others are to be reached no port is 0; here it stands for one that the kernel chooses.
    const bool chosen = address.ends_with(":0");
    auto resolved = resolve_host_port(chosen ? address.substr(0, address.size() - 1) + "1" : address);
    if (!resolved) throw Failure(Exit::usage, "--prometheus " + resolved.error().text);
    if (chosen) resolved->port = 0;
    errno = 0;
    try {
        return std::make_unique<prometheus::Exposer>(to_text(*resolved));
    } catch (const std::exception&) {
        const int error = errno;
        const char* reason = error != 0                       ? std::strerror(error)
                             : resolved->family == Family::v6 ? "the web server of this prometheus-cpp has no IPv6"
                                                              : "cannot be listened on";
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
        const auto add = [&](const char* name, const char* help, double value, MetricType type = MetricType::Counter) {
            ClientMetric metric = labelled();
            (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
            out.push_back({name, help, type, {metric}});
        };
        const auto number = [](auto count) { return static_cast<double>(count); };
        if (shape_.sends) {
            add("ringpost_datagrams_sent_total", "Datagrams sent.", number(last->sent));
            add("ringpost_datagrams_refused_total", "Datagrams that the kernel refused to send.",
                number(last->refused));
        }
        if (shape_.hears) {
            add("ringpost_datagrams_received_total", "Datagrams received.", number(last->received));
            if (shape_.verifies)
                add("ringpost_datagrams_lost", "Datagrams lost.", number(std::max<std::int64_t>(last->lost, 0)),
                    MetricType::Gauge);
            add("ringpost_receive_buffer_full_total", "Times that a receive buffer was full.",
                number(last->socket_dropped));
        }
        add("ringpost_cpu_seconds_total", "Processor time of the process.", last->cpu_s);
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

Metrics::Metrics(const std::string& address, const RunShape& shape)
    : collected_(std::make_shared<Collected>(shape)), exposer_(listen(address)) {
    exposer_->RegisterCollectable(collected_);
}

Metrics::~Metrics() = default;

std::uint16_t Metrics::port() const { return static_cast<std::uint16_t>(exposer_->GetListeningPorts().at(0)); }

void Metrics::update(const Snapshot& now) { collected_->update(now); }

}  // namespace ringpost::apps
