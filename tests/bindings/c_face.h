#ifndef TESTS_BINDINGS_C_FACE_H
#define TESTS_BINDINGS_C_FACE_H

/* Shared by the tests of the C interface. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ringpost/ringpost.h>

#define SECOND INT64_C(1000000000)
#define LONG (30 * SECOND)

extern int failures;
extern int backend;

void failed(const char* file, int line, const char* what);
#define EXPECT(condition) ((condition) ? (void)0 : failed(__FILE__, __LINE__, #condition))
#define REQUIRE(condition)                          \
    do {                                            \
        if (!(condition)) {                         \
            failed(__FILE__, __LINE__, #condition); \
            exit(1);                                \
        }                                           \
    } while (0)
/* The code, and a part of the text. */
#define EXPECT_FAILURE(call, code, part)                 \
    do {                                                 \
        EXPECT((call) == (code));                        \
        EXPECT(strstr(rp_last_error(), (part)) != NULL); \
    } while (0)

rp_address loopback(void);
rp_address local_of(rp_handle* handle);
rp_message message_of(const char* text, const rp_address* peer);
rp_gtudp_options gtudp_options(int threaded);
rp_handle* open_gtudp(int threaded);
int32_t receive(rp_handle* receiver, rp_handle* other, int32_t what, rp_event* event, char* buffer, size_t capacity);
int holds(const rp_event* event, const char* buffer, const char* text);
void send_plain(const rp_address* to, const void* bytes, size_t size);
rp_handle* open_device(const char* name, int listens);
/* Takes events until one is of this kind and code. */
void await_event(rp_handle* handle, int32_t kind, int32_t code, rp_event* event, char* buffer, size_t capacity);

/* The parts in c_protocols.c. */
void gtudp_of(int threaded);
void descriptor(int threaded);
void gtudp_options_and_refusals(void);
void foreign_and_trace(void);
void confirmed(void);
void structs(void);
void beacons(void);
void devices(void);

/* Those in c_refusals.c and c_messages.c. */
void refusals(void);
void refused_messages(void);

/* That in c_devices.c. */
void events_of_devices(void);

/* That in c_connections.c. */
void connections(void);

#endif
