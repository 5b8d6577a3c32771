/* The C interface: each protocol, and the refusals of each. */

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "c_face.h"

/* ---- gtUDP ---------------------------------------------------------------------------------------------------- */

void gtudp_of(int threaded) {
    rp_handle *alice = open_gtudp(threaded), *bob = open_gtudp(threaded);
    const rp_address to = local_of(bob);
    char buffer[1024], packed[64 * 16];
    const uint32_t sizes[3] = {1, 2, 3};
    rp_event event, events[64];
    uint64_t id = 0, ids[16];
    rp_message messages[3];
    rp_counter counters[128];
    int32_t count, i, received = 0;

    messages[0] = message_of("one", &to);
    EXPECT(rp_send(alice, &messages[0], &id) == RP_OK);
    EXPECT(receive(bob, alice, RP_ANY, &event, buffer, sizeof buffer) == 1);
    EXPECT(event.kind == RP_MESSAGE && holds(&event, buffer, "one") && event.peer.port == local_of(alice).port);
    EXPECT(receive(alice, bob, RP_ANY, &event, buffer, sizeof buffer) == 1);
    EXPECT(event.kind == RP_OUTCOME && event.code == RP_CONFIRMED && event.id == id && event.value >= 1);
    EXPECT(rp_in_flight(alice) == 0);

    /* Batches in both directions: separate buffers, different sizes and one size in one buffer. */
    messages[0] = message_of("a", &to), messages[1] = message_of("", &to), messages[2] = message_of("ccc", &to);
    EXPECT(rp_send_many(alice, messages, 3, ids) == 3);
    EXPECT(rp_send_packed(alice, &to,
                          "1"
                          "22"
                          "333",
                          sizes, 0, 3, 0, NULL) == 3);
    memset(packed, 'x', sizeof packed);
    EXPECT(rp_send_packed(alice, &to, packed, NULL, 64, 16, 10 * SECOND, ids) == 16);
    for (i = 0; received < 22 && i < 100000; ++i) {
        count = rp_receive_many(bob, RP_MESSAGE, events, 64, buffer, sizeof buffer, SECOND / 1000);
        REQUIRE(count >= 0 || count == RP_ESMALL);
        if (count > 0) received += count;
        EXPECT(rp_poll(alice) >= 0);
    }
    EXPECT(received == 22);
    for (i = 0, received = 0; received < 22 && i < 100000; ++i) {
        count = rp_receive_many(alice, RP_OUTCOME, events, 64, NULL, 0, SECOND / 1000);
        REQUIRE(count >= 0);
        received += count;
        EXPECT(rp_poll(bob) >= 0);
    }
    EXPECT(received == 22);

    /* Too small: the size is returned, the message is not lost, and what needs no room is. */
    messages[0] = message_of("0123456789", &to);
    EXPECT(rp_send(alice, &messages[0], &id) == RP_OK);
    EXPECT(receive(bob, alice, RP_ANY, &event, buffer, 9) == RP_ESMALL);
    EXPECT(event.size == 10 && strstr(rp_last_error(), "too small") != NULL);
    EXPECT(rp_receive_many(bob, RP_ANY, &event, 1, NULL, 0, 0) == RP_ESMALL);
    EXPECT(rp_receive_many(bob, RP_ANY, &event, 1, buffer, 10, 0) == 1 && holds(&event, buffer, "0123456789"));
    EXPECT(receive(alice, bob, RP_OUTCOME, &event, buffer, sizeof buffer) == 1 && event.id == id);

    /* Nobody confirms: the timeout ends it. */
    {
        rp_handle* silent = open_gtudp(0);
        const rp_address there = local_of(silent);
        messages[0] = message_of("?", &there);
        EXPECT(rp_send_and_wait(alice, &messages[0], SECOND / 100, &event, NULL, 0) == RP_OK);
        EXPECT(event.kind == RP_OUTCOME && event.code == RP_TIMED_OUT);
        EXPECT(rp_send(alice, &messages[0], &id) == RP_OK && rp_cancel(alice, id) == 1);
        do REQUIRE(receive(alice, bob, RP_OUTCOME, &event, buffer, sizeof buffer) == 1);
        while (event.id != id);
        EXPECT(event.code == RP_CANCELLED);
        EXPECT(rp_close(silent) == RP_OK);
    }

    count = rp_counters(alice, counters, 128);
    EXPECT(count > 40 && count < 128);
    for (i = 0; i < count && strcmp(counters[i].name, "confirmed") != 0; ++i) continue;
    EXPECT(i < count && counters[i].value == 24);
    EXPECT(strcmp(rp_backend(alice), "uring") == 0 || strcmp(rp_backend(alice), "mmsg") == 0);
    EXPECT(rp_note(alice) != NULL);
    EXPECT(rp_close(alice) == RP_OK && rp_close(bob) == RP_OK);
}

