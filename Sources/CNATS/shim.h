#include <nats/nats.h>
/// Structures with texts in them, which Swift would have to keep alive.

/// A context whose acknowledgements go to `handler`.
static inline natsStatus agentos_nats_jetstream(jsCtx **js, natsConnection *connection, int64_t pending, int64_t wait_ms,
                                                jsPubAckHandler handler, void *closure) {
    jsOptions options;
    jsOptions_Init(&options);
    options.Wait = wait_ms;
    options.PublishAsync.MaxPending = pending;
    options.PublishAsync.StallWait = wait_ms;
    options.PublishAsync.AckHandler = handler;
    options.PublishAsync.AckHandlerClosure = closure;
    return natsConnection_JetStream(js, connection, &options);
}

/// Publishes without waiting. `key` becomes the message that its acknowledgement will name.
static inline natsStatus agentos_nats_publish(jsCtx *js, const char *stream, const char *subject, const char *id,
                                              const char *type, const void *data, int length, int64_t wait_ms,
                                              natsMsg **key) {
    natsMsg *message = NULL;
    jsPubOptions options;
    jsPubOptions_Init(&options);
    options.MsgId = id;
    options.ExpectStream = stream;
    options.MaxWait = wait_ms;
    natsStatus status = natsMsg_Create(&message, subject, NULL, (const char *)data, length);
    if (status == NATS_OK) status = natsMsgHeader_Set(message, "Content-Type", type);
    *key = message;
    if (status == NATS_OK) status = js_PublishMsgAsync(js, &message, &options);
    natsMsg_Destroy(message);
    return status;
}

/// Ends the waiting for acknowledgements; those that come later are dropped by the library.
static inline void agentos_nats_forget(jsCtx *js) {
    natsMsgList list;
    if (js_PublishAsyncGetPendingList(&list, js) == NATS_OK) natsMsgList_Destroy(&list);
}

/// Makes a stream on disk for one subject. Times in nanoseconds.
static inline natsStatus agentos_nats_add_stream(jsCtx *js, const char *name, const char *subject, int64_t bytes_max,
                                                 int64_t age_max, int64_t duplicates, int64_t replicas, bool discards_new,
                                                 jsErrCode *code) {
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = name;
    config.Description = "events of agentos-apply";
    config.Subjects = &subject;
    config.SubjectsLen = 1;
    config.Storage = js_FileStorage;
    config.MaxBytes = bytes_max;
    config.MaxAge = age_max;
    config.Duplicates = duplicates;
    config.Replicas = replicas;
    config.Discard = discards_new ? js_DiscardNew : js_DiscardOld;
    return js_AddStream(NULL, js, &config, NULL, code);
}
