#ifndef RINGPOST_RINGPOST_H
#define RINGPOST_RINGPOST_H

/* The C interface of libringpost, for C99 and later and for other languages: native connections, gtUDP messages, confirmed
 * messages, named devices, struct messages and beacons. There are no callbacks. What a call fills belongs to the caller, and what it is
 * given is copied before it returns.
 *
 * Handles. rp_*_open() makes a handle, rp_close() ends it. A handle is not an address: one that was closed, or never
 * was one, is refused with RP_EHANDLE, always.
 *
 * Results. A call returns 0 or a count, or one of the negative RP_E* codes; then rp_last_error() describes the failure
 * in one line, and nothing has been done.
 *
 * Threads. A gtUDP handle with `threaded` and a handle of named devices have a thread of their own and may be used by
 * any number of threads at once. Every other handle works only inside the calls of the thread that opened it; another
 * thread is refused with RP_ETHREAD, except in rp_wake(), rp_local() and, while no call is in progress, rp_close().
 *
 * Processes. After fork() the handles belong to the parent alone: in the child every call returns RP_EFORK, and
 * rp_close() only forgets the handle. The child may open its own.
 *
 * Waiting. A timeout is in nanoseconds: 0 never waits, RP_FOREVER has no limit. For a loop of your own, rp_fd() is a
 * descriptor that becomes readable when rp_receive_many() with a timeout of 0 has something to do or to return.
 *
 * Stability. Within one RP_ABI_VERSION, structures with a `size` grow at their end, others keep their size, and values
 * are only added. Reserved members are 0. */

#include <stddef.h>
#include <stdint.h>

/* NOLINTBEGIN(modernize-use-using): C has none */

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define RP_API __attribute__((visibility("default")))
#else
#define RP_API
#endif

/* ---- version and errors --------------------------------------------------------------------------------------- */

#define RP_ABI_VERSION 1

/* RP_OK if the loaded library implements `abi_version`, as compiled into the program: rp_check_abi(RP_ABI_VERSION).
 * Otherwise RP_EVERSION. Call it first. */
RP_API int32_t rp_check_abi(int32_t abi_version);
/* Of the library: RP_ABI_VERSION when it was built, and its release, such as "0.1.0". */
RP_API int32_t rp_abi_version(void);
RP_API const char* rp_version(void);

enum {
    RP_OK = 0,
    RP_EINVAL = -1,    /* an argument or an option is out of range; the text names it */
    RP_EHANDLE = -2,   /* NULL, closed, or a handle that does not do this */
    RP_ETHREAD = -3,   /* this thread may not use the handle, or not now */
    RP_EFORK = -4,     /* the handle belongs to the parent process */
    RP_EVERSION = -5,  /* another ABI version, or a structure of an unknown size */
    RP_ESYSTEM = -6,   /* the system refused something; see rp_last_errno() */
    RP_ESMALL = -7,    /* the buffer is too small; the needed size is returned, and nothing is lost */
    RP_EFULL = -8,     /* a queue or table is full; try again later, after taking outcomes */
    RP_ETOOLARGE = -9, /* a message that cannot be carried because of its size */
    RP_ETEXT = -10,    /* a text that cannot be carried: not UTF-8, not JSON, or with reserved characters */
    RP_EPEER = -11,    /* a peer that cannot be: no address, another address family, not connected, no target */
    RP_EUNKNOWN = -12, /* no such id or name */
    RP_EVALUE = -13,   /* values that do not fit the format of a struct message */
    RP_ESTOPPED = -14, /* the handle was stopped */
    RP_EMANY = -15     /* too many handles are open */
};

/* The failure of this thread's last failed call, as one line; "" before any. Valid until this thread's next failure. */
RP_API const char* rp_last_error(void);
/* The errno of that failure; 0 if it had none. */
RP_API int32_t rp_last_errno(void);
/* "RP_EINVAL" for RP_EINVAL; "" if unknown. */
RP_API const char* rp_error_name(int32_t error);

#define RP_FOREVER INT64_MAX

/* ---- addresses ------------------------------------------------------------------------------------------------ */

enum { RP_FAMILY_NONE = 0, RP_FAMILY_V4 = 4, RP_FAMILY_V6 = 6 };

/* An IP address and UDP port. All zero: none. */
typedef struct rp_address {
    uint8_t ip[16];  /* network byte order; IPv4 as ::ffff:a.b.c.d */
    uint32_t scope;  /* interface index of a link-local IPv6 address, else 0 */
    uint16_t port;   /* host byte order */
    uint16_t family; /* RP_FAMILY_* */
} rp_address;