/* The descriptor is all that a loop needs, timers included: nothing is called before it is readable. */
void descriptor(int threaded) {
    rp_handle *alice = open_gtudp(threaded), *bob = open_gtudp(threaded);
    const rp_address to = local_of(bob);
    const rp_message message = message_of("by descriptor", &to);
    struct pollfd fds[2];
    rp_event event;
    char buffer[64];
    int delivered = 0, confirmed = 0, turns = 0;
    fds[0].fd = rp_fd(alice), fds[1].fd = rp_fd(bob);
    REQUIRE(fds[0].fd >= 0 && fds[1].fd >= 0 && rp_fd(alice) == fds[0].fd);
    fds[0].events = fds[1].events = POLLIN;
    EXPECT(rp_send(alice, &message, NULL) == RP_OK);
    while ((!delivered || !confirmed) && ++turns < 100000) {
        REQUIRE(poll(fds, 2, 30000) > 0);
        if (fds[0].revents & POLLIN && rp_receive_many(alice, RP_ANY, &event, 1, buffer, sizeof buffer, 0) == 1)
            confirmed += event.kind == RP_OUTCOME && event.code == RP_CONFIRMED;
        if (fds[1].revents & POLLIN && rp_receive_many(bob, RP_ANY, &event, 1, buffer, sizeof buffer, 0) == 1)
            delivered += event.kind == RP_MESSAGE && holds(&event, buffer, "by descriptor");
    }
    EXPECT(delivered == 1 && confirmed == 1);
    EXPECT(rp_close(alice) == RP_OK && rp_close(bob) == RP_OK);
}

void gtudp_options_and_refusals(void) {
    rp_handle *alice = open_gtudp(0), *handle = NULL;
    const rp_address to = local_of(alice);
    rp_address none;
    rp_gtudp_options options;
    rp_message message = message_of("x", &to);
    rp_event event;
    char large[66000], buffer[64];
    memset(&none, 0, sizeof none);
    memset(large, 'x', sizeof large);

    message.peer = &none;
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_EPEER, "peer");
    message.peer = NULL;
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_EPEER, "peer");
    message.peer = &to, message.bytes = large, message.size = sizeof large;
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_ETOOLARGE, "larger");
    message = message_of("x", &to), message.timeout_ns = -1;
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_EINVAL, "negative");
    message = message_of("x", &to), message.flags = RP_SEND_JSON;
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_EINVAL, "flags");
    message = message_of("x", &to), message.bytes = NULL;
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_send(alice, NULL, NULL), RP_EINVAL, "NULL");
    EXPECT_FAILURE(rp_receive_many(alice, RP_ANY, NULL, 0, NULL, 0, 0), RP_EINVAL, "events");
    EXPECT_FAILURE(rp_receive_many(alice, 0, &event, 1, buffer, sizeof buffer, 0), RP_EINVAL, "what");
    EXPECT_FAILURE(rp_receive_many(alice, RP_ANY, &event, 1, buffer, sizeof buffer, -1), RP_EINVAL, "negative");

    options = gtudp_options(0), options.sends_max = 1000;
    EXPECT_FAILURE(rp_gtudp_open(&options, &handle), RP_EINVAL, "sends_max");
    options = gtudp_options(0), options.peers_max = 0;
    EXPECT_FAILURE(rp_gtudp_open(&options, &handle), RP_EINVAL, "peers_max");
    options = gtudp_options(0), options.engine.backend = 9;
    EXPECT_FAILURE(rp_gtudp_open(&options, &handle), RP_EINVAL, "backend");
    options = gtudp_options(0), options.bind = to;
    EXPECT_FAILURE(rp_gtudp_open(&options, &handle), RP_ESYSTEM, "bind 127.0.0.1");
    EXPECT(rp_last_errno() == EADDRINUSE);
    options = gtudp_options(0), options.types[0] = "", options.types[1] = options.types[2] = "", options.type_size = 1;
    EXPECT_FAILURE(rp_gtudp_open(&options, &handle), RP_EINVAL, "types are equal");
    options = gtudp_options(0), options.socket = STDOUT_FILENO;
    EXPECT(rp_gtudp_open(&options, &handle) < 0 && handle == NULL);
    EXPECT_FAILURE(rp_gtudp_open(NULL, NULL), RP_EINVAL, "handle is NULL");
    EXPECT(rp_close(alice) == RP_OK);
}

