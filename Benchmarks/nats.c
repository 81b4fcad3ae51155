// What libnats alone reaches: acknowledged messages a second to one stream, published asynchronously.
// usage: nats URL STREAM SUBJECT COUNT BYTES PENDING; prints one number.
// Build: cc -O2 -o nats Benchmarks/nats.c -lnats
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void check(natsStatus status, const char *what) {
    if (status == NATS_OK) return;
    fprintf(stderr, "%s: %s\n", what, natsStatus_GetText(status));
    exit(1);
}

static long failures;
static void acknowledged(jsCtx *js, natsMsg *msg, jsPubAck *ack, jsPubAckErr *error, void *closure) {
    if (!ack) __atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
    natsMsg_Destroy(msg);
}

int main(int argc, char **argv) {
    if (argc != 7) return 64;
    long count = atol(argv[4]), bytes = atol(argv[5]);
    natsConnection *connection;
    jsCtx *js;
    jsOptions options;
    check(natsConnection_ConnectTo(&connection, argv[1]), "connect");
    jsOptions_Init(&options);
    options.PublishAsync.MaxPending = atol(argv[6]);
    options.PublishAsync.StallWait = 10000;
    options.PublishAsync.AckHandler = acknowledged;
    check(natsConnection_JetStream(&js, connection, &options), "jetstream");
    char *body = malloc(bytes);
    memset(body, 'x', bytes);
    double start = now();
    for (long i = 0; i < count; i++) {
        char id[64];
        snprintf(id, sizeof id, "%ld-%ld", (long)(start * 1e6), i);
        jsPubOptions publish;
        jsPubOptions_Init(&publish);
        publish.MsgId = id;
        publish.ExpectStream = argv[2];
        check(js_PublishAsync(js, argv[3], body, bytes, &publish), "publish");
    }
    jsPubOptions wait;
    jsPubOptions_Init(&wait);
    wait.MaxWait = 60000;
    check(js_PublishAsyncComplete(js, &wait), "acknowledgements");
    if (failures) fprintf(stderr, "%ld were not stored\n", failures);
    printf("%.0f\n", count / (now() - start));
    return failures != 0;
}
