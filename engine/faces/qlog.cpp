#include "engine/faces/qlog.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <system_error>

#include <ringpost/connection.hpp>
#include "engine/os/clock.hpp"
#include "engine/os/system_error.hpp"

namespace ringpost::native {
namespace {

constexpr std::size_t buffer_bytes = 64u << 10;
constexpr char record_separator = '\x1e';  // RFC 7464

const char* name_of(Qlog::Role role) { return role == Qlog::Role::client ? "client" : "server"; }

double milliseconds(Duration time) { return static_cast<double>(time) / 1e6; }

/// RFC 3339, in UTC.
std::string wall_clock_text() {
    const Instant unix_ns = now() + unix_offset();
    return fmt::format("{:%FT%T}.{:03}Z", fmt::gmtime(unix_ns / second), unix_ns % second / millisecond);
}

const char* trigger_of(TraceEvent::Drop why) {
    switch (why) {
        case TraceEvent::Drop::foreign: return "invalid";
        case TraceEvent::Drop::duplicate: return "duplicate";
        case TraceEvent::Drop::too_old: return "rejected";
        case TraceEvent::Drop::forged: return "decryption_failure";
    }
    return "general";
}

}  // namespace

Result<std::unique_ptr<Qlog>> Qlog::open(const std::string& directory, Role role) {
    static std::atomic<unsigned> logs{0};
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) return std::unexpected(system_error("qlog: make the directory " + directory, error.value()));
    const std::string path = fmt::format("{}/ringpost_{}_{}_{}.sqlog", directory, getpid(), logs++, name_of(role));
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return std::unexpected(system_error("qlog: open " + path, errno));
    return std::unique_ptr<Qlog>(new Qlog(fd, role));
}

Qlog::Qlog(int fd, Role role) : fd_(fd), start_(now()) {
    buffer_.reserve(2 * buffer_bytes);
    fmt::format_to(std::back_inserter(buffer_),
                   R"({}{{"file_schema":"urn:ietf:params:qlog:file:sequential",)"
                   R"("serialization_format":"application/qlog+json-seq","title":"ringpost",)"
                   R"("trace":{{"common_fields":{{"time_format":"relative_to_epoch","reference_time":)"
                   R"({{"clock_type":"monotonic","epoch":"unknown","wall_clock_time":"{}"}}}},)"
                   R"("vantage_point":{{"type":"{}"}},"event_schemas":["urn:ietf:params:qlog:events:quic"]}}}})"
                   "\n",
                   record_separator, wall_clock_text(), name_of(role));
}

Qlog::~Qlog() {
    write_buffer();
    ::close(fd_);
}

bool Qlog::on_event(const TraceEvent& event) {
    if (failed_) return false;
    const auto add = [&]<class... Args>(const char* name, fmt::format_string<Args...> data, Args&&... args) {
        const auto end = std::back_inserter(buffer_);
        fmt::format_to(end, R"({}{{"time":{:.6f},"name":"quic:{}","group_id":"{:016x}","data":{{)", record_separator,
                       milliseconds(event.at - start_), name, event.connection);
        fmt::format_to(end, data, std::forward<Args>(args)...);
        buffer_ += "}}\n";
    };
    constexpr const char* packet = R"("header":{{"packet_type":"1RTT","packet_number":{}}},"raw":{{"length":{}}}{})";
    switch (event.kind) {
        case TraceEvent::Kind::opened: add("connection_started", R"("local":{{}},"remote":{{}})"); break;
        case TraceEvent::Kind::packet_sent:
            add("packet_sent", packet, event.number, event.bytes, event.probe ? R"(,"trigger":"pto_probe")" : "");
            break;
        case TraceEvent::Kind::packet_received: add("packet_received", packet, event.number, event.bytes, ""); break;
        case TraceEvent::Kind::packet_dropped:
            add("packet_dropped", R"("raw":{{"length":{}}},"trigger":"{}")", event.bytes, trigger_of(event.why));
            break;
        case TraceEvent::Kind::packet_lost:
            add("packet_lost", R"("header":{{"packet_type":"1RTT","packet_number":{}}})", event.number);
            break;
        case TraceEvent::Kind::measured:
            add("recovery_metrics_updated",
                R"("smoothed_rtt":{:.6f},"min_rtt":{:.6f},"rtt_variance":{:.6f},"congestion_window":{},)"
                R"("bytes_in_flight":{},"pacing_rate":{:.0f})",
                milliseconds(event.path.rtt_smoothed), milliseconds(event.path.rtt_min),
                milliseconds(event.path.rtt_variation), event.path.window_bytes, event.path.in_flight_bytes,
                8 * event.path.pacing_bytes_per_s);
            break;
        case TraceEvent::Kind::closed:
            add("connection_closed", R"("initiator":"{}","internal_code":{},"reason":"{}")",
                event.outcome.by_peer ? "remote" : "local", static_cast<unsigned>(event.outcome.code),
                to_text(event.outcome.code));
            break;
    }
    if (buffer_.size() >= buffer_bytes) write_buffer();
    return !failed_;
}

void Qlog::write_buffer() {
    std::string_view left = buffer_;
    while (!left.empty() && !failed_) {
        const ssize_t written = ::write(fd_, left.data(), left.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0)
            failed_ = true;
        else
            left.remove_prefix(static_cast<std::size_t>(written));
    }
    buffer_.clear();
}

}  // namespace ringpost::native