void send_plain(const rp_address* to, const void* bytes, size_t size) {
    const int plain = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(to->port);
    memcpy(&address.sin_addr, to->ip + 12, 4);
    REQUIRE(sendto(plain, bytes, size, 0, (struct sockaddr*)&address, sizeof address) == (ssize_t)size);
    close(plain);
}

/* A socket of the caller's, datagrams that are not gtUDP in both directions, and a record of all. */
void foreign_and_trace(void) {
    rp_gtudp_options options = gtudp_options(0);
    const int plain = socket(AF_INET, SOCK_DGRAM, 0), own = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    rp_handle* handle = NULL;
    rp_address from, there;
    rp_message message;
    rp_event event;
    char buffer[64];
    int packets = 0;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(own, (struct sockaddr*)&address, sizeof address) == 0);
    REQUIRE(bind(plain, (struct sockaddr*)&address, sizeof address) == 0);
    REQUIRE(getsockname(own, (struct sockaddr*)&address, &length) == 0);
    options.socket = own, options.receive_foreign = 1, options.trace = 1;
    REQUIRE(rp_gtudp_open(&options, &handle) == RP_OK);
    from = local_of(handle);
    EXPECT(from.port == ntohs(address.sin_port));
    REQUIRE(sendto(plain, "hello", 5, 0, (struct sockaddr*)&address, sizeof address) == 5);
    EXPECT(receive(handle, NULL, RP_MESSAGE, &event, buffer, sizeof buffer) == 1); /* asks for both */
    EXPECT(event.kind == RP_FOREIGN && holds(&event, buffer, "hello"));
    there = event.peer;
    message = message_of("raw", &there), message.flags = RP_SEND_RAW;
    EXPECT(rp_send(handle, &message, NULL) == RP_OK && rp_poll(handle) >= 0);
    EXPECT(recv(plain, buffer, sizeof buffer, 0) == 3 && memcmp(buffer, "raw", 3) == 0);
    while (rp_receive_many(handle, RP_PACKET, &event, 1, buffer, sizeof buffer, 0) == 1) {
        EXPECT(event.code == packets && holds(&event, buffer, packets == 0 ? "hello" : "raw"));
        ++packets;
    }
    EXPECT(packets == 2);
    EXPECT(rp_close(handle) == RP_OK && close(own) == 0 && close(plain) == 0);
}

/* ---- confirmed messages --------------------------------------------------------------------------------------- */

static rp_handle* open_confirmed(const rp_address* target, int reply) {
    rp_confirmed_options options;
    rp_handle* handle = NULL;
    REQUIRE(rp_confirmed_init(&options, sizeof options) == RP_OK);
    options.engine.backend = backend;
    options.bind = loopback();
    if (target != NULL) options.target = *target;
    options.reply = reply;
    REQUIRE(rp_confirmed_open(&options, &handle) == RP_OK);
    return handle;
}

