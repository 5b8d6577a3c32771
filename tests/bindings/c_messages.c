/* The C interface: messages that are refused, and those that a protocol cannot read. */

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "c_face.h"

static void messages_of_gtudp(int threaded) {
    static const char large[66000];
    const uint32_t sizes[2] = {1, sizeof large - 1};
    rp_gtudp_options options = gtudp_options(threaded);
    rp_handle *alice = NULL, *silent = open_gtudp(0);
    rp_address to = local_of(silent), unknown = to;
    rp_message messages[2], raw;
    rp_event event;
    uint64_t ids[2] = {0, 0};
    unknown.family = 9;
    options.data_sends_max = 1, options.patience_ns = 0, options.timeout_initial_ns = options.timeout_min_ns = 1000000;
    options.magic = "magic", options.magic_size = 5;
    options.types[0] = "d", options.types[1] = "r", options.types[2] = "a", options.type_size = 1;
    REQUIRE(rp_gtudp_open(&options, &alice) == RP_OK);

    messages[0] = message_of("x", &to), messages[1] = message_of("x", &unknown);
    EXPECT(rp_send_many(alice, messages, 2, ids) == 1); /* up to the first that is refused */
    EXPECT_FAILURE(rp_send_many(alice, messages + 1, 1, ids), RP_EINVAL, "message->peer: not an address");
    EXPECT(rp_send_packed(alice, &to, large, sizes, 0, 2, 0, ids) == 1);
    EXPECT_FAILURE(rp_send_packed(alice, &to, large, sizes + 1, 0, 1, 0, ids), RP_ETOOLARGE, "larger");
    messages[1] = message_of("x", &to), messages[1].bytes = NULL, messages[1].size = 0; /* an empty message */
    messages[1].timeout_ns = LONG;
    EXPECT(rp_send(alice, &messages[1], NULL) == RP_OK);
    messages[1].timeout_ns = -1;
    EXPECT_FAILURE(rp_send_and_wait(alice, &messages[1], SECOND, &event, NULL, 0), RP_EINVAL, "negative");
    messages[1] = message_of("x", NULL);
    EXPECT_FAILURE(rp_send_and_wait(alice, &messages[1], SECOND, &event, NULL, 0), RP_EPEER, "peer");
    raw = message_of("x", &to), raw.flags = RP_SEND_RAW;
    EXPECT_FAILURE(rp_send_and_wait(alice, &raw, SECOND, &event, NULL, 0), RP_EINVAL, "RP_SEND_RAW");
    if (threaded) {
        EXPECT_FAILURE(rp_send(alice, &raw, NULL), RP_EINVAL, "not with a thread");
    } else {
        EXPECT(rp_send(alice, &raw, ids) == RP_OK && ids[0] == 0);
        raw.bytes = large, raw.size = sizeof large;
        EXPECT_FAILURE(rp_send(alice, &raw, NULL), RP_EFULL, "larger than a datagram");
        raw = message_of("x", NULL), raw.flags = RP_SEND_RAW;
        EXPECT_FAILURE(rp_send(alice, &raw, NULL), RP_EPEER, "peer");
    }
    /* Nobody confirms, and each is sent once. */
    EXPECT(receive(alice, NULL, RP_OUTCOME, &event, NULL, 0) == 1 && event.code == RP_GAVE_UP);
    EXPECT(rp_stop(alice) == RP_OK);
    if (threaded) EXPECT_FAILURE(rp_send(alice, &messages[0], NULL), RP_ESTOPPED, "stopped");
    EXPECT(rp_close(alice) == RP_OK && rp_close(silent) == RP_OK);
}