/* Resolves a name or literal address; waits for the resolver if it is a name. Prefers IPv4. */
RP_API int32_t rp_resolve(const char* host, uint16_t port, rp_address* address);
/* The same for HOST:PORT, with IPv6 literals in brackets. */
RP_API int32_t rp_resolve_host_port(const char* text, rp_address* address);

#define RP_ADDRESS_TEXT_MAX 72

/* Writes `192.0.2.1:5005` or `[fe80::1%eth0]:5005` with a terminating 0. Returns the length without it, or RP_ESMALL;
 * RP_ADDRESS_TEXT_MAX bytes are enough. */
RP_API int32_t rp_address_text(const rp_address* address, char* text, size_t capacity);

/* ---- messages and events -------------------------------------------------------------------------------------- */

typedef struct rp_handle rp_handle;

/* What is sent: by gtUDP and on a connection bytes, as a confirmed message a text, to a named device a text, as a struct
 * message the payload of `id`. */
typedef struct rp_message {
    const void* bytes;
    size_t size;
    const rp_address* peer; /* NULL: the connected peer, or the target; unused with named devices and connections */
    const char* name;       /* named devices: the receiver, NULL for all */
    int64_t timeout_ns;     /* gtUDP and confirmed messages: given up after this; 0: the default */
    uint32_t id;            /* struct messages; connections: the channel */
    uint32_t flags;         /* RP_SEND_* */
    uint64_t connection;    /* of a server; see rp_event */
    uint64_t reserved;
} rp_message;

enum {
    RP_SEND_JSON = 1,   /* confirmed: `bytes` are JSON, not the text of a string */
    RP_SEND_OK = 2,     /* confirmed: a confirmation, which is not answered */
    RP_SEND_FAILED = 4, /* confirmed: a failure report, which is not answered */
    RP_SEND_RAW = 8     /* gtUDP: as it is, once, without an outcome, to a peer that does not speak gtUDP */
};

/* Events, and the sets of them that a call wants. */
enum {
    RP_MESSAGE = 1,  /* a message from a peer */
    RP_FOREIGN = 2,  /* gtUDP with receive_foreign: a datagram that is not gtUDP */
    RP_OUTCOME = 4,  /* the end of a send */
    RP_QUESTION = 8, /* named devices: answer it with rp_answer(), or rp_drop() it */
    RP_CHANGE = 16,  /* named devices: of the directory or of a connection; confirmed: of the target */
    RP_DAMAGE = 32,  /* struct messages and beacons: something that is none */
    RP_PACKET = 64,  /* gtUDP with `trace`: a datagram sent or received */
    RP_CONNECTION = 128, /* of a connection: RP_OPENED... */
    RP_ANY = 0x7fffffff
};

typedef struct rp_event {
    int32_t kind; /* one of the above */
    int32_t code; /* OUTCOME: RP_CONFIRMED...; CHANGE: RP_APPEARED...; DAMAGE: RP_DAMAGE_...; PACKET: 1 sent,
                   * 0 received; CONNECTION: RP_OPENED...; confirmed MESSAGE: RP_FAILED for a failure report that
                   * matched no send */
    uint64_t id;  /* OUTCOME: from rp_send(); QUESTION: for rp_answer(); struct MESSAGE: its id; MESSAGE of a connection:
                   * its number on its channel, from 0; beacon: datagrams from this source so far */
    rp_address peer;
    uint32_t offset;      /* of the message's bytes in the buffer */
    uint32_t size;        /* after RP_ESMALL: as needed */
    uint32_t name_offset; /* of the device's or struct message's name */
    uint32_t name_size;
    uint32_t flags; /* RP_EVENT_* */
    int32_t error;  /* gtUDP OUTCOME other than RP_CONFIRMED: errno of the kernel's last refusal, or 0 */
    int64_t value;  /* gtUDP OUTCOME: transmissions; disconnected: frames lost; beacon: seconds since it was sent;
                     * struct DAMAGE: places that failed; MESSAGE, RP_WRITABLE and RP_ACKNOWLEDGED of a connection: the
                     * channel; RP_CLOSED: messages that the peer did not acknowledge */
    rp_address advertised; /* beacon: where its sender listens */
    uint64_t connection;   /* names a connection of a server until its RP_CLOSED, and is never used again */
    uint64_t reserved;
} rp_event;

