#pragma once

// What a backend is: the calls Loop makes. Two classes are one, UringBackend and MmsgBackend.
//
//     static Result<std::unique_ptr<B>> open(const EngineOptions&);
//     SocketIndex                add(UdpSocket);           the socket is the backend's from now on
//     void                       remove(SocketIndex);      closes it; what is still in flight ends harmlessly
//     std::span<const Received>  receive();                what wait() has brought, once: a bounded batch
//     std::span<std::byte>       transmit_buffer();        where poll_transmit may write; empty: not now
//     void                       post(const Transmit&);    queues what was written there
//     bool                       blocked() const;          no buffer until the kernel takes what is queued
//     bool                       sends_trains() const;     GSO is there and on
//     std::string                granted() const;          what the kernel has granted, for reports
//     bool                       sending() const;          posted messages have not all gone yet
//     void                       wait(Duration sleep);     sends what is queued, receives; sleeps at most so long
//     const Waker&               waker() const;            ends a sleep early, from any thread
//     EngineCounters             counters();
//
// For endpoints that have streams (codec/include/ringpost/stream.hpp), which cost nothing until the first of these
// calls:
//
//     Result<void>               listen(StreamListener);   connections are accepted for as long as the backend lives
//     std::span<const StreamEvent> stream_events();         after receive(): what wait() has brought, once, in order
//     void                       answer(const StreamEvent&, std::optional<StreamIndex>);
//                                                          for each that is `accepted`; without a name it is closed
//     std::span<std::byte>       stream_buffer();          where poll_stream may write, limits::stream_write_bytes_max
//     std::optional<StreamInput> post(const StreamRequest&);   begins it; what has come of it at once, to be told now
//
// sending() is also true while writes are under way.
//
// For the application's own descriptors:
//
//     Result<Watched>            watch(int fd);     wait() sleeps no longer than until it can be read (or has ended);
//     void                       unwatch(int fd);   an owner that leaves something unread is woken again at once

#include "engine/tcp/stream_event.hpp"
#include "engine/udp/received.hpp"