/* Tables with one entry, and no reports of outcomes. */
static void full_tables_of_gtudp(void) {
    rp_gtudp_options options = gtudp_options(0);
    rp_handle *alice = NULL, *bob = open_gtudp(0), *carol = open_gtudp(0);
    rp_address to = local_of(bob), other = local_of(carol);
    rp_message message = message_of("x", &to);
    rp_event event;
    char buffer[64];
    int i;
    options.sends_max = 1;
    REQUIRE(rp_gtudp_open(&options, &alice) == RP_OK);
    EXPECT(rp_send(alice, &message, NULL) == RP_OK);
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_EFULL, "in flight");
    EXPECT_FAILURE(rp_send_and_wait(alice, &message, SECOND, &event, NULL, 0), RP_EFULL, "in flight");
    EXPECT(rp_close(alice) == RP_OK);
    options = gtudp_options(0), options.peers_max = 1;
    REQUIRE(rp_gtudp_open(&options, &alice) == RP_OK);
    EXPECT(rp_send(alice, &message, NULL) == RP_OK);
    message.peer = &other;
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_EFULL, "peers_max");
    EXPECT(rp_close(alice) == RP_OK);
    for (i = 0; i < 2; ++i) {
        options = gtudp_options(i), options.report_outcomes = 0, options.connect = to;
        REQUIRE(rp_gtudp_open(&options, &alice) == RP_OK);
        message.peer = NULL; /* the connected one */
        EXPECT(rp_send(alice, &message, NULL) == RP_OK);
        EXPECT(rp_send_packed(alice, NULL, "x", NULL, 1, 1, 0, NULL) == 1);
        EXPECT(receive(bob, alice, RP_MESSAGE, &event, buffer, sizeof buffer) == 1);
        EXPECT(receive(bob, alice, RP_MESSAGE, &event, buffer, sizeof buffer) == 1);
        while (rp_in_flight(alice) > 0) {
            EXPECT(rp_receive_many(alice, RP_ANY, &event, 1, buffer, sizeof buffer, SECOND / 1000) == 0);
            REQUIRE(rp_poll(bob) >= 0);
        }
        EXPECT(rp_receive_many(alice, RP_ANY, &event, 1, buffer, sizeof buffer, 0) == 0);
        EXPECT(rp_close(alice) == RP_OK);
    }
    EXPECT(rp_close(bob) == RP_OK && rp_close(carol) == RP_OK);
}

