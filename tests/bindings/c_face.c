/* The C interface: versions, addresses, bad use, threads and processes. Strict C99. Prints what failed. */

#include "c_face.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

int failures = 0;
int backend = RP_BACKEND_AUTOMATIC;

void failed(const char* file, int line, const char* what) {
    printf("%s:%d: %s (last error: %s)\n", file, line, what, rp_last_error());
    ++failures;
}

rp_address loopback(void) {
    rp_address address;
    REQUIRE(rp_resolve("127.0.0.1", 0, &address) == RP_OK);
    return address;
}

rp_address local_of(rp_handle* handle) {
    rp_address address;
    REQUIRE(rp_local(handle, &address) == RP_OK);
    return address;
}

rp_message message_of(const char* text, const rp_address* peer) {
    rp_message message;
    memset(&message, 0, sizeof message);
    message.bytes = text;
    message.size = strlen(text);
    message.peer = peer;
    return message;
}

rp_gtudp_options gtudp_options(int threaded) {
    rp_gtudp_options options;
    REQUIRE(rp_gtudp_init(&options, sizeof options) == RP_OK);
    options.threaded = threaded;
    options.engine.backend = backend;
    options.bind = loopback();
    return options;
}

rp_handle* open_gtudp(int threaded) {
    const rp_gtudp_options options = gtudp_options(threaded);
    rp_handle* handle = NULL;
    REQUIRE(rp_gtudp_open(&options, &handle) == RP_OK);
    return handle;
}

/* Takes turns between two handles until `receiver` has an event. */
int32_t receive(rp_handle* receiver, rp_handle* other, int32_t what, rp_event* event, char* buffer, size_t capacity) {
    int i;
    for (i = 0; i < 100000; ++i) {
        const int32_t taken = rp_receive_many(receiver, what, event, 1, buffer, capacity, SECOND / 1000);
        if (taken != 0) return taken;
        if (other != NULL) REQUIRE(rp_poll(other) >= 0);
    }
    return 0;
}

int holds(const rp_event* event, const char* buffer, const char* text) {
    return event->size == strlen(text) && memcmp(buffer + event->offset, text, event->size) == 0;
}

/* ---- versions and addresses ----------------------------------------------------------------------------------- */

static void versions(void) {
    rp_gtudp_options options;
    rp_handle* handle = (rp_handle*)1;
    struct {
        rp_gtudp_options options;
        char later[64];
    } newer;
    EXPECT(rp_check_abi(RP_ABI_VERSION) == RP_OK && rp_abi_version() == RP_ABI_VERSION);
    EXPECT_FAILURE(rp_check_abi(RP_ABI_VERSION + 1), RP_EVERSION, "compiled for ABI version");
    EXPECT(strcmp(rp_error_name(RP_EMANY), "RP_EMANY") == 0 && strcmp(rp_error_name(-99), "") == 0);
    EXPECT(strlen(rp_version()) > 0);

    memset(&options, 0, sizeof options);
    EXPECT_FAILURE(rp_gtudp_open(&options, &handle), RP_EVERSION, "size");
    EXPECT(handle == NULL);
    EXPECT_FAILURE(rp_gtudp_init(&options, 3), RP_EVERSION, "size");
    EXPECT_FAILURE(rp_gtudp_init(NULL, sizeof options), RP_EINVAL, "NULL");
    /* A program that was compiled with later options: refused only if it uses one. */
    EXPECT(rp_gtudp_init(&newer.options, sizeof newer) == RP_OK);
    newer.options.bind = loopback();
    EXPECT(rp_gtudp_open(&newer.options, &handle) == RP_OK && rp_close(handle) == RP_OK);
    newer.later[9] = 1;
    EXPECT_FAILURE(rp_gtudp_open(&newer.options, &handle), RP_EVERSION, "does not have");
}

static void addresses(void) {
    rp_address address;
    char text[RP_ADDRESS_TEXT_MAX];
    EXPECT(rp_resolve_host_port("[::1]:5005", &address) == RP_OK && address.port == 5005);
    EXPECT(rp_address_text(&address, text, sizeof text) == 10 && strcmp(text, "[::1]:5005") == 0);
    EXPECT_FAILURE(rp_address_text(&address, text, 10), RP_ESMALL, "10 bytes");
    EXPECT(rp_resolve("fe80::1%nowhere", 1, &address) < 0);
    EXPECT_FAILURE(rp_resolve(NULL, 1, &address), RP_EINVAL, "NULL");
    memset(&address, 0, sizeof address);
    EXPECT_FAILURE(rp_address_text(&address, text, sizeof text), RP_EINVAL, "not an address");
}

/* ---- bad use -------------------------------------------------------------------------------------------------- */

