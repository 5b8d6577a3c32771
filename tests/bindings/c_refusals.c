/* The C interface: what each call and each option refuses. */

#include <pthread.h>

#include "c_face.h"

#define TOO_MANY (UINT32_C(1) << 31)

/* ---- calls ---------------------------------------------------------------------------------------------------- */

/* Every call with a handle that is none, or one that it may not use here. */
static void refused_everywhere(rp_handle* handle, int32_t code) {
    const rp_struct_definition definition = {1, 0, "a", "<H"};
    rp_message message = message_of("x", NULL);
    rp_event event;
    rp_address address;
    uint64_t number = 0;
    EXPECT(rp_send(handle, &message, NULL) == code && rp_send_many(handle, &message, 1, NULL) == code);
    EXPECT(rp_send_packed(handle, NULL, "x", NULL, 1, 1, 0, NULL) == code);
    EXPECT(rp_send_and_wait(handle, &message, SECOND, &event, NULL, 0) == code);
    EXPECT(rp_cancel(handle, 1) == code && rp_finish(handle, 0, 0, NULL) == code);
    EXPECT(rp_receive_many(handle, RP_ANY, &event, 1, NULL, 0, 0) == code);
    EXPECT(rp_fd(handle) == code && rp_poll(handle) == code && rp_stop(handle) == code);
    EXPECT(rp_target(handle, &address) == code && rp_in_flight(handle) == code && rp_finished(handle) == code);
    EXPECT(rp_counters(handle, NULL, 0) == code);
    EXPECT(rp_ask(handle, NULL, 0, "", 0, 0, &number) == code);
    EXPECT(rp_answers(handle, 1, NULL, 0, NULL, 0, NULL) == code);
    EXPECT(rp_answer(handle, 1, "", 0) == code && rp_drop(handle, 1) == code);
    EXPECT(rp_peers(handle, NULL, 0, NULL, 0, NULL, NULL) == code);
    EXPECT(rp_structs_define(handle, &definition) == code);
}

static void* use_elsewhere(void* handle) {
    refused_everywhere((rp_handle*)handle, RP_ETHREAD);
    return NULL;
}