static void messages_of_confirmed(void) {
    static const char report[] = "{\"message\":\"no\",\"status\":false}";
    static char large[2000];
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    rp_confirmed_options options;
    rp_handle *alice = NULL, *bob = NULL;
    rp_address to, unknown, v6;
    rp_message message, two[2];
    rp_event event;
    char buffer[256];
    uint64_t id = 0;
    int plain;
    memset(large, 'x', sizeof large);
    REQUIRE(rp_confirmed_init(&options, sizeof options) == RP_OK);
    options.engine.backend = backend, options.bind = loopback(), options.reply = RP_CONFIRM_TO_SOURCE;
    REQUIRE(rp_confirmed_open(&options, &bob) == RP_OK && rp_confirmed_open(&options, &alice) == RP_OK);
    to = unknown = local_of(bob), unknown.family = 9;
    REQUIRE(rp_resolve("::1", 9, &v6) == RP_OK);

    message = message_of("x", &unknown);
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_EINVAL, "message->peer: not an address");
    EXPECT_FAILURE(rp_send_and_wait(alice, &message, SECOND, &event, NULL, 0), RP_EINVAL, "message->peer");
    message.peer = &v6;
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_EPEER, "another address family");
    message = message_of("x", &to), message.bytes = NULL;
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_EINVAL, "NULL");
    message = message_of("x", &to), message.flags = RP_SEND_RAW;
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_EINVAL, "flags");
    message.flags = RP_SEND_OK | RP_SEND_FAILED;
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_EINVAL, "flags");
    message = message_of("x", &to), message.timeout_ns = -1;
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_EINVAL, "negative");
    message = message_of("x", &to), message.bytes = large, message.size = sizeof large;
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_ETOOLARGE, "bytes_max");
    two[0] = message_of("", &to), two[0].bytes = NULL, two[1] = message;
    EXPECT(rp_send_many(alice, two, 2, NULL) == 1);
    EXPECT(receive(bob, alice, RP_MESSAGE, &event, buffer, sizeof buffer) == 1 && event.size == 0);
    EXPECT(receive(alice, bob, RP_OUTCOME, &event, buffer, sizeof buffer) == 1 && event.code == RP_CONFIRMED);

    /* A confirmation and a failure report that nobody waits for; the other end gets only the second. */
    message = message_of("fine", &to), message.flags = RP_SEND_OK;
    EXPECT(rp_send(alice, &message, &id) == RP_OK);
    EXPECT(receive(alice, bob, RP_OUTCOME, &event, buffer, sizeof buffer) == 1);
    EXPECT(event.id == id && event.code == RP_REPORTED);
    message = message_of("broken", &to), message.flags = RP_SEND_FAILED;
    EXPECT(rp_send_and_wait(alice, &message, LONG, &event, buffer, sizeof buffer) == RP_OK);
    EXPECT(event.code == RP_REPORTED);
    EXPECT(receive(bob, alice, RP_MESSAGE, &event, buffer, sizeof buffer) == 1);
    EXPECT(event.code == RP_FAILED && holds(&event, buffer, "broken"));

    /* The failure report of a send that waits. */
    plain = socket(AF_INET, SOCK_DGRAM, 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET, address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(plain, (struct sockaddr*)&address, length) == 0);
    REQUIRE(getsockname(plain, (struct sockaddr*)&address, &length) == 0);
    to.port = ntohs(address.sin_port);
    message = message_of("may I?", &to);
    EXPECT(rp_send(alice, &message, &id) == RP_OK && rp_poll(alice) >= 0);
    REQUIRE(recvfrom(plain, buffer, sizeof buffer, 0, (struct sockaddr*)&address, &length) > 0);
    REQUIRE(sendto(plain, report, sizeof report - 1, 0, (struct sockaddr*)&address, length) > 0);
    EXPECT(receive(alice, NULL, RP_OUTCOME, &event, NULL, 0) == RP_ESMALL);
    EXPECT(receive(alice, NULL, RP_OUTCOME, &event, buffer, sizeof buffer) == 1);
    EXPECT(event.id == id && event.code == RP_FAILED && holds(&event, buffer, "no"));
    close(plain);
    EXPECT(rp_close(alice) == RP_OK && rp_close(bob) == RP_OK);
}