static void bad_handles(void) {
    rp_handle *alice = open_gtudp(0), *again;
    rp_event event;
    rp_message message = message_of("x", NULL);
    uint64_t ask;
    EXPECT_FAILURE(rp_poll(NULL), RP_EHANDLE, "NULL");
    EXPECT_FAILURE(rp_poll((rp_handle*)&event), RP_EHANDLE, "closed, or never was one");
    EXPECT(rp_close(NULL) == RP_OK);
    EXPECT_FAILURE(rp_ask(alice, NULL, 0, "", 0, 0, &ask), RP_EHANDLE, "gtUDP, which asks no questions");
    EXPECT_FAILURE(rp_target(alice, &event.peer), RP_EHANDLE, "no target");
    EXPECT(rp_close(alice) == RP_OK);
    EXPECT_FAILURE(rp_close(alice), RP_EHANDLE, "closed");
    again = open_gtudp(0);
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_EHANDLE, "closed"); /* although its place is in use again */
    EXPECT(rp_poll(again) >= 0 && rp_close(again) == RP_OK);
    EXPECT(strcmp(rp_backend(alice), "") == 0 && rp_fd(alice) == RP_EHANDLE && rp_wake(alice) == RP_EHANDLE);
}

static void* use_from_here(void* handle) {
    EXPECT_FAILURE(rp_poll((rp_handle*)handle), RP_ETHREAD, "only on the thread that opened it");
    EXPECT(rp_wake((rp_handle*)handle) == RP_OK);
    return NULL;
}

static void* close_from_here(void* handle) {
    EXPECT(rp_close((rp_handle*)handle) == RP_OK);
    return NULL;
}

static void* receive_until_stopped(void* handle) {
    rp_event event;
    char buffer[64];
    const int32_t taken = rp_receive_many((rp_handle*)handle, RP_MESSAGE, &event, 1, buffer, sizeof buffer, RP_FOREVER);
    EXPECT(taken == 0 || taken == RP_EHANDLE);
    return NULL;
}

static void threads(void) {
    rp_handle *alice = open_gtudp(0), *shared = open_gtudp(1);
    rp_event event;
    pthread_t thread, waiting[3];
    int i;
    REQUIRE(pthread_create(&thread, NULL, use_from_here, alice) == 0);
    /* The wake-up of the other thread ends it, whichever is first. */
    EXPECT(rp_receive_many(alice, RP_ANY, &event, 1, NULL, 0, RP_FOREVER) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    REQUIRE(pthread_create(&thread, NULL, close_from_here, alice) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT_FAILURE(rp_poll(alice), RP_EHANDLE, "closed");
    for (i = 0; i < 3; ++i) REQUIRE(pthread_create(&waiting[i], NULL, receive_until_stopped, shared) == 0);
    EXPECT(rp_close(shared) == RP_OK);
    for (i = 0; i < 3; ++i) EXPECT(pthread_join(waiting[i], NULL) == 0);
}

static void forks(void) {
    rp_handle *alice = open_gtudp(0), *shared = open_gtudp(1);
    const rp_address to = local_of(shared);
    const rp_message message = message_of("after the fork", &to);
    rp_event event;
    char buffer[64];
    int status = 0;
    pid_t child;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        rp_handle* own;
        failures = 0;
        EXPECT_FAILURE(rp_poll(alice), RP_EFORK, "parent");
        EXPECT_FAILURE(rp_send(shared, &message, NULL), RP_EFORK, "parent");
        EXPECT(rp_close(alice) == RP_OK && rp_close(shared) == RP_OK);
        EXPECT_FAILURE(rp_poll(alice), RP_EHANDLE, "closed");
        own = open_gtudp(0);
        EXPECT(rp_send_and_wait(own, &message, LONG, &event, NULL, 0) == RP_OK && event.code == RP_CONFIRMED);
        EXPECT(rp_close(own) == RP_OK);
        fflush(stdout);
        _exit(failures);
    }
    REQUIRE(child > 0);
    EXPECT(rp_receive_many(shared, RP_MESSAGE, &event, 1, buffer, sizeof buffer, LONG) == 1);
    EXPECT(holds(&event, buffer, "after the fork"));
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    EXPECT(rp_send_and_wait(alice, &message, LONG, &event, NULL, 0) == RP_OK && event.code == RP_CONFIRMED);
    EXPECT(rp_close(alice) == RP_OK && rp_close(shared) == RP_OK);
}

int main(int argc, char** argv) {
    static void (*const parts[])(void) = {
        versions, addresses, gtudp_options_and_refusals, foreign_and_trace, confirmed,   structs,     beacons,
        devices,  refusals,  refused_messages,           events_of_devices, connections, bad_handles, threads,
        forks};
    size_t i;
    REQUIRE(rp_check_abi(RP_ABI_VERSION) == RP_OK);
    if (argc > 1) backend = strcmp(argv[1], "mmsg") == 0 ? RP_BACKEND_MMSG : RP_BACKEND_URING;
    for (i = 0; i < sizeof parts / sizeof *parts; ++i) parts[i]();
    for (i = 0; i < 2; ++i) gtudp_of((int)i), descriptor((int)i);
    printf("%d failures\n", failures);
    return failures == 0 ? 0 : 1;
}