void confirmed(void) {
    rp_handle* bob = open_confirmed(NULL, RP_CONFIRM_TO_SOURCE);
    const rp_address to = local_of(bob);
    rp_handle* alice = open_confirmed(&to, RP_CONFIRM_TO_SOURCE);
    rp_message message = message_of("hello", NULL);
    rp_address target;
    rp_event event;
    char buffer[256];
    uint64_t id = 0;
    EXPECT(rp_send(alice, &message, &id) == RP_OK && rp_in_flight(alice) == 1);
    EXPECT(receive(bob, alice, RP_ANY, &event, buffer, sizeof buffer) == 1);
    EXPECT(event.kind == RP_MESSAGE && event.flags == 0 && holds(&event, buffer, "hello"));
    EXPECT(receive(alice, bob, RP_ANY, &event, buffer, sizeof buffer) == 1);
    EXPECT(event.kind == RP_OUTCOME && event.code == RP_CONFIRMED && event.id == id &&
           holds(&event, buffer, "confirmed"));

    message = message_of("{\"a\": [1, 2]}", NULL), message.flags = RP_SEND_JSON;
    EXPECT(rp_send(alice, &message, &id) == RP_OK);
    EXPECT(receive(bob, alice, RP_MESSAGE, &event, buffer, sizeof buffer) == 1);
    EXPECT(event.flags == RP_EVENT_JSON && holds(&event, buffer, "{\"a\":[1,2]}"));
    EXPECT(receive(alice, bob, RP_OUTCOME, &event, buffer, sizeof buffer) == 1);

    message = message_of("{", NULL), message.flags = RP_SEND_JSON;
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_ETEXT, "not JSON");
    message = message_of("\xff", NULL);
    EXPECT_FAILURE(rp_send(alice, &message, NULL), RP_ETEXT, "UTF-8");
    message = message_of("x", NULL);
    EXPECT_FAILURE(rp_send(bob, &message, NULL), RP_EPEER, "no target");
    EXPECT(rp_target(bob, &target) == RP_OK && target.family == RP_FAMILY_NONE);
    EXPECT(rp_target(alice, &target) == RP_OK && target.port == to.port);

    message = message_of("initialize", NULL);
    EXPECT(rp_send(alice, &message, NULL) == RP_OK);
    EXPECT(receive(bob, alice, RP_ANY, &event, buffer, sizeof buffer) == 1);
    EXPECT(event.kind == RP_CHANGE && event.code == RP_TARGET);
    EXPECT(receive(alice, bob, RP_OUTCOME, &event, buffer, sizeof buffer) == 1);
    EXPECT(holds(&event, buffer, "initialization complete"));

    message = message_of("too late", NULL);
    EXPECT(rp_send_and_wait(alice, &message, SECOND / 100, &event, buffer, sizeof buffer) == RP_OK);
    EXPECT(event.code == RP_TIMED_OUT);
    EXPECT(rp_close(alice) == RP_OK && rp_close(bob) == RP_OK);
}

/* ---- struct messages and beacons ------------------------------------------------------------------------------ */

