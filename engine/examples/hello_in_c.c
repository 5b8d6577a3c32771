#include <stdio.h>

#include <ringpost/ringpost.h>

int main(void) {
    rp_connection_options options;
    rp_handle* client;
    rp_event event;
    char buffer[64];
    if (rp_connection_init(&options, sizeof options) != RP_OK) return 1;
    options.psk = "cluster.psk";
    if (rp_connect("127.0.0.1:7000", &options, &client) != RP_OK) return puts(rp_last_error()), 1;
    rp_send(client, &(rp_message){.bytes = "hello", .size = 5}, NULL);
    while (rp_receive_many(client, RP_MESSAGE, &event, 1, buffer, sizeof buffer, 1000000000) == 1)
        printf("%.*s\n", (int)event.size, buffer + event.offset);
    rp_finish(client, 0, 2000000000, &event);
    return rp_close(client) == RP_OK && (event.flags & RP_EVENT_DELIVERED) != 0 ? 0 : 1;
}