static void messages_of_structs(void) {
    static const rp_struct_definition known = {7, 0, "reading", "<H"}, same_name = {8, 0, "reading", "<H"},
                                      same_id = {7, 0, "other", "<H"};
    rp_structs_options options;
    rp_handle* handle = NULL;
    rp_address to, unknown;
    rp_message message, two[2];
    rp_event event;
    char bytes[64], buffer[64];
    uint64_t ids[2] = {9, 9};
    REQUIRE(rp_structs_init(&options, sizeof options) == RP_OK);
    options.engine.backend = backend, options.bind = loopback(), options.allowed_count = 1;
    options.allowed = (const char* const[]){"127.0.0.0/8"};
    REQUIRE(rp_structs_open(&options, &handle) == RP_OK && rp_structs_define(handle, &known) == RP_OK);
    EXPECT_FAILURE(rp_structs_define(handle, &known), RP_EINVAL, "taken");
    EXPECT_FAILURE(rp_structs_define(handle, &same_id), RP_EINVAL, "id 7 is taken");
    EXPECT_FAILURE(rp_structs_define(handle, &same_name), RP_EINVAL, "name reading is taken");
    to = unknown = local_of(handle), unknown.family = 9;

    message = message_of("ab", &to), message.id = 7;
    two[0] = two[1] = message, two[1].flags = RP_SEND_JSON;
    EXPECT(rp_send_many(handle, two, 2, ids) == 1 && ids[0] == 0);
    EXPECT_FAILURE(rp_send(handle, &two[1], NULL), RP_EINVAL, "flags");
    message.bytes = NULL;
    EXPECT_FAILURE(rp_send(handle, &message, NULL), RP_EINVAL, "NULL");
    message.size = 0;
    EXPECT_FAILURE(rp_send(handle, &message, NULL), RP_EVALUE, "0 bytes");
    message = two[0], message.id = 70000;
    EXPECT_FAILURE(rp_send(handle, &message, NULL), RP_EUNKNOWN, "70000");
    message = two[0], message.peer = NULL;
    EXPECT_FAILURE(rp_send(handle, &message, NULL), RP_EPEER, "peer");
    message.peer = &unknown;
    EXPECT_FAILURE(rp_send(handle, &message, NULL), RP_EINVAL, "message->peer: not an address");
    EXPECT(receive(handle, NULL, RP_ANY, &event, buffer, sizeof buffer) == 1 && holds(&event, buffer, "ab"));

    /* A packet of another size than its format, and one that is damaged. */
    send_plain(&to, bytes, (size_t)rp_packet_write(7, "abc", 3, bytes, sizeof bytes));
    EXPECT(receive(handle, NULL, RP_ANY, &event, buffer, sizeof buffer) == 1);
    EXPECT(event.kind == RP_DAMAGE && event.code == RP_DAMAGE_WRONG_SIZE);
    EXPECT(rp_packet_write(7, "ab", 2, bytes, sizeof bytes) == 9);
    bytes[8] ^= 1;
    send_plain(&to, bytes, 9);
    EXPECT(receive(handle, NULL, RP_ANY, &event, buffer, sizeof buffer) == 1);
    EXPECT(event.kind == RP_DAMAGE && event.code == RP_DAMAGE_CHECKSUM && event.value == 1);
    EXPECT(rp_close(handle) == RP_OK);
}

static void values_of_structs(void) {
    static const char large[66000];
    rp_value values[5], out[5];
    rp_packet packet;
    char payload[32];
    memset(values, 0, sizeof values);
    values[0].kind = RP_INTEGER, values[0].as.integer = -3;
    values[1].kind = RP_BOOLEAN, values[1].as.boolean = 7;
    values[2].kind = RP_BYTES, values[2].as.bytes.at = "abcd", values[2].as.bytes.size = 4;
    EXPECT(rp_pack("<b?4s", values, 3, payload, sizeof payload) == 6);
    EXPECT(rp_unpack("<b?4s", payload, 6, out, 5) == 3);
    EXPECT(out[0].kind == RP_INTEGER && out[0].as.integer == -3);
    EXPECT(out[1].kind == RP_BOOLEAN && out[1].as.boolean == 1);
    EXPECT(out[2].kind == RP_BYTES && memcmp(out[2].as.bytes.at, "abcd", 4) == 0);
    values[1].as.boolean = 0;
    EXPECT(rp_pack("<b?4s", values, 3, payload, sizeof payload) == 6);
    EXPECT(rp_unpack("<b?4s", payload, 6, out, 5) == 3 && out[1].as.boolean == 0);

    EXPECT_FAILURE(rp_format_size(NULL), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_pack(NULL, values, 1, payload, 1), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_unpack(NULL, payload, 1, out, 1), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_pack("<b", NULL, 1, payload, 1), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_pack("<b", values, 1, NULL, 1), RP_EINVAL, "NULL");
    EXPECT(rp_pack("", NULL, 0, NULL, 0) == 0 && rp_unpack("", NULL, 0, NULL, 0) == 0);
    EXPECT_FAILURE(rp_unpack("<b", NULL, 1, out, 1), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_unpack("<b", payload, 1, NULL, 1), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_pack("<b", values, 2, payload, 1), RP_EVALUE, "more values");
    EXPECT_FAILURE(rp_pack("<H", values, 1, payload, 2), RP_EVALUE, "out of range");
    EXPECT_FAILURE(rp_pack("<b", values + 2, 1, payload, 1), RP_EVALUE, "another kind");
    values[2].as.bytes.at = NULL;
    EXPECT_FAILURE(rp_pack("<4s", values + 2, 1, payload, 4), RP_EINVAL, "values[0].as.bytes.at is NULL");
    values[2].as.bytes.size = 0;
    EXPECT(rp_pack("<4s", values + 2, 1, payload, 4) == 4);
    values[0].kind = 9;
    EXPECT_FAILURE(rp_pack("<b", values, 1, payload, 1), RP_EINVAL, "values[0].kind");

    EXPECT_FAILURE(rp_packet_write(1, NULL, 1, payload, 8), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_packet_write(1, NULL, 0, NULL, 8), RP_EINVAL, "NULL");
    EXPECT(rp_packet_write(1, NULL, 0, payload, 7) == 7);
    EXPECT_FAILURE(rp_packet_write(70000, "x", 1, payload, 8), RP_EINVAL, "id 70000");
    EXPECT_FAILURE(rp_packet_write(1, large, sizeof large, payload, 8), RP_ETOOLARGE, "size 66000");
    EXPECT_FAILURE(rp_packet_find(payload, 7, 0, NULL), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_packet_find(NULL, 1, 0, &packet), RP_EINVAL, "NULL");
    EXPECT(rp_packet_find(NULL, 0, 0, &packet) == 0 && packet.id == 0);
    EXPECT_FAILURE(rp_packet_find(payload, 7, 8, &packet), RP_EINVAL, "too large");
    EXPECT(rp_packet_find(payload, 7, 0, &packet) == 1 && packet.size == 0);
}