enum {
    RP_EVENT_JSON = 1,    /* confirmed: the bytes are JSON, not the text of a string */
    RP_EVENT_UNSENT = 2,  /* confirmed OUTCOME RP_TIMED_OUT: it never left */
    RP_EVENT_NO_TIME = 4, /* beacon: `value` is unknown */
    RP_EVENT_DELIVERED = 16, /* RP_CLOSED: the peer's application has taken every message */
    RP_EVENT_BY_PEER = 32,   /* RP_CLOSED: the other end closed first */
    RP_EVENT_BYTES = 8    /* only the size of the buffer kept this event from being returned (after RP_ESMALL) */
};

/* Outcomes. Only RP_CONFIRMED proves delivery; the others do not prove the opposite. */
enum {
    RP_CONFIRMED = 0,
    RP_GAVE_UP = 1,   /* gtUDP: sent as often as allowed */
    RP_TIMED_OUT = 2, /* at its timeout */
    RP_CANCELLED = 3,
    RP_FAILED = 4,   /* confirmed: the peer has reported a failure, whose text are the bytes */
    RP_REPORTED = 5, /* confirmed: a confirmation or failure report was sent */
    RP_NOT_TAKEN = 6 /* gtUDP with a thread: refused there; `value` is why, such as RP_EFULL */
};

/* What happens to a connection. The bytes of RP_CLOSED are its reason: the peer's words, or else a text of ours; those of
 * RP_OPENED the client's `application`, unverified. */
enum {
    RP_OPENED = 1,   /* a client has connected; the name is its session, or that of its key in the list of those that
                      * may */
    RP_WRITABLE = 2, /* after RP_EFULL: there is space again */
    RP_CLOSING = 3,  /* the peer sends nothing more, and accepts nothing */
    RP_CLOSED = 4,   /* the last event of a connection */
    RP_ACKNOWLEDGED = 5 /* with `acknowledgements`: the peer has all messages of the channel below `id` */
};

/* Changes. */
enum {
    RP_APPEARED = 1, /* a device */
    RP_SUSPECT = 2,  /* it may be gone */
    RP_BACK = 3,     /* it was suspect */
    RP_GONE = 4,
    RP_CONFLICT = 5,     /* `peer` claims a name that is in use elsewhere */
    RP_NAME_TAKEN = 6,   /* `peer` uses our name */
    RP_CONNECTED = 7,    /* a message can be sent to it from now on */
    RP_DISCONNECTED = 8, /* `value` frames were lost */
    RP_ROOM = 9,         /* after RP_EFULL: there is space again */
    RP_REJOIN = 10,      /* a peer does not receive our adverts */
    RP_TARGET = 11       /* confirmed: `initialize` has made `peer` the target */
};

/* Damage. */
enum {
    RP_DAMAGE_UNKNOWN_ID = 1,
    RP_DAMAGE_WRONG_SIZE = 2, /* the format of its id has another */
    RP_DAMAGE_PAST_END = 3,
    RP_DAMAGE_SIZE_SMALL = 4,
    RP_DAMAGE_CHECKSUM = 5,
    RP_DAMAGE_TOO_SHORT = 6,
    RP_DAMAGE_NOT_UTF8 = 7
};

/* ---- sending and receiving ------------------------------------------------------------------------------------ */

/* Sends one message. Returns 0, and in `id`, unless NULL, what its RP_OUTCOME will have. A handle without a thread only
 * queues it; the next rp_receive_many() or rp_poll() sends it. Named devices and struct messages have no outcomes. */
RP_API int32_t rp_send(rp_handle* handle, const rp_message* message, uint64_t* id);

/* Sends up to `count` messages, in order. Returns how many were taken. The first that was refused ends the call; if it
 * is the first of all, its error is returned. `ids` has an entry for each, or is NULL. */
RP_API int32_t rp_send_many(rp_handle* handle, const rp_message* messages, uint32_t count, uint64_t* ids);

/* gtUDP: the same for messages to one peer that lie in one buffer, one after the other. `sizes` has the size of each;
 * if NULL, all have `each` bytes. */
RP_API int32_t rp_send_packed(rp_handle* handle, const rp_address* peer, const void* bytes, const uint32_t* sizes,
                              uint32_t each, uint32_t count, int64_t timeout_ns, uint64_t* ids);

/* gtUDP and confirmed messages: sends and waits for the outcome, up to `timeout_ns`, which replaces that of the
 * message. Fills `outcome` and, for a confirmed message, the answer's bytes. What arrives meanwhile is kept. Returns 0,
 * or RP_ESMALL with the outcome, if only the answer did not fit. */
RP_API int32_t rp_send_and_wait(rp_handle* handle, const rp_message* message, int64_t timeout_ns, rp_event* outcome,
                                void* buffer, size_t capacity);

