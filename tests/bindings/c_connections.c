/* The C interface: native connections, with a server on this thread and clients on others. */

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "c_face.h"

/* Keys as `ringpost key` makes them: secrets, and the public keys that belong to them. */
static const char* const server_secret = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
static const char* const server_public = "zo060cy2M+x7cMF4FKXHbs0CloUFDTRHRboFhw5YfVk=";
static const char* const client_secret = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
static const char* const client_public = "Xf7dO2vUf2+ijuFdlp1bsOpTd01Ii9r53xxuASSz7yI=";

static char key_directory[256];
static char psk_path[300], server_key_path[300], client_key_path[300], allow_path[300];

static void write_key(char* path, size_t capacity, const char* name, const char* key, const char* rest) {
    int fd;
    snprintf(path, capacity, "%s/%s", key_directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    REQUIRE(fd >= 0 && write(fd, key, strlen(key)) > 0 && write(fd, rest, strlen(rest)) >= 0);
    close(fd);
}

static rp_connection_options connection_options(void) {
    rp_connection_options options;
    REQUIRE(rp_connection_init(&options, sizeof options) == RP_OK);
    options.engine.backend = backend;
    options.timeout_ns = LONG;
    return options;
}

static rp_handle* serve(const rp_connection_options* options, char* text, size_t capacity) {
    rp_handle* server = NULL;
    rp_address address;
    REQUIRE(rp_listen("127.0.0.1:0", options, &server) == RP_OK);
    address = local_of(server);
    REQUIRE(rp_address_text(&address, text, capacity) > 0);
    return server;
}

/* Answers until `clients` connections have ended. Returns the number of messages. */
static int echo_until_closed(rp_handle* server, int clients, const char* name) {
    rp_event event;
    rp_message message;
    char buffer[4096];
    int ended = 0, received = 0;
    while (ended < clients) {
        REQUIRE(rp_receive_many(server, RP_ANY, &event, 1, buffer, sizeof buffer, LONG) == 1);
        EXPECT(event.connection != 0 && event.peer.port != 0);
        if (event.kind == RP_MESSAGE) {
            memset(&message, 0, sizeof message);
            message.bytes = buffer + event.offset, message.size = event.size;
            message.connection = event.connection, message.id = (uint32_t)event.value;
            EXPECT(rp_send(server, &message, NULL) == RP_OK);
            ++received;
        } else if (event.code == RP_OPENED) {
            EXPECT(event.name_size == strlen(name) && memcmp(buffer + event.name_offset, name, event.name_size) == 0);
        } else if (event.code == RP_CLOSED) {
            EXPECT((event.flags & RP_EVENT_BY_PEER) != 0 && holds(&event, buffer, "closed"));
            ++ended;
        }
    }
    return received;
}

struct client {
    const char* server;
    rp_connection_options options;
};

/* Two messages there and back, and an orderly end. */
static void* talk(void* given) {
    const struct client* const client = (const struct client*)given;
    rp_handle* handle = NULL;
    rp_message messages[3];
    rp_counter counters[256];
    rp_event event;
    char buffer[64];
    uint64_t ids[3] = {9, 9, 9};
    int32_t i, count, received = 0;
    REQUIRE(rp_connect(client->server, &client->options, &handle) == RP_OK);
    messages[0] = message_of("one", NULL), messages[1] = message_of("", NULL);
    messages[1].bytes = NULL, messages[0].id = messages[1].id = 3;
    messages[2] = message_of("x", NULL), messages[2].id = 99;
    EXPECT(rp_send_many(handle, messages, 3, ids) == 2 && ids[1] == 0 && ids[2] == 9);
    EXPECT(rp_in_flight(handle) == 2);
    EXPECT_FAILURE(rp_send(handle, &messages[2], NULL), RP_EINVAL, "no such channel");
    messages[2].flags = RP_SEND_RAW;
    EXPECT_FAILURE(rp_send(handle, &messages[2], NULL), RP_EINVAL, "flags");
    messages[2].bytes = NULL;
    EXPECT_FAILURE(rp_send(handle, &messages[2], NULL), RP_EINVAL, "NULL");
    while (received < 2) {
        REQUIRE(rp_receive_many(handle, RP_MESSAGE, &event, 1, buffer, sizeof buffer, LONG) == 1);
        EXPECT(event.kind == RP_MESSAGE && event.value == 3 && event.connection == 0);
        EXPECT(event.id == (uint64_t)received && holds(&event, buffer, received == 0 ? "one" : ""));
        EXPECT(rp_receive_many(handle, RP_CONNECTION, &event, 1, buffer, sizeof buffer, 0) == 0);
        ++received;
    }
    count = rp_counters(handle, counters, 256);
    for (i = 0; i < count && strcmp(counters[i].name, "packets_sent") != 0; ++i) continue;
    EXPECT(i < count && counters[i].value >= 2);
    EXPECT(rp_finish(handle, 0, LONG, &event) == RP_OK);
    EXPECT(event.kind == RP_CONNECTION && event.code == RP_CLOSED && (event.flags & RP_EVENT_DELIVERED) != 0);
    EXPECT(event.value == 0 && rp_in_flight(handle) == 0);
    EXPECT_FAILURE(rp_send(handle, &messages[0], NULL), RP_ESTOPPED, "has ended");
    do REQUIRE(rp_receive_many(handle, RP_CONNECTION, &event, 1, buffer, sizeof buffer, LONG) == 1);
    while (event.code != RP_CLOSED);
    EXPECT(holds(&event, buffer, "closed"));
    EXPECT(rp_finish(handle, 0, 0, &event) == RP_OK && event.code == RP_CLOSED);
    EXPECT(rp_close(handle) == RP_OK);
    return NULL;
}

static void talk_with(const rp_connection_options* listening, const rp_connection_options* connecting,
                      const char* name) {
    char text[RP_ADDRESS_TEXT_MAX];
    rp_handle* const server = serve(listening, text, sizeof text);
    struct client client;
    pthread_t thread;
    client.server = text, client.options = *connecting;
    EXPECT(rp_in_flight(server) == 0 && rp_counters(server, NULL, 0) > 0);
    REQUIRE(pthread_create(&thread, NULL, talk, &client) == 0);
    EXPECT(echo_until_closed(server, 1, name) == 2);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT_FAILURE(rp_finish(server, 12345, 0, NULL), RP_EUNKNOWN, "no such connection");
    EXPECT(rp_close(server) == RP_OK);
}

static void kinds_of_keys(void) {
    rp_connection_options listening = connection_options(), connecting = listening;
    listening.psk = connecting.psk = psk_path, listening.application = connecting.application = "c_face";
    talk_with(&listening, &connecting, "");
    listening = connecting = connection_options();
    listening.insecure = connecting.insecure = 1;
    talk_with(&listening, &connecting, "");
    listening = connecting = connection_options();
    listening.key = server_key_path, connecting.peer = server_public;
    talk_with(&listening, &connecting, "");
    connecting.key = client_key_path, listening.allow = allow_path, listening.psk = connecting.psk = psk_path;
    talk_with(&listening, &connecting, "pump-1");
}

/* Sessions of an application's own login, and another list of clients. */
static void sessions(void) {
    static const char token[] = "0123456789abcdef";
    rp_connection_options listening = connection_options(), connecting = listening;
    char text[RP_ADDRESS_TEXT_MAX];
    rp_handle *server, *handle = NULL;
    struct client client;
    pthread_t thread;
    listening.sessions_max = 1;
    connecting.session = "alice", connecting.token = token, connecting.token_size = sizeof token;
    server = serve(&listening, text, sizeof text);
    EXPECT_FAILURE(rp_add_session(server, NULL, token, sizeof token), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_add_session(server, "alice", token, 15), RP_EINVAL, "at least 16 bytes");
    EXPECT(rp_add_session(server, "alice", token, sizeof token) == RP_OK);
    EXPECT_FAILURE(rp_add_session(server, "bob", token, sizeof token), RP_EFULL, "sessions_max");
    client.server = text, client.options = connecting;
    REQUIRE(pthread_create(&thread, NULL, talk, &client) == 0);
    EXPECT(echo_until_closed(server, 1, "alice") == 2);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT(rp_remove_session(server, "alice") == RP_OK);
    EXPECT_FAILURE(rp_remove_session(server, "alice"), RP_EUNKNOWN, "no session");
    EXPECT_FAILURE(rp_remove_session(server, NULL), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_allow(server, allow_path), RP_EINVAL, "accepts every client");
    EXPECT_FAILURE(rp_allow(server, "/nowhere"), RP_ESYSTEM, "/nowhere");
    EXPECT_FAILURE(rp_allow(server, NULL), RP_EINVAL, "NULL");
    EXPECT(rp_close(server) == RP_OK);
    listening.key = server_key_path, listening.allow = allow_path;
    server = serve(&listening, text, sizeof text);
    EXPECT(rp_allow(server, allow_path) == RP_OK);
    EXPECT(rp_close(server) == RP_OK);
    connecting.psk = psk_path;
    EXPECT_FAILURE(rp_connect("127.0.0.1:9", &connecting, &handle), RP_EINVAL, "not with psk");
    connecting.psk = NULL, connecting.token = NULL;
    EXPECT_FAILURE(rp_connect("127.0.0.1:9", &connecting, &handle), RP_EINVAL, "token is NULL");
}

/* A client that only reads, and one event of each kind at both ends. */
static void* wait_for_the_end(void* given) {
    const struct client* const client = (const struct client*)given;
    rp_handle* handle = NULL;
    rp_message message = message_of("ready", NULL);
    rp_event event;
    char buffer[64];
    int closing = 0, large = 0;
    REQUIRE(rp_connect(client->server, &client->options, &handle) == RP_OK);
    EXPECT(rp_send(handle, &message, NULL) == RP_OK);
    for (;;) {
        const int32_t taken = rp_receive_many(handle, RP_ANY, &event, 1, buffer, sizeof buffer, LONG);
        if (taken == RP_ESMALL) {
            char* const room = (char*)malloc(event.size);
            REQUIRE(room != NULL);
            REQUIRE(rp_receive_many(handle, RP_MESSAGE, &event, 1, room, event.size, 0) == 1);
            free(room);
            ++large;
            continue;
        }
        REQUIRE(taken == 1);
        closing += event.kind == RP_CONNECTION && event.code == RP_CLOSING;
        if (event.kind == RP_CONNECTION && event.code == RP_CLOSED) break;
    }
    EXPECT(large > 0 && (event.flags & RP_EVENT_BY_PEER) != 0 && closing <= 1);
    EXPECT(rp_close(handle) == RP_OK);
    return NULL;
}

/* A channel whose log is full, until there is space; a message that is too large; the end by the server. */
static void a_full_channel(void) {
    static char large[600000];
    rp_connection_options options = connection_options();
    char text[RP_ADDRESS_TEXT_MAX], buffer[64];
    rp_handle* server;
    rp_message message;
    rp_event event;
    struct client client;
    pthread_t thread;
    int32_t sent;
    uint64_t connection;
    options.psk = psk_path, options.send_log_bytes = 1u << 16;
    client.options = options, client.options.message_bytes_max = 40000;
    server = serve(&options, text, sizeof text);
    client.server = text;
    REQUIRE(pthread_create(&thread, NULL, wait_for_the_end, &client) == 0);
    REQUIRE(rp_receive_many(server, RP_MESSAGE, &event, 1, buffer, sizeof buffer, LONG) == 1); /* RP_OPENED waits */
    EXPECT(holds(&event, buffer, "ready"));
    connection = event.connection;
    message = message_of("", NULL), message.bytes = large, message.connection = connection;
    message.size = sizeof large;
    EXPECT_FAILURE(rp_send(server, &message, NULL), RP_ETOOLARGE, "larger than the peer takes");
    message.size = 40000;
    do sent = rp_send(server, &message, NULL);
    while (sent == RP_OK);
    EXPECT(sent == RP_EFULL && strstr(rp_last_error(), "log is full") != NULL);
    do REQUIRE(rp_receive_many(server, RP_CONNECTION, &event, 1, buffer, sizeof buffer, LONG) == 1);
    while (event.code != RP_WRITABLE);
    EXPECT(event.connection == connection && event.value == 0);
    EXPECT(rp_finish(server, connection, 0, NULL) == RP_OK); /* only begins to close */
    EXPECT(rp_finish(server, connection, LONG, &event) == RP_OK && event.code == RP_CLOSED);
    EXPECT(event.connection == connection);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT(rp_close(server) == RP_OK);
}

static void what_connections_refuse(void) {
    static const char* const wrong[] = {"10.0.0.1/8"};
    rp_connection_options options = connection_options(), old = options;
    rp_handle* handle = NULL;
    options.psk = psk_path, old.size = 1;
    EXPECT_FAILURE(rp_connect(NULL, &options, &handle), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_connect("127.0.0.1:9", &options, NULL), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_connect("127.0.0.1:9", &old, &handle), RP_EVERSION, "size");
    handle = (rp_handle*)&options;
    EXPECT_FAILURE(rp_connect("127.0.0.1", &options, &handle), RP_EINVAL, "the port is missing");
    EXPECT(handle == NULL);
    EXPECT_FAILURE(rp_connect("127.0.0.1:9", NULL, &handle), RP_EINVAL, "keys: a client needs");
    EXPECT_FAILURE(rp_listen(NULL, &options, &handle), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_listen("127.0.0.1:0", &options, NULL), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_listen("127.0.0.1:0", &old, &handle), RP_EVERSION, "size");
    handle = (rp_handle*)&options;
    EXPECT_FAILURE(rp_listen("127.0.0.1", &options, &handle), RP_EINVAL, "the port is missing");
    EXPECT(handle == NULL);
    EXPECT_FAILURE(rp_listen("127.0.0.1:0", NULL, &handle), RP_EINVAL, "keys: a server needs");
    options.engine.wait = 9;
    EXPECT_FAILURE(rp_connect("127.0.0.1:9", &options, &handle), RP_EINVAL, "engine.wait 9");
    EXPECT_FAILURE(rp_listen("127.0.0.1:0", &options, &handle), RP_EINVAL, "engine.wait 9");
    options = connection_options(), options.psk = psk_path;
    options.allowed = wrong, options.allowed_count = 1;
    EXPECT_FAILURE(rp_listen("127.0.0.1:0", &options, &handle), RP_EINVAL, "allowed 10.0.0.1/8");
    options.allowed_count = 0, options.psk = "/nowhere";
    EXPECT_FAILURE(rp_listen("127.0.0.1:0", &options, &handle), RP_ESYSTEM, "/nowhere");
    EXPECT_FAILURE(rp_connect("127.0.0.1:9", &options, &handle), RP_ESYSTEM, "/nowhere");
}

void connections(void) {
    char line[128];
    const char* const temporary = getenv("TMPDIR");
    snprintf(key_directory, sizeof key_directory, "%s/ringpost_c_face_%ld", temporary != NULL ? temporary : "/tmp",
             (long)getpid());
    REQUIRE(mkdir(key_directory, 0700) == 0);
    write_key(psk_path, sizeof psk_path, "psk", "BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=", "\n");
    write_key(server_key_path, sizeof server_key_path, "server", server_secret, "\n");
    write_key(client_key_path, sizeof client_key_path, "client", client_secret, "\n");
    snprintf(line, sizeof line, "%s pump-1\n", client_public);
    write_key(allow_path, sizeof allow_path, "allow", line, "");
    kinds_of_keys();
    sessions();
    a_full_channel();
    what_connections_refuse();
    EXPECT(unlink(psk_path) == 0 && unlink(server_key_path) == 0 && unlink(client_key_path) == 0);
    EXPECT(unlink(allow_path) == 0 && rmdir(key_directory) == 0);
}