static void datagrams_of_beacons(void) {
    static const char not_utf8[] = "\x04\x8d\x01\x81\0\0\0\0\0\0\0\0\x7f\0\0\1\0\1\xff";
    rp_beacon_options options;
    rp_beacon_target target;
    rp_handle *listener = NULL, *sender = NULL;
    rp_address to;
    rp_event event;
    char buffer[64];
    REQUIRE(rp_beacon_init(&options, sizeof options) == RP_OK);
    options.engine.backend = backend, options.bind = loopback();
    REQUIRE(rp_beacon_open(&options, &listener) == RP_OK);
    to = local_of(listener);
    send_plain(&to, "x", 1);
    EXPECT(receive(listener, NULL, RP_ANY, &event, buffer, sizeof buffer) == 1);
    EXPECT(event.kind == RP_DAMAGE && event.code == RP_DAMAGE_TOO_SHORT);
    send_plain(&to, "a datagram that is no beacon", 28);
    EXPECT(receive(listener, NULL, RP_ANY, &event, buffer, sizeof buffer) == 1);
    EXPECT(event.kind == RP_DAMAGE && event.code == RP_DAMAGE_CHECKSUM);
    send_plain(&to, not_utf8, sizeof not_utf8 - 1);
    EXPECT(receive(listener, NULL, RP_ANY, &event, buffer, sizeof buffer) == 1);
    EXPECT(event.kind == RP_DAMAGE && event.code == RP_DAMAGE_NOT_UTF8);
    options.bind.port = 0, options.targets = &target, options.targets_count = 1, options.rounds = 2;
    memset(&target, 0, sizeof target);
    target.address = to;
    REQUIRE(rp_beacon_open(&options, &sender) == RP_OK);
    send_plain(&to, "x", 1); /* dropped by a call that asks for messages alone */
    EXPECT(rp_poll(sender) == 0);
    EXPECT(receive(listener, sender, RP_MESSAGE, &event, buffer, sizeof buffer) == 1 && event.kind == RP_MESSAGE);
    EXPECT(rp_finished(sender) == 0); /* one more, after the period */
    EXPECT(rp_close(sender) == RP_OK);
    EXPECT(rp_close(listener) == RP_OK);
}

/* ---- outcomes ------------------------------------------------------------------------------------------------- */