void structs(void) {
    static const rp_struct_definition definitions[] = {{7, 0, "reading", "<Hf"}};
    rp_structs_options options;
    rp_handle* handle = NULL;
    rp_address to;
    rp_value values[3];
    rp_packet packet;
    rp_message message;
    rp_event event;
    char payload[16], buffer[64], bytes[64];
    int32_t size;
    REQUIRE(rp_structs_init(&options, sizeof options) == RP_OK);
    options.engine.backend = backend;
    options.bind = loopback(), options.definitions = definitions, options.definitions_count = 1;
    REQUIRE(rp_structs_open(&options, &handle) == RP_OK);
    to = local_of(handle);

    EXPECT(rp_format_size("<Hf") == 6);
    EXPECT_FAILURE(rp_format_size("w"), RP_EINVAL, "at 0");
    memset(values, 0, sizeof values);
    values[0].kind = RP_UNSIGNED, values[0].as.unsigned_integer = 500;
    values[1].kind = RP_REAL, values[1].as.real = 1.5;
    EXPECT_FAILURE(rp_pack("<Hf", values, 2, payload, 5), RP_ESMALL, "6 bytes");
    EXPECT_FAILURE(rp_pack("<Hf", values, 1, payload, sizeof payload), RP_EVALUE, "value 1: missing");
    EXPECT(rp_pack("<Hf", values, 2, payload, sizeof payload) == 6);

    message = message_of("", &to), message.bytes = payload, message.size = 6, message.id = 7;
    EXPECT(rp_send(handle, &message, NULL) == RP_OK);
    EXPECT(receive(handle, NULL, RP_ANY, &event, buffer, sizeof buffer) == 1);
    EXPECT(event.kind == RP_MESSAGE && event.id == 7 && event.name_size == 7);
    EXPECT(memcmp(buffer + event.name_offset, "reading", 7) == 0);
    memset(values, 0, sizeof values);
    EXPECT(rp_unpack("<Hf", buffer + event.offset, event.size, values, 3) == 2);
    EXPECT(values[0].kind == RP_UNSIGNED && values[0].as.unsigned_integer == 500 && values[1].as.real == 1.5);
    EXPECT_FAILURE(rp_unpack("<Hf", buffer, 6, values, 1), RP_ESMALL, "2 values");
    EXPECT_FAILURE(rp_unpack("<Hf", buffer, 5, values, 3), RP_EVALUE, "5 bytes");
    size = rp_packet_write(9, payload, 6, bytes, sizeof bytes);
    send_plain(&to, bytes, (size_t)size);
    EXPECT(receive(handle, NULL, RP_ANY, &event, buffer, sizeof buffer) == 1);
    EXPECT(event.kind == RP_DAMAGE && event.code == RP_DAMAGE_UNKNOWN_ID && event.id == 9);
    send_plain(&to, bytes, (size_t)size); /* a call that asks for messages alone drops it */
    EXPECT(rp_send(handle, &message, NULL) == RP_OK);
    EXPECT(receive(handle, NULL, RP_MESSAGE, &event, buffer, sizeof buffer) == 1 && event.id == 7);
    EXPECT(rp_receive_many(handle, RP_DAMAGE, &event, 1, buffer, sizeof buffer, 0) == 0);
    message.id = 8;
    EXPECT_FAILURE(rp_send(handle, &message, NULL), RP_EUNKNOWN, "8");
    message.id = 7, message.size = 5;
    EXPECT_FAILURE(rp_send(handle, &message, NULL), RP_EVALUE, "size");
    EXPECT_FAILURE(rp_structs_define(handle, &definitions[0]), RP_EINVAL, "taken");

    bytes[0] = bytes[1] = (char)0xff, bytes[2] = 0;
    size = rp_packet_write(7, payload, 6, bytes + 3, sizeof bytes - 3);
    EXPECT(size == 13 && rp_packet_write(7, payload, 6, bytes, 12) == RP_ESMALL);
    EXPECT(rp_packet_find(bytes, 16, 0, &packet) == 1 && packet.id == 7 && packet.size == 6 && packet.end == 16);
    bytes[9] ^= 1;
    EXPECT(rp_packet_find(bytes, 16, 3, &packet) == 0 && packet.id == RP_DAMAGE_CHECKSUM);
    EXPECT(rp_close(handle) == RP_OK);
}

void beacons(void) {
    rp_beacon_options options;
    rp_beacon_target target;
    rp_handle *listener = NULL, *sender = NULL;
    rp_event event;
    char buffer[256];
    REQUIRE(rp_beacon_init(&options, sizeof options) == RP_OK);
    options.engine.backend = backend;
    options.bind = loopback();
    REQUIRE(rp_beacon_open(&options, &listener) == RP_OK);
    memset(&target, 0, sizeof target);
    target.address = local_of(listener);
    target.advertised_ipv4[0] = 127, target.advertised_ipv4[3] = 9;
    options.targets = &target, options.targets_count = 1, options.advertised_port = 99, options.quote = "still here";
    options.rounds = 1;
    REQUIRE(rp_beacon_open(&options, &sender) == RP_OK);
    EXPECT(receive(listener, sender, RP_ANY, &event, buffer, sizeof buffer) == 1);
    EXPECT(event.kind == RP_MESSAGE && holds(&event, buffer, "still here") && event.id == 1 && event.value >= 0);
    EXPECT(event.advertised.ip[15] == 9 && event.advertised.port == 99);
    EXPECT(rp_finished(sender) == 1 && rp_finished(listener) == 1);
    options.period_ns = 0;
    EXPECT_FAILURE(rp_beacon_open(&options, &sender), RP_EINVAL, "period");
    options.period_ns = SECOND, options.targets_count = 1000;
    EXPECT_FAILURE(rp_beacon_open(&options, &sender), RP_EINVAL, "targets_count");
    EXPECT(rp_close(listener) == RP_OK);
}

