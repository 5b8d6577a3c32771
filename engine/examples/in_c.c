#include <stdio.h>

#include <ringpost/ringpost.h>

int main(void) {
    rp_gtudp_options options;
    rp_handle* handle;
    rp_address here;
    rp_event event;
    char buffer[64];
    if (rp_check_abi(RP_ABI_VERSION) != RP_OK || rp_gtudp_init(&options, sizeof options) != RP_OK) return 1;
    if (rp_resolve("127.0.0.1", 0, &options.bind) != RP_OK || rp_gtudp_open(&options, &handle) != RP_OK) return 1;
    rp_local(handle, &here);
    rp_send(handle, &(rp_message){.bytes = "it arrives", .size = 10, .peer = &here}, NULL);
    if (rp_receive_many(handle, RP_MESSAGE, &event, 1, buffer, sizeof buffer, RP_FOREVER) != 1) return 1;
    printf("%.*s\n", (int)event.size, buffer + event.offset);
    return rp_close(handle) == RP_OK ? 0 : 1;
}
