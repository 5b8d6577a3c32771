#pragma once

// Logs of connections in qlog's JSON text sequences (draft-ietf-quic-qlog-main-schema, RFC 7464), with the events of
// QUIC (draft-ietf-quic-qlog-quic-events) that this transport has: viewers of those show its packets and its windows.

#include <cstdint>
#include <memory>
#include <string>

#include <ringpost/error.hpp>
#include "codec/native/tracer.hpp"

namespace ringpost::native {

/// A log file of an endpoint, with all of its connections: their `group_id` is the same in the log of the other end.
/// Written through a buffer, and in full when the object goes.
class Qlog : public Tracer {
  public:
    enum class Role : std::uint8_t { client, server };

    /// Makes the directory if it is missing, and in it `ringpost_PID_N_client.sqlog` or `_server`, where N counts the
    /// logs of this process.
    static Result<std::unique_ptr<Qlog>> open(const std::string& directory, Role role);
    ~Qlog() override;
    Qlog(const Qlog&) = delete;
    Qlog& operator=(const Qlog&) = delete;

    bool on_event(const TraceEvent& event) override;

  private:
    Qlog(int fd, Role role);
    void write_buffer();

    int fd_;
    Instant start_;
    std::string buffer_;
    bool failed_ = false;
};

}  // namespace ringpost::native
