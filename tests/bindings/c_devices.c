/* The C interface: named devices whose events and questions are taken in several ways. */

#include <pthread.h>

#include "c_face.h"

/* Asks all; the answers have a number, and room of their own. */
static void* ask_all(void* panel) {
    rp_answer_text answers[2];
    char buffer[64];
    uint64_t ask = 0;
    EXPECT(rp_ask((rp_handle*)panel, NULL, 0, "how warm?", 9, LONG, &ask) == 1);
    EXPECT_FAILURE(rp_answers((rp_handle*)panel, ask, answers, 0, buffer, sizeof buffer, NULL), RP_ESMALL, "1 answers");
    EXPECT(rp_answers((rp_handle*)panel, ask, answers, 2, buffer, sizeof buffer, NULL) == 1);
    EXPECT(answers[0].reply == RP_ANSWERED && memcmp(buffer + answers[0].offset, "21", 2) == 0);
    return NULL;
}

static void questions(rp_handle* sensor, rp_handle* panel) {
    static const char* const names[] = {"sensor"};
    static const char* const nobody[] = {"nobody"};
    rp_answer_text answer;
    rp_event event;
    char buffer[64];
    uint64_t ask = 0, first = 0;
    pthread_t thread;
    int i;
    REQUIRE(pthread_create(&thread, NULL, ask_all, panel) == 0);
    EXPECT(rp_receive_many(sensor, RP_QUESTION, &event, 1, buffer, 8, LONG) == RP_ESMALL && event.size == 9);
    EXPECT(rp_receive_many(sensor, RP_QUESTION, &event, 1, buffer, 8, LONG) == RP_ESMALL); /* it is kept */
    EXPECT(rp_receive_many(sensor, RP_QUESTION, &event, 1, buffer, sizeof buffer, LONG) == 1);
    EXPECT(holds(&event, buffer, "how warm?") && rp_answer(sensor, event.id, "21", 2) == RP_OK);
    EXPECT(pthread_join(thread, NULL) == 0);

    EXPECT(rp_ask(panel, names, 1, "and now?", 8, SECOND / 100, &ask) == 1); /* nobody answers */
    EXPECT(rp_answers(panel, ask, &answer, 1, buffer, sizeof buffer, NULL) == 1 && answer.reply == RP_UNANSWERED);
    EXPECT(rp_receive_many(sensor, RP_QUESTION, &event, 1, buffer, sizeof buffer, LONG) == 1);
    EXPECT(rp_drop(sensor, event.id) == RP_OK);
    EXPECT_FAILURE(rp_answer(sensor, event.id, "21", 2), RP_EUNKNOWN, "dropped");
    EXPECT_FAILURE(rp_ask(panel, names, 1, "a:,:b", 5, LONG, &ask), RP_ETEXT, ":,:");
    for (i = 0; i < 65; ++i) EXPECT(rp_ask(panel, nobody, 1, "?", 1, LONG, i == 0 ? &first : &ask) == 1);
    EXPECT_FAILURE(rp_answers(panel, first, &answer, 1, buffer, sizeof buffer, NULL), RP_EUNKNOWN, "no answers");
    EXPECT(rp_answers(panel, ask, &answer, 1, buffer, sizeof buffer, NULL) == 1);
    EXPECT(answer.reply == RP_NOT_CONNECTED);
}

void events_of_devices(void) {
    static const char large[70000];
    rp_handle *sensor = open_device("sensor", 1), *panel = open_device("panel", 0);
    rp_message messages[2];
    rp_peer peers[2];
    rp_address address;
    rp_event event;
    char buffer[64];
    uint64_t ids[2] = {9, 9};
    await_event(panel, RP_CHANGE, RP_CONNECTED, &event, buffer, sizeof buffer);
    EXPECT(rp_receive_many(panel, RP_MESSAGE | RP_QUESTION, &event, 1, buffer, sizeof buffer, SECOND / 1000) == 0);
    EXPECT(rp_poll(panel) >= 0);
    EXPECT_FAILURE(rp_local(panel, &address), RP_EHANDLE, "no one address");
    EXPECT_FAILURE(rp_peers(panel, peers, 0, buffer, sizeof buffer, NULL, NULL), RP_ESMALL, "1 devices");
    questions(sensor, panel);

    messages[0] = message_of("to all", NULL), messages[1] = message_of("a:,:b", NULL);
    EXPECT(rp_send_many(panel, messages, 2, ids) == 1 && ids[0] == 0);
    EXPECT_FAILURE(rp_send(panel, &messages[1], NULL), RP_ETEXT, ":,:");
    messages[1] = message_of("x", NULL), messages[1].flags = RP_SEND_JSON;
    EXPECT_FAILURE(rp_send(panel, &messages[1], NULL), RP_EINVAL, "flags");
    messages[1] = message_of("x", NULL), messages[1].bytes = NULL;
    EXPECT_FAILURE(rp_send(panel, &messages[1], NULL), RP_EINVAL, "NULL");
    messages[1] = message_of("x", NULL), messages[1].name = "sensor";
    messages[1].bytes = large, messages[1].size = sizeof large;
    memset(buffer, 0, sizeof buffer);
    EXPECT(rp_send(panel, &messages[1], NULL) < 0);
    messages[1].bytes = NULL, messages[1].size = 0;
    EXPECT(rp_send(panel, &messages[1], NULL) == RP_OK);
    EXPECT(rp_close(panel) == RP_OK);

    /* A call that asks for changes keeps the messages that were before them. */
    do REQUIRE(rp_receive_many(sensor, RP_CHANGE, &event, 1, buffer, sizeof buffer, LONG) == 1);
    while (event.code != RP_DISCONNECTED);
    EXPECT(rp_poll(sensor) == 1);
    EXPECT(rp_receive_many(sensor, RP_MESSAGE, &event, 1, NULL, 0, LONG) == RP_ESMALL);
    EXPECT(rp_receive_many(sensor, RP_ANY, &event, 1, buffer, sizeof buffer, LONG) == 1);
    EXPECT(event.kind == RP_MESSAGE && holds(&event, buffer, "to all"));
    EXPECT(rp_receive_many(sensor, RP_QUESTION, &event, 1, buffer, sizeof buffer, 0) == 0);
    EXPECT(rp_receive_many(sensor, RP_MESSAGE, &event, 1, buffer, sizeof buffer, LONG) == 1);
    EXPECT(event.kind == RP_MESSAGE && event.size == 0);
    EXPECT(rp_close(sensor) == RP_OK);
}