/* ---- named devices -------------------------------------------------------------------------------------------- */

rp_handle* open_device(const char* name, int listens) {
    static const char* const interfaces[] = {"lo"};
    rp_devices_options options;
    rp_handle* handle = NULL;
    REQUIRE(rp_devices_init(&options, sizeof options) == RP_OK);
    options.engine.backend = backend;
    options.name = name, options.interfaces = interfaces, options.interfaces_count = 1, options.listen = listens;
    REQUIRE(rp_devices_open(&options, &handle) == RP_OK);
    return handle;
}

void await_event(rp_handle* handle, int32_t kind, int32_t code, rp_event* event, char* buffer, size_t capacity) {
    do REQUIRE(rp_receive_many(handle, RP_ANY, event, 1, buffer, capacity, LONG) == 1);
    while (event->kind != kind || event->code != code);
}

static void* answer_one(void* sensor) {
    rp_event event;
    char buffer[256];
    REQUIRE(rp_receive_many((rp_handle*)sensor, RP_QUESTION, &event, 1, buffer, sizeof buffer, LONG) == 1);
    EXPECT(holds(&event, buffer, "temperature"));
    EXPECT(rp_answer((rp_handle*)sensor, event.id, "21", 2) == RP_OK);
    EXPECT_FAILURE(rp_answer((rp_handle*)sensor, event.id, "22", 2), RP_EUNKNOWN, "answered");
    return NULL;
}

void devices(void) {
    static const char* const names[] = {"sensor", "nobody"};
    rp_handle *sensor = open_device("sensor", 1), *panel = open_device("panel", 0);
    rp_message message = message_of("lights off", NULL);
    rp_answer_text answers[2];
    rp_peer peers[4];
    rp_event event;
    char buffer[256];
    uint64_t ask = 0;
    size_t needed = 0;
    uint32_t count = 0;
    pthread_t thread;
    await_event(panel, RP_CHANGE, RP_CONNECTED, &event, buffer, sizeof buffer);
    EXPECT(event.name_size == 6 && memcmp(buffer + event.name_offset, "sensor", 6) == 0);
    message.name = "sensor";
    EXPECT(rp_send(panel, &message, NULL) == RP_OK);
    await_event(sensor, RP_MESSAGE, 0, &event, buffer, sizeof buffer);
    EXPECT(holds(&event, buffer, "lights off"));
    message.name = "nobody";
    EXPECT_FAILURE(rp_send(panel, &message, NULL), RP_EPEER, "no connection");
    message = message_of("a:,:b", NULL), message.name = "sensor";
    EXPECT_FAILURE(rp_send(panel, &message, NULL), RP_ETEXT, ":,:");

    REQUIRE(pthread_create(&thread, NULL, answer_one, sensor) == 0);
    EXPECT(rp_ask(panel, names, 2, "temperature", 11, LONG, &ask) == 2);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT_FAILURE(rp_answers(panel, ask, answers, 2, buffer, 1, &needed), RP_ESMALL, "2 answers");
    EXPECT(needed == 14 && rp_answers(panel, ask, answers, 2, buffer, sizeof buffer, NULL) == 2);
    EXPECT(answers[0].reply == RP_ANSWERED && answers[0].size == 2 && memcmp(buffer + answers[0].offset, "21", 2) == 0);
    EXPECT(answers[1].reply == RP_NOT_CONNECTED && answers[1].size == 0);
    EXPECT_FAILURE(rp_answers(panel, ask, answers, 2, buffer, sizeof buffer, NULL), RP_EUNKNOWN, "no answers");

    EXPECT_FAILURE(rp_peers(panel, peers, 0, NULL, 0, &count, &needed), RP_ESMALL, "1 devices");
    EXPECT(count == 1 && needed == 6 && rp_peers(panel, peers, 4, buffer, sizeof buffer, NULL, NULL) == 1);
    EXPECT(peers[0].connected == 1 && peers[0].suspect == 0);
    EXPECT(rp_stop(sensor) == RP_OK && rp_close(sensor) == RP_OK);
    await_event(panel, RP_CHANGE, RP_DISCONNECTED, &event, buffer, sizeof buffer);
    EXPECT(rp_close(panel) == RP_OK);
}