/* gtUDP: ends a send with RP_CANCELLED. Returns 1, or 0 if it has already ended; a handle with a thread always returns
 * 1. */
RP_API int32_t rp_cancel(rp_handle* handle, uint64_t id);

/* Works as long as there is something to do and then takes events, at most `count`, of the kinds in `what`: RP_ANY, or
 * some of RP_MESSAGE, .... The rest waits, except that RP_MESSAGE and RP_FOREIGN ask for both, and that RP_DAMAGE and
 * the RP_CHANGE of confirmed messages are dropped by a call that asks for messages alone. Waits up to `timeout_ns` for
 * the first. The bytes and names of all lie in `buffer`. Returns the number of events, 0 after the timeout or
 * rp_wake(). If not even the first fits, returns RP_ESMALL with events[0] filled in, whose `size` + `name_size` is
 * needed; it is returned by the next call. */
RP_API int32_t rp_receive_many(rp_handle* handle, int32_t what, rp_event* events, uint32_t count, void* buffer,
                               size_t capacity, int64_t timeout_ns);

/* The descriptor to wait on (POLLIN); see above. It belongs to the handle: do not read or close it. */
RP_API int32_t rp_fd(rp_handle* handle);
/* Does what is due and never waits. Returns 1 if there is an event to take, else 0. */
RP_API int32_t rp_poll(rp_handle* handle);
/* Ends a wait of the handle's thread early, or else its next one. Any thread, and from a signal handler. */
RP_API int32_t rp_wake(rp_handle* handle);

/* A handle with a thread: ends its sends and its thread. Calls in progress return; what has arrived can still be
 * taken. */
RP_API int32_t rp_stop(rp_handle* handle);
/* Ends the handle. Stops it first and waits for the calls of other threads, which return. NULL: RP_OK. */
RP_API int32_t rp_close(rp_handle* handle);

/* ---- about a handle ------------------------------------------------------------------------------------------- */

/* The address it is bound to; named devices: none. */
RP_API int32_t rp_local(rp_handle* handle, rp_address* address);
/* confirmed: the default receiver, from the options or an `initialize`; none before. */
RP_API int32_t rp_target(rp_handle* handle, rp_address* address);
/* Sends without an outcome. */
RP_API int64_t rp_in_flight(rp_handle* handle);
/* beacon: 1 if every round was sent. */
RP_API int32_t rp_finished(rp_handle* handle);
/* "uring" or "mmsg", and why the first was not chosen, or "". Valid until rp_close(); "" if the handle is refused. */
RP_API const char* rp_backend(rp_handle* handle);
RP_API const char* rp_note(rp_handle* handle);

typedef struct rp_counter {
    const char* name; /* "confirmed"; those of the socket begin with "engine_", of a server's handshakes with
                       * "handshake_". Valid as long as the library */
    uint64_t value;
} rp_counter;

/* Writes up to `count` counters. Returns how many there are. */
RP_API int32_t rp_counters(rp_handle* handle, rp_counter* counters, uint32_t count);

/* ---- connections ---------------------------------------------------------------------------------------------- */

/* Closes a connection in order: no more sends, and a wait of at most `timeout_ns` until the peer's application has taken
 * everything. Fills `outcome` as for RP_CLOSED, unless it is NULL. Messages that have arrived can still be taken. With a
 * timeout of 0 only begins to close; at once. `connection` of a client is 0. */
RP_API int32_t rp_finish(rp_handle* handle, uint64_t connection, int64_t timeout_ns, rp_event* outcome);
/* The same without a wait: the connection closes within `timeout_ns`, while other calls work. rp_finish() then waits up
 * to its own timeout; `outcome->kind` is 0 if it is still closing. */
RP_API int32_t rp_begin_finish(rp_handle* handle, uint64_t connection, int64_t timeout_ns);

/* A server: reads another list of clients, for handshakes from now on. Nothing changes after an error. */
RP_API int32_t rp_allow(rp_handle* handle, const char* file);
/* A server: accepts clients that have the token of this session, at least 16 bytes that nobody can guess; any number of
 * them, until the session is removed. The id has at most 64 bytes. RP_EFULL: as many as `sessions_max`. */
RP_API int32_t rp_add_session(rp_handle* handle, const char* id, const void* token, size_t size);
/* Connections stay. RP_EUNKNOWN: there is no session with this id. */
RP_API int32_t rp_remove_session(rp_handle* handle, const char* id);

/* ---- named devices -------------------------------------------------------------------------------------------- */

/* Asks the devices `names`, or all if `count` is 0, and waits until all have answered, up to `timeout_ns`. Returns the
 * number of answers, one for each name; take them with rp_answers() and the number in `ask`. */
