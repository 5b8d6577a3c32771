#ifndef RINGPOST_RINGPOST_OPTIONS_H
#define RINGPOST_RINGPOST_OPTIONS_H

/* What the rp_*_open() functions take. Included by <ringpost/ringpost.h>.
 *
 * Each rp_*_init() writes the defaults; the second argument is the size of the structure: rp_gtudp_init(&options,
 * sizeof options). Each rp_*_open() copies what it is given, and takes NULL as the defaults. */

#ifndef RINGPOST_RINGPOST_H
#error "include <ringpost/ringpost.h>"
#endif

/* NOLINTBEGIN(modernize-use-using): C has none */

#ifdef __cplusplus
extern "C" {
#endif

enum { RP_BACKEND_AUTOMATIC = 0, RP_BACKEND_URING = 1, RP_BACKEND_MMSG = 2 };
enum { RP_WAIT_BLOCK = 0, RP_WAIT_SPIN = 1, RP_WAIT_ADAPTIVE = 2 };

typedef struct rp_engine_options {
    int32_t backend; /* RP_BACKEND_* */
    int32_t wait;    /* RP_WAIT_* */
    int32_t gso;     /* send trains (default 1) */
    int32_t gro;     /* receive trains (default 1) */
    int32_t reserved[4];
} rp_engine_options;

enum {
    RP_CONGESTION_CUBIC = 0, /* a window that follows what the path carries (RFC 9438) */
    RP_CONGESTION_FIXED = 1  /* the tables alone: for networks that are reserved for it */
};

typedef struct rp_gtudp_options {
    uint32_t size;
    int32_t threaded; /* 1: a thread of its own (default 0) */
    rp_engine_options engine;
    rp_address bind;            /* none: all addresses; port 0: chosen by the kernel, see rp_local() */
    rp_address connect;         /* the only peer; replaces `bind` */
    const char* const* allowed; /* receive only from these networks, such as "10.0.0.0/8"; NULL: from all */
    uint32_t allowed_count;
    int32_t socket;       /* use a duplicate of this UDP socket instead of `bind`; -1: none */
    const void* magic;    /* the same at both ends */
    const void* types[3]; /* DATA, RECV, ACK; NULL: 1D, 5F, AE */
    uint32_t magic_size, type_size;
    int32_t checked;         /* each DATA ends with a checksum */
    int32_t receive_foreign; /* RP_FOREIGN events */
    int32_t report_outcomes; /* 0: no RP_OUTCOME events (default 1) */
    int32_t trace;           /* RP_PACKET events; not with a thread */
    uint32_t data_sends_max; /* then a send is given up, but not before `patience_ns` */
    uint32_t recv_sends_max;
    int64_t timeout_initial_ns, timeout_min_ns, timeout_max_ns; /* of a retransmission */
    int64_t fixed_interval_ns;                                  /* 0: grows and adapts */
    int64_t patience_ns;                                        /* -1: 10 s, or 0 with a fixed interval */
    int64_t remembered_ns;                                      /* duplicates are recognised for so long */
    uint32_t sends_max, receives_max, peers_max;                /* of the tables; powers of two */
    uint32_t queued_sends_max, queued_receives_max;             /* of a thread's queues */
    uint64_t payload_bytes, event_bytes;
    int32_t congestion; /* RP_CONGESTION_*: what limits the datagrams in flight to a peer */
    int32_t reserved_congestion;
    uint64_t reserved[3];
} rp_gtudp_options;

RP_API int32_t rp_gtudp_init(rp_gtudp_options* options, size_t size);
RP_API int32_t rp_gtudp_open(const rp_gtudp_options* options, rp_handle** handle);

/* Native connections, encrypted. Keys are names of files that `ringpost key` makes. A client: `psk`; or `peer`, and `key`
 * if the server wants to know who it is; or `session`. A server: `psk`; or `key`, and `allow` if it does; `sessions_max`
 * besides, or alone. */
typedef struct rp_connection_options {
    uint32_t size;
    int32_t insecure; /* neither encrypted nor authenticated; both ends must ask for it */
    rp_engine_options engine;
    const char* psk;         /* a secret that all ends share */
    const char* key;         /* the secret key of this end */
    const char* peer;        /* client: the server's public key, in base64 */
    const char* allow;       /* server: a list of the clients' public keys and names; NULL: all */
    const char* application; /* a name that the peer sees, up to 64 bytes of UTF-8 */
    const char* const* allowed; /* server: receive only from these networks; NULL: from all */
    uint32_t allowed_count;
    uint32_t connections_max;   /* server: a power of two */
    int64_t timeout_ns;         /* client: for the handshake (10 s) */
    uint32_t channels;          /* the same at both ends (8) */
    uint32_t message_bytes_max; /* that is received (512 KiB); at most channel_window - 16 */
    uint64_t send_log_bytes;    /* of each channel until acknowledged; a power of two (256 KiB) */
    uint64_t channel_window, connection_window; /* bytes received ahead of the application (1 MiB, 4 MiB) */
    int64_t idle_timeout_ns, keep_alive_ns;     /* 30 s, 15 s */
    const char* session; /* client: of the application's own login, the id and the token of rp_add_session() */
    const void* token;
    uint32_t token_size;
    uint32_t sessions_max;    /* server: that rp_add_session() may add (0) */
    int32_t acknowledgements; /* events RP_ACKNOWLEDGED (0) */
    int32_t congestion;       /* RP_CONGESTION_* (cubic) */
    double fixed_rate;        /* with RP_CONGESTION_FIXED: bytes per second; 0: not paced */
    uint64_t fixed_window;    /* bytes in flight; 0: as many as the packets in flight allow */
    const char* qlog;         /* a directory for a log of packets; NULL: none */
    uint32_t datagram_bytes;  /* of UDP payload that the path carries (1,472) */
    uint32_t reserved_datagram;
    int32_t (*cancelled)(void* user); /* client: called now and then during the handshake; not 0 ends it; or NULL */
    void* user;
    uint64_t reserved[4];
} rp_connection_options;

RP_API int32_t rp_connection_init(rp_connection_options* options, size_t size);
/* Connects to HOST:PORT and shakes hands. */
RP_API int32_t rp_connect(const char* server, const rp_connection_options* options, rp_handle** handle);
/* Accepts connections at ADDRESS:PORT; port 0 is chosen by the kernel, see rp_local(). */
RP_API int32_t rp_listen(const char* bind, const rp_connection_options* options, rp_handle** handle);

enum {
    RP_CONFIRM_TO_PORT = 0,  /* confirmations go to the port on which a peer listens; a peer is an IP address */
    RP_CONFIRM_TO_SOURCE = 1 /* they go to the source; a peer is an address and a port */
};

typedef struct rp_confirmed_options {
    uint32_t size;
    int32_t reply; /* RP_CONFIRM_TO_* */
    rp_engine_options engine;
    rp_address bind;   /* none: all addresses, port 5005 */
    rp_address target; /* the default receiver; none: the first that sends `initialize` */
    uint16_t peer_port;
    uint16_t reserved_port;
    int32_t retarget;         /* a later `initialize` replaces the target */
    int32_t confirm_from_any; /* an answer from an unknown address counts as the target's */
    uint32_t bytes_max;       /* largest datagram sent (default 1024) */
    int64_t timeout_ns;       /* default of a send (10 s) */
    int64_t answers_within_ns, copies_within_ns;
    uint64_t reserved[4];
} rp_confirmed_options;

RP_API int32_t rp_confirmed_init(rp_confirmed_options* options, size_t size);
RP_API int32_t rp_confirmed_open(const rp_confirmed_options* options, rp_handle** handle);

typedef struct rp_devices_options {
    uint32_t size;
    int32_t listen; /* accept connections (default 1) */
    rp_engine_options engine;
    const char* name;              /* required */
    rp_address group;              /* of the adverts */
    const char* const* interfaces; /* use only these; NULL: all but loopback */
    const char* const* ignored_interfaces;
    const rp_address* seeds; /* more receivers of adverts */
    uint32_t interfaces_count, ignored_interfaces_count, seeds_count;
    uint16_t tcp_port;
    uint16_t reserved_port;
    int64_t period_ns;                   /* between adverts */
    uint32_t notices_max, questions_max; /* of the queues; powers of two */
    uint64_t reserved[4];
} rp_devices_options;

RP_API int32_t rp_devices_init(rp_devices_options* options, size_t size);
RP_API int32_t rp_devices_open(const rp_devices_options* options, rp_handle** handle);

typedef struct rp_structs_options {
    uint32_t size;
    int32_t broadcast;
    rp_engine_options engine;
    rp_address bind; /* none: all addresses */
    const char* const* allowed;
    const rp_struct_definition* definitions;
    uint32_t allowed_count, definitions_count;
    uint64_t reserved[4];
} rp_structs_options;

RP_API int32_t rp_structs_init(rp_structs_options* options, size_t size);
RP_API int32_t rp_structs_open(const rp_structs_options* options, rp_handle** handle);

typedef struct rp_beacon_target {
    rp_address address;
    uint8_t advertised_ipv4[4]; /* where we listen, in the beacons to this target */
    uint32_t reserved;
} rp_beacon_target;

typedef struct rp_beacon_options {
    uint32_t size;
    int32_t broadcast;
    rp_engine_options engine;
    rp_address bind; /* none: all addresses */
    const rp_beacon_target* targets;
    uint32_t targets_count;
    uint16_t advertised_port;
    uint16_t reserved_port;
    const char* quote;
    int64_t period_ns;
    uint64_t rounds; /* beacons for each target; UINT64_MAX: without end */
    uint64_t reserved[4];
} rp_beacon_options;

RP_API int32_t rp_beacon_init(rp_beacon_options* options, size_t size);
RP_API int32_t rp_beacon_open(const rp_beacon_options* options, rp_handle** handle);

#ifdef __cplusplus
}
#endif

/* NOLINTEND(modernize-use-using) */

#endif