/* A send that waits keeps the outcomes of others, as many as there may be sends. */
static void outcomes_of_others(void) {
    rp_gtudp_options options = gtudp_options(0);
    rp_handle *alice = NULL, *bob = open_gtudp(1);
    const rp_address to = local_of(bob);
    const rp_message message = message_of("x", &to);
    rp_event event;
    uint64_t ids[2] = {0, 0};
    int i;
    options.sends_max = 2;
    REQUIRE(rp_gtudp_open(&options, &alice) == RP_OK);
    EXPECT(rp_cancel(alice, 12345) == 0);
    for (i = 0; i < 2; ++i) {
        EXPECT(rp_send(alice, &message, &ids[i]) == RP_OK);
        EXPECT(rp_send_and_wait(alice, &message, LONG, &event, NULL, 0) == RP_OK && event.code == RP_CONFIRMED);
    }
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_EFULL, "in flight");
    for (i = 0; i < 2; ++i) {
        EXPECT(rp_receive_many(alice, RP_OUTCOME, &event, 1, NULL, 0, 0) == 1);
        EXPECT(event.id == ids[i] && event.code == RP_CONFIRMED);
    }
    EXPECT(rp_close(alice) == RP_OK);
    options.report_outcomes = 0;
    REQUIRE(rp_gtudp_open(&options, &alice) == RP_OK);
    EXPECT(rp_send(alice, &message, NULL) == RP_OK);
    EXPECT(rp_send_and_wait(alice, &message, LONG, &event, NULL, 0) == RP_OK && event.code == RP_CONFIRMED);
    EXPECT(rp_receive_many(alice, RP_OUTCOME, &event, 1, NULL, 0, 0) == 0);
    EXPECT(rp_close(alice) == RP_OK && rp_close(bob) == RP_OK);
}

/* A thread that has no room for a send, and messages that do not fit their reader's buffer. */
static void events_of_a_thread(void) {
    rp_gtudp_options options = gtudp_options(1);
    rp_handle *alice = NULL, *silent = open_gtudp(0);
    const rp_address to = local_of(silent);
    const rp_message message = message_of("x", &to);
    rp_address own;
    rp_event event;
    char buffer[64];
    options.sends_max = 1, options.receive_foreign = 1;
    REQUIRE(rp_gtudp_open(&options, &alice) == RP_OK);
    EXPECT(rp_receive_many(alice, RP_ANY, &event, 1, buffer, sizeof buffer, SECOND / 1000) == 0 && rp_poll(alice) == 0);
    EXPECT(rp_send(alice, &message, NULL) == RP_OK && rp_send(alice, &message, NULL) == RP_OK);
    EXPECT(rp_receive_many(alice, RP_OUTCOME, &event, 1, NULL, 0, LONG) == 1);
    EXPECT(event.code == RP_NOT_TAKEN && event.value == RP_EFULL);
    own = local_of(alice);
    send_plain(&own, "foreign", 7);
    send_plain(&own, "another", 7);
    EXPECT(rp_receive_many(alice, RP_MESSAGE, &event, 1, buffer, 6, LONG) == RP_ESMALL && event.size == 7);
    EXPECT(rp_receive_many(alice, RP_FOREIGN, &event, 1, buffer, 6, LONG) == RP_ESMALL);
    EXPECT(rp_receive_many(alice, RP_ANY, &event, 1, buffer, 6, LONG) == RP_ESMALL && rp_poll(alice) == 1);
    EXPECT(rp_receive_many(alice, RP_ANY, &event, 1, buffer, sizeof buffer, LONG) == 1);
    EXPECT(event.kind == RP_FOREIGN && holds(&event, buffer, "foreign"));
    EXPECT(rp_receive_many(alice, RP_ANY, &event, 1, buffer, sizeof buffer, LONG) == 1);
    EXPECT(holds(&event, buffer, "another"));
    EXPECT(rp_close(alice) == RP_OK && rp_close(silent) == RP_OK);
}

void refused_messages(void) {
    outcomes_of_others();
    events_of_a_thread();
    messages_of_gtudp(0);
    messages_of_gtudp(1);
    full_tables_of_gtudp();
    messages_of_confirmed();
    messages_of_structs();
    values_of_structs();
    datagrams_of_beacons();
}