static void handles_that_are_none(void) {
    rp_handle* alice = open_gtudp(0);
    rp_address address;
    pthread_t thread;
    refused_everywhere(NULL, RP_EHANDLE);
    EXPECT(rp_local(NULL, &address) == RP_EHANDLE && rp_wake(NULL) == RP_EHANDLE);
    EXPECT(strcmp(rp_note(NULL), "") == 0 && strcmp(rp_backend(NULL), "") == 0);
    REQUIRE(pthread_create(&thread, NULL, use_elsewhere, alice) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT(rp_close(alice) == RP_OK);
    EXPECT_FAILURE(rp_close((rp_handle*)&address), RP_EHANDLE, "never was one");
}

/* Calls that do not fit what the handle is. */
static void calls_of_other_protocols(void) {
    rp_handle *alice = open_gtudp(0), *sender = NULL;
    rp_beacon_options options;
    rp_message message = message_of("x", NULL);
    rp_address address;
    rp_event event;
    EXPECT_FAILURE(rp_finish(alice, 0, 0, NULL), RP_EHANDLE, "no connections");
    EXPECT_FAILURE(rp_finish(alice, 0, 0, &event), RP_EHANDLE, "no connections");
    EXPECT_FAILURE(rp_finished(alice), RP_EHANDLE, "no rounds");
    EXPECT_FAILURE(rp_answer(alice, 1, NULL, 0), RP_EHANDLE, "no questions");
    EXPECT_FAILURE(rp_drop(alice, 1), RP_EHANDLE, "no questions");
    EXPECT_FAILURE(rp_answers(alice, 1, NULL, 0, NULL, 0, NULL), RP_EHANDLE, "asks no questions");
    EXPECT_FAILURE(rp_peers(alice, NULL, 0, NULL, 0, NULL, NULL), RP_EHANDLE, "no directory");
    REQUIRE(rp_beacon_init(&options, sizeof options) == RP_OK);
    options.engine.backend = backend, options.bind = loopback();
    REQUIRE(rp_beacon_open(&options, &sender) == RP_OK);
    EXPECT_FAILURE(rp_send(sender, &message, NULL), RP_EHANDLE, "sends no messages");
    EXPECT_FAILURE(rp_send_packed(sender, NULL, "x", NULL, 1, 1, 0, NULL), RP_EHANDLE, "no packed messages");
    EXPECT_FAILURE(rp_send_and_wait(sender, &message, SECOND, &event, NULL, 0), RP_EHANDLE, "no outcomes");
    EXPECT_FAILURE(rp_cancel(sender, 1), RP_EHANDLE, "cannot cancel");
    EXPECT_FAILURE(rp_in_flight(sender), RP_EHANDLE, "no outcomes");
    EXPECT_FAILURE(rp_target(sender, &address), RP_EHANDLE, "no target");
    EXPECT(rp_close(alice) == RP_OK && rp_close(sender) == RP_OK);
}

static void arguments_of_calls(void) {
    static const char* const names[] = {NULL};
    const uint32_t sizes[] = {1};
    rp_handle* alice = open_gtudp(0);
    rp_address to = local_of(alice), unknown = to, unmapped = to;
    rp_message message = message_of("x", &to);
    rp_counter counter;
    rp_event event;
    uint64_t number = 0;
    char text[RP_ADDRESS_TEXT_MAX];
    unknown.family = 9, unmapped.ip[0] = 1;

    EXPECT_FAILURE(rp_resolve("127.0.0.1", 1, NULL), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_resolve_host_port(NULL, &to), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_resolve_host_port("127.0.0.1:1", NULL), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_resolve_host_port("127.0.0.1", &unknown), RP_EINVAL, "the port is missing");
    EXPECT_FAILURE(rp_address_text(NULL, text, sizeof text), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_address_text(&to, NULL, 1), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_address_text(&to, NULL, 0), RP_ESMALL, "bytes");
    EXPECT_FAILURE(rp_address_text(&unknown, text, sizeof text), RP_EINVAL, "not an address");
    EXPECT_FAILURE(rp_address_text(&unmapped, text, sizeof text), RP_EINVAL, "not an address");

    EXPECT_FAILURE(rp_send_many(alice, NULL, 1, NULL), RP_EINVAL, "NULL");
    EXPECT(rp_send_many(alice, NULL, 0, NULL) == 0);
    EXPECT_FAILURE(rp_send_many(alice, &message, TOO_MANY, NULL), RP_EINVAL, "too large");
    EXPECT_FAILURE(rp_send_packed(alice, &to, NULL, sizes, 0, 1, 0, NULL), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_send_packed(alice, &to, NULL, NULL, 1, 1, 0, NULL), RP_EINVAL, "NULL");
    EXPECT(rp_send_packed(alice, &to, NULL, NULL, 1, 0, 0, NULL) == 0);
    EXPECT(rp_send_packed(alice, &to, NULL, NULL, 0, 1, 0, NULL) == 1); /* an empty message */
    EXPECT_FAILURE(rp_send_packed(alice, &to, "x", NULL, 1, TOO_MANY, 0, NULL), RP_EINVAL, "too large");
    EXPECT_FAILURE(rp_send_packed(alice, &to, "x", NULL, 1, 1, -1, NULL), RP_EINVAL, "negative");
    EXPECT_FAILURE(rp_send_packed(alice, &unknown, "x", NULL, 1, 1, 0, NULL), RP_EINVAL, "peer: not an address");
    EXPECT_FAILURE(rp_send_packed(alice, NULL, "x", NULL, 1, 1, 0, NULL), RP_EPEER, "peer");
    EXPECT_FAILURE(rp_send_and_wait(alice, NULL, SECOND, &event, NULL, 0), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_send_and_wait(alice, &message, SECOND, NULL, NULL, 0), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_send_and_wait(alice, &message, 0, &event, NULL, 0), RP_EINVAL, "positive");
    EXPECT_FAILURE(rp_receive_many(alice, RP_ANY, &event, 0, NULL, 0, 0), RP_EINVAL, "count is 0");
    EXPECT_FAILURE(rp_receive_many(alice, RP_ANY, &event, TOO_MANY, NULL, 0, 0), RP_EINVAL, "too large");
    EXPECT_FAILURE(rp_finish(alice, 0, -1, &event), RP_EINVAL, "negative");
    EXPECT_FAILURE(rp_local(alice, NULL), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_target(alice, NULL), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_counters(alice, NULL, 1), RP_EINVAL, "NULL");
    EXPECT(rp_counters(alice, NULL, 0) == rp_counters(alice, &counter, 1));
    EXPECT_FAILURE(rp_ask(alice, NULL, 0, "", 0, 0, NULL), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_ask(alice, NULL, 0, NULL, 1, 0, &number), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_ask(alice, NULL, 0, NULL, 0, 0, &number), RP_EHANDLE, "asks no questions");
    EXPECT_FAILURE(rp_ask(alice, NULL, 0, "", 0, -1, &number), RP_EINVAL, "negative");
    EXPECT_FAILURE(rp_ask(alice, names, 1, "", 0, 0, &number), RP_EINVAL, "names[0] is NULL");
    EXPECT_FAILURE(rp_answers(alice, 1, NULL, 1, NULL, 0, NULL), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_answers(alice, 1, NULL, 0, NULL, 1, NULL), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_answer(alice, 1, NULL, 1), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_peers(alice, NULL, 1, NULL, 0, NULL, NULL), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_peers(alice, NULL, 0, NULL, 1, NULL, NULL), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_structs_define(alice, NULL), RP_EINVAL, "NULL");
    EXPECT(strcmp(rp_error_name(1), "") == 0);
    EXPECT(rp_close(alice) == RP_OK);
}

/* ---- options -------------------------------------------------------------------------------------------------- */

/* Opens `kind` with defaults after `change`, and expects the code and a part of the text. */
#define EXPECT_OPTION(kind, change, code, part)                          \
    do {                                                                 \
        rp_##kind##_options options;                                     \
        rp_handle* handle = (rp_handle*)&options;                        \
        REQUIRE(rp_##kind##_init(&options, sizeof options) == RP_OK);    \
        options.engine.backend = backend, options.bind = loopback();     \
        change;                                                          \
        EXPECT_FAILURE(rp_##kind##_open(&options, &handle), code, part); \
        EXPECT(handle == NULL);                                          \
    } while (0)
/* What all of them have. */
#define EXPECT_COMMON_OPTIONS(kind)                                                       \
    do {                                                                                  \
        EXPECT_FAILURE(rp_##kind##_open(NULL, NULL), RP_EINVAL, "handle is NULL");        \
        EXPECT_OPTION(kind, options.size = 1, RP_EVERSION, "size");                       \
        EXPECT_OPTION(kind, options.size = 1u << 30, RP_EVERSION, "size");                \
        EXPECT_OPTION(kind, options.engine.backend = -1, RP_EINVAL, "engine.backend -1"); \
        EXPECT_OPTION(kind, options.engine.wait = -1, RP_EINVAL, "engine.wait -1");       \
        EXPECT_OPTION(kind, options.engine.wait = 3, RP_EINVAL, "engine.wait 3");         \
        EXPECT_OPTION(kind, options.bind.family = 9, RP_EINVAL, "bind: not an address");  \
        EXPECT_OPTION(kind, options.bind = elsewhere, RP_ESYSTEM, "bind 192.0.2.1");      \
    } while (0)
#define EXPECT_NETWORKS(kind)                                                                                  \
    do {                                                                                                       \
        EXPECT_OPTION(kind, options.allowed_count = 1, RP_EINVAL, "allowed is NULL");                          \
        EXPECT_OPTION(kind, (options.allowed_count = 2, options.allowed = no_texts), RP_EINVAL, "allowed[1]"); \
        EXPECT_OPTION(kind, (options.allowed_count = 1, options.allowed = no_networks), RP_EINVAL,             \
                      "allowed 10.0.0.1/8: has bits after its prefix");                                        \
    } while (0)

static const char* const no_texts[] = {"10.0.0.0/8", NULL};
static const char* const no_networks[] = {"10.0.0.1/8"};

static void options_of_gtudp(const rp_address elsewhere) {
    rp_gtudp_options large;
    EXPECT_FAILURE(rp_gtudp_init(&large, SIZE_MAX), RP_EVERSION, "size");
    EXPECT_COMMON_OPTIONS(gtudp);
    EXPECT_NETWORKS(gtudp);
    EXPECT_OPTION(gtudp, options.connect.family = 9, RP_EINVAL, "connect: not an address");
    EXPECT_OPTION(gtudp, options.magic_size = 1, RP_EINVAL, "magic is NULL");
    EXPECT_OPTION(gtudp, options.type_size = 1, RP_EINVAL, "types[0] is NULL");
    EXPECT_OPTION(gtudp, (options.threaded = 1, options.trace = 1), RP_EINVAL, "not with a thread");
    EXPECT_OPTION(gtudp, (options.threaded = 1, options.socket = 0), RP_EINVAL, "not with a thread");
    EXPECT_OPTION(gtudp, (options.threaded = 1, options.bind = elsewhere), RP_ESYSTEM, "bind 192.0.2.1");
    EXPECT_OPTION(gtudp, options.fixed_interval_ns = -1, RP_EINVAL, "fixed_interval");
    EXPECT_OPTION(gtudp, options.patience_ns = -2, RP_EINVAL, "patience");
}

static void options_of_confirmed(const rp_address elsewhere) {
    EXPECT_COMMON_OPTIONS(confirmed);
    EXPECT_OPTION(confirmed, options.target.family = 9, RP_EINVAL, "target: not an address");
    EXPECT_OPTION(confirmed, options.reply = 9, RP_EINVAL, "reply 9");
    EXPECT_OPTION(confirmed, options.timeout_ns = 0, RP_EINVAL, "positive");
    EXPECT_OPTION(confirmed, options.bytes_max = 0, RP_EINVAL, "bytes_max");
}

static void options_of_structs(const rp_address elsewhere) {
    static const rp_struct_definition wrong[] = {
        {1, 0, NULL, "<H"}, {1, 0, "a", NULL}, {70000, 0, "a", "<H"}, {1, 0, "", "<H"}, {1, 0, "a", "<w"}};
    static const char* const texts[] = {"NULL", "NULL", "id 70000", "name is empty", "at 1"};
    size_t i;
    EXPECT_COMMON_OPTIONS(structs);
    EXPECT_NETWORKS(structs);
    EXPECT_OPTION(structs, options.definitions_count = 1, RP_EINVAL, "definitions is NULL");
    for (i = 0; i < sizeof wrong / sizeof *wrong; ++i)
        EXPECT_OPTION(structs, (options.definitions = &wrong[i], options.definitions_count = 1), RP_EINVAL, texts[i]);
}

static void options_of_beacons(const rp_address elsewhere) {
    rp_beacon_target target;
    memset(&target, 0, sizeof target);
    target.address.family = 9;
    EXPECT_COMMON_OPTIONS(beacon);
    EXPECT_OPTION(beacon, options.targets_count = 1, RP_EINVAL, "targets is NULL");
    EXPECT_OPTION(beacon, (options.targets = &target, options.targets_count = 1), RP_EINVAL,
                  "targets[0]: not an address");
    EXPECT_OPTION(beacon, options.quote = NULL, RP_EINVAL, "quote is NULL");
}

static void refused_device(const rp_devices_options* options, int32_t code, const char* part) {
    rp_handle* handle = (rp_handle*)&code;
    EXPECT_FAILURE(rp_devices_open(options, &handle), code, part);
    EXPECT(handle == NULL);
}

static void options_of_devices(void) {
    rp_devices_options right, options;
    rp_address seed = loopback();
    REQUIRE(rp_devices_init(&right, sizeof right) == RP_OK);
    right.engine.backend = backend, right.name = "a";
    EXPECT_FAILURE(rp_devices_open(&right, NULL), RP_EINVAL, "handle is NULL");
    options = right, options.size = 1;
    refused_device(&options, RP_EVERSION, "size");
    options = right, options.name = NULL;
    refused_device(&options, RP_EINVAL, "name is NULL");
    options = right, options.name = "";
    refused_device(&options, RP_EINVAL, "it is empty");
    options = right, options.engine.wait = 3;
    refused_device(&options, RP_EINVAL, "engine.wait");
    options = right, options.group.family = 9;
    refused_device(&options, RP_EINVAL, "group: not an address");
    options = right, options.interfaces_count = 1;
    refused_device(&options, RP_EINVAL, "interfaces is NULL");
    options = right, options.ignored_interfaces_count = 1;
    refused_device(&options, RP_EINVAL, "ignored_interfaces is NULL");
    options = right, options.seeds_count = 1;
    refused_device(&options, RP_EINVAL, "seeds is NULL");
    options.seeds = &seed, seed.family = 9;
    refused_device(&options, RP_EINVAL, "seeds[0]: not an address");
    seed.family = RP_FAMILY_NONE;
    refused_device(&options, RP_EINVAL, "seeds[0]: not an address");
    seed = loopback(); /* without a port */
    refused_device(&options, RP_EINVAL, "protocol.seeds");
}

void refusals(void) {
    rp_address elsewhere;
    REQUIRE(rp_resolve("192.0.2.1", 0, &elsewhere) == RP_OK);
    handles_that_are_none();
    calls_of_other_protocols();
    arguments_of_calls();
    options_of_gtudp(elsewhere);
    options_of_confirmed(elsewhere);
    options_of_structs(elsewhere);
    options_of_beacons(elsewhere);
    options_of_devices();
}