RP_API int32_t rp_ask(rp_handle* handle, const char* const* names, uint32_t count, const void* question, size_t size,
                      int64_t timeout_ns, uint64_t* ask);

enum {
    RP_ANSWERED = 1,
    RP_UNANSWERED = 2,    /* not in time */
    RP_NOT_CONNECTED = 3, /* when asked, or no longer */
    RP_ASK_TOO_LARGE = 4, /* the question, for this device */
    RP_ASK_FULL = 5       /* its queue, or what is stored of answers */
};

typedef struct rp_answer_text {
    int32_t reply; /* RP_ANSWERED... */
    uint32_t name_offset, name_size;
    uint32_t offset, size; /* of the answer; size 0 unless RP_ANSWERED */
    uint32_t reserved[3];
} rp_answer_text;

/* Fills in the answers of an ask, and forgets them. Returns how many. If `count` or `capacity` is too small, returns
 * RP_ESMALL and forgets nothing. `needed`, unless NULL, is the size of all texts. The answers to the newest 64 asks
 * are kept. */
RP_API int32_t rp_answers(rp_handle* handle, uint64_t ask, rp_answer_text* answers, uint32_t count, void* buffer,
                          size_t capacity, size_t* needed);

/* Answers a question, once, from any thread. RP_EUNKNOWN: it was answered or dropped, its asker is gone, or a minute
 * has passed. */
RP_API int32_t rp_answer(rp_handle* handle, uint64_t question, const void* text, size_t size);
/* The question will not be answered. */
RP_API int32_t rp_drop(rp_handle* handle, uint64_t question);

typedef struct rp_peer {
    rp_address address;
    uint32_t name_offset, name_size;
    int32_t suspect;
    int32_t connected;
    uint32_t reserved[2];
} rp_peer;

/* The directory, sorted by name. Returns the number of devices; if `count` or `capacity` is too small, RP_ESMALL, with
 * the sizes needed in `count_needed` and `needed`, unless NULL. */
RP_API int32_t rp_peers(rp_handle* handle, rp_peer* peers, uint32_t count, void* buffer, size_t capacity,
                        uint32_t* count_needed, size_t* needed);

/* ---- struct messages ------------------------------------------------------------------------------------------ */

enum { RP_INTEGER = 1, RP_UNSIGNED = 2, RP_REAL = 3, RP_BOOLEAN = 4, RP_BYTES = 5 };

typedef struct rp_value {
    int32_t kind; /* RP_INTEGER... */
    int32_t reserved;
    union {
        int64_t integer;
        uint64_t unsigned_integer;
        double real;
        int32_t boolean;
        struct {
            const void* at;
            size_t size;
        } bytes;
    } as;
} rp_value;

typedef struct rp_struct_definition {
    uint32_t id; /* 0 to 65535 */
    uint32_t reserved;
    const char* name;
    const char* format; /* as of Python's struct module */
} rp_struct_definition;

/* Adds a message type. */
RP_API int32_t rp_structs_define(rp_handle* handle, const rp_struct_definition* definition);
/* The size of a payload in a format, or the failure. */
RP_API int32_t rp_format_size(const char* format);
/* Packs values, and returns the size of the payload; RP_ESMALL if it is larger than `capacity`. */
RP_API int32_t rp_pack(const char* format, const rp_value* values, uint32_t count, void* payload, size_t capacity);
/* Unpacks values, and returns how many; RP_ESMALL if they are more than `count`. RP_BYTES point into `payload`. */
RP_API int32_t rp_unpack(const char* format, const void* payload, size_t size, rp_value* values, uint32_t count);

/* A packet, as struct messages are sent. */
typedef struct rp_packet {
    uint32_t id;
    uint32_t offset; /* of the payload */
    uint32_t size;
    uint32_t end; /* where to search for the next */
} rp_packet;

/* Writes a packet and returns its size; RP_ESMALL if it is larger than `capacity`. */
RP_API int32_t rp_packet_write(uint32_t id, const void* payload, size_t size, void* packet, size_t capacity);
/* Finds the first packet at or after `from`, whatever lies before it. Returns 1, or 0 if there is none; then the reason
 * why the first that looked like one is none is in packet->id: RP_DAMAGE_*, or 0. */
RP_API int32_t rp_packet_find(const void* bytes, size_t size, size_t from, rp_packet* packet);

#ifdef __cplusplus
}
#endif

#include <ringpost/ringpost_options.h>

/* NOLINTEND(modernize-use-using) */

#endif
