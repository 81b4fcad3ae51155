#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../lazy.h"

// libnats, loaded by the daemon when a sink is for NATS. Its name has two numbers of its version.
#define AGENTOS_TEXT(number) #number
#define AGENTOS_NAME(major, minor) "libnats.so." AGENTOS_TEXT(major) "." AGENTOS_TEXT(minor)
#define AGENTOS_NATS(name) AGENTOS_LAZY_FROM(AGENTOS_NAME(NATS_VERSION_MAJOR, NATS_VERSION_MINOR), name)
#define jsConsumerInfo_Destroy AGENTOS_NATS(jsConsumerInfo_Destroy)
#define jsCtx_Destroy AGENTOS_NATS(jsCtx_Destroy)
#define jsOptions_Init AGENTOS_NATS(jsOptions_Init)
#define jsPubOptions_Init AGENTOS_NATS(jsPubOptions_Init)
#define jsStreamConfig_Init AGENTOS_NATS(jsStreamConfig_Init)
#define jsStreamInfo_Destroy AGENTOS_NATS(jsStreamInfo_Destroy)
#define jsStreamNamesList_Destroy AGENTOS_NATS(jsStreamNamesList_Destroy)
#define js_AddStream AGENTOS_NATS(js_AddStream)
#define js_GetConsumerInfo AGENTOS_NATS(js_GetConsumerInfo)
#define js_GetMsg AGENTOS_NATS(js_GetMsg)
#define js_GetStreamInfo AGENTOS_NATS(js_GetStreamInfo)
#define js_PublishAsyncGetPendingList AGENTOS_NATS(js_PublishAsyncGetPendingList)
#define js_PublishMsgAsync AGENTOS_NATS(js_PublishMsgAsync)
#define js_StreamNames AGENTOS_NATS(js_StreamNames)
#define natsConnection_Connect AGENTOS_NATS(natsConnection_Connect)
#define natsConnection_Destroy AGENTOS_NATS(natsConnection_Destroy)
#define natsConnection_FlushTimeout AGENTOS_NATS(natsConnection_FlushTimeout)
#define natsConnection_GetLastError AGENTOS_NATS(natsConnection_GetLastError)
#define natsConnection_GetMaxPayload AGENTOS_NATS(natsConnection_GetMaxPayload)
#define natsConnection_IsClosed AGENTOS_NATS(natsConnection_IsClosed)
#define natsConnection_JetStream AGENTOS_NATS(natsConnection_JetStream)
#define natsConnection_PublishMsg AGENTOS_NATS(natsConnection_PublishMsg)
#define natsConnection_QueueSubscribe AGENTOS_NATS(natsConnection_QueueSubscribe)
#define natsConnection_Status AGENTOS_NATS(natsConnection_Status)
#define natsMsgHeader_Get AGENTOS_NATS(natsMsgHeader_Get)
#define natsMsgHeader_Keys AGENTOS_NATS(natsMsgHeader_Keys)
#define natsMsgHeader_Set AGENTOS_NATS(natsMsgHeader_Set)
#define natsMsgList_Destroy AGENTOS_NATS(natsMsgList_Destroy)
#define natsMsg_Create AGENTOS_NATS(natsMsg_Create)
#define natsMsg_Destroy AGENTOS_NATS(natsMsg_Destroy)
#define natsMsg_GetData AGENTOS_NATS(natsMsg_GetData)
#define natsMsg_GetDataLength AGENTOS_NATS(natsMsg_GetDataLength)
#define natsMsg_GetReply AGENTOS_NATS(natsMsg_GetReply)
#define natsMsg_GetSubject AGENTOS_NATS(natsMsg_GetSubject)
#define natsOptions_Create AGENTOS_NATS(natsOptions_Create)
#define natsOptions_Destroy AGENTOS_NATS(natsOptions_Destroy)
#define natsOptions_LoadCATrustedCertificates AGENTOS_NATS(natsOptions_LoadCATrustedCertificates)
#define natsOptions_LoadCertificatesChain AGENTOS_NATS(natsOptions_LoadCertificatesChain)
#define natsOptions_SetAllowReconnect AGENTOS_NATS(natsOptions_SetAllowReconnect)
#define natsOptions_SetDisconnectedCB AGENTOS_NATS(natsOptions_SetDisconnectedCB)
#define natsOptions_SetErrorHandler AGENTOS_NATS(natsOptions_SetErrorHandler)
#define natsOptions_SetFailRequestsOnDisconnect AGENTOS_NATS(natsOptions_SetFailRequestsOnDisconnect)
#define natsOptions_SetMaxPingsOut AGENTOS_NATS(natsOptions_SetMaxPingsOut)
#define natsOptions_SetMaxReconnect AGENTOS_NATS(natsOptions_SetMaxReconnect)
#define natsOptions_SetNKeyFromSeed AGENTOS_NATS(natsOptions_SetNKeyFromSeed)
#define natsOptions_SetName AGENTOS_NATS(natsOptions_SetName)
#define natsOptions_SetPingInterval AGENTOS_NATS(natsOptions_SetPingInterval)
#define natsOptions_SetReconnectJitter AGENTOS_NATS(natsOptions_SetReconnectJitter)
#define natsOptions_SetReconnectWait AGENTOS_NATS(natsOptions_SetReconnectWait)
#define natsOptions_SetReconnectedCB AGENTOS_NATS(natsOptions_SetReconnectedCB)
#define natsOptions_SetSecure AGENTOS_NATS(natsOptions_SetSecure)
#define natsOptions_SetServers AGENTOS_NATS(natsOptions_SetServers)
#define natsOptions_SetTimeout AGENTOS_NATS(natsOptions_SetTimeout)
#define natsOptions_SetUserCredentialsFromFiles AGENTOS_NATS(natsOptions_SetUserCredentialsFromFiles)
#define natsOptions_SetUserInfo AGENTOS_NATS(natsOptions_SetUserInfo)
#define natsOptions_SetWriteDeadline AGENTOS_NATS(natsOptions_SetWriteDeadline)
#define natsSubscription_Destroy AGENTOS_NATS(natsSubscription_Destroy)
#define natsSubscription_SetPendingLimits AGENTOS_NATS(natsSubscription_SetPendingLimits)
#define natsSubscription_Unsubscribe AGENTOS_NATS(natsSubscription_Unsubscribe)
#define natsStatus_GetText AGENTOS_NATS(natsStatus_GetText)

/// Why it cannot be used; NULL when it can. To be asked before anything else.
static inline const char *agentos_nats_problem(void) {
    return agentos_library_problem(AGENTOS_NAME(NATS_VERSION_MAJOR, NATS_VERSION_MINOR));
}

static inline void agentos_natsMsg_Destroy(natsMsg *msg) { natsMsg_Destroy(msg); }
static inline const char *agentos_natsStatus_GetText(natsStatus s) { return natsStatus_GetText(s); }
static inline natsStatus agentos_natsConnection_GetLastError(natsConnection *nc, const char **lastError) {
    return natsConnection_GetLastError(nc, lastError);
}
static inline natsStatus agentos_js_GetStreamInfo(
    jsStreamInfo **si, jsCtx *js, const char *stream, jsOptions *opts, jsErrCode *errCode) {
    return js_GetStreamInfo(si, js, stream, opts, errCode);
}
static inline void agentos_jsStreamInfo_Destroy(jsStreamInfo *si) { jsStreamInfo_Destroy(si); }
static inline void agentos_jsCtx_Destroy(jsCtx *js) { jsCtx_Destroy(js); }
static inline void agentos_natsConnection_Destroy(natsConnection *nc) { natsConnection_Destroy(nc); }
static inline natsStatus agentos_natsConnection_FlushTimeout(natsConnection *nc, int64_t timeout) {
    return natsConnection_FlushTimeout(nc, timeout);
}
static inline natsConnStatus agentos_natsConnection_Status(natsConnection *nc) { return natsConnection_Status(nc); }
static inline bool agentos_natsConnection_IsClosed(natsConnection *nc) { return natsConnection_IsClosed(nc); }
static inline natsStatus agentos_natsOptions_Create(natsOptions **newOpts) { return natsOptions_Create(newOpts); }
static inline void agentos_natsOptions_Destroy(natsOptions *opts) { natsOptions_Destroy(opts); }
static inline natsStatus agentos_natsConnection_Connect(natsConnection **nc, natsOptions *options) {
    return natsConnection_Connect(nc, options);
}
static inline natsStatus agentos_natsOptions_SetServers(natsOptions *opts, const char **servers, int serversCount) {
    return natsOptions_SetServers(opts, servers, serversCount);
}
static inline natsStatus agentos_natsOptions_SetName(natsOptions *opts, const char *name) {
    return natsOptions_SetName(opts, name);
}
static inline natsStatus agentos_natsOptions_SetTimeout(natsOptions *opts, int64_t timeout) {
    return natsOptions_SetTimeout(opts, timeout);
}
static inline natsStatus agentos_natsOptions_SetAllowReconnect(natsOptions *opts, bool allow) {
    return natsOptions_SetAllowReconnect(opts, allow);
}
static inline natsStatus agentos_natsOptions_SetMaxReconnect(natsOptions *opts, int maxReconnect) {
    return natsOptions_SetMaxReconnect(opts, maxReconnect);
}
static inline natsStatus agentos_natsOptions_SetReconnectWait(natsOptions *opts, int64_t reconnectWait) {
    return natsOptions_SetReconnectWait(opts, reconnectWait);
}
static inline natsStatus agentos_natsOptions_SetReconnectJitter(natsOptions *opts, int64_t jitter, int64_t jitterTLS) {
    return natsOptions_SetReconnectJitter(opts, jitter, jitterTLS);
}
static inline natsStatus agentos_natsOptions_SetPingInterval(natsOptions *opts, int64_t interval) {
    return natsOptions_SetPingInterval(opts, interval);
}
static inline natsStatus agentos_natsOptions_SetMaxPingsOut(natsOptions *opts, int maxPingsOut) {
    return natsOptions_SetMaxPingsOut(opts, maxPingsOut);
}
static inline natsStatus agentos_natsOptions_SetWriteDeadline(natsOptions *opts, int64_t deadline) {
    return natsOptions_SetWriteDeadline(opts, deadline);
}
static inline natsStatus agentos_natsOptions_SetFailRequestsOnDisconnect(natsOptions *opts, bool failRequests) {
    return natsOptions_SetFailRequestsOnDisconnect(opts, failRequests);
}
static inline natsStatus agentos_natsOptions_SetDisconnectedCB(
    natsOptions *opts, natsConnectionHandler disconnectedCb, void *closure) {
    return natsOptions_SetDisconnectedCB(opts, disconnectedCb, closure);
}
static inline natsStatus agentos_natsOptions_SetReconnectedCB(
    natsOptions *opts, natsConnectionHandler reconnectedCb, void *closure) {
    return natsOptions_SetReconnectedCB(opts, reconnectedCb, closure);
}
static inline natsStatus agentos_natsOptions_SetErrorHandler(natsOptions *opts, natsErrHandler errHandler, void *closure) {
    return natsOptions_SetErrorHandler(opts, errHandler, closure);
}
static inline natsStatus agentos_natsOptions_SetUserCredentialsFromFiles(
    natsOptions *opts, const char *userOrChainedFile, const char *seedFile) {
    return natsOptions_SetUserCredentialsFromFiles(opts, userOrChainedFile, seedFile);
}
static inline natsStatus agentos_natsOptions_SetNKeyFromSeed(natsOptions *opts, const char *pubKey, const char *seedFile) {
    return natsOptions_SetNKeyFromSeed(opts, pubKey, seedFile);
}
static inline natsStatus agentos_natsOptions_SetUserInfo(natsOptions *opts, const char *user, const char *password) {
    return natsOptions_SetUserInfo(opts, user, password);
}
static inline natsStatus agentos_natsOptions_SetSecure(natsOptions *opts, bool secure) {
    return natsOptions_SetSecure(opts, secure);
}
static inline natsStatus agentos_natsOptions_LoadCATrustedCertificates(natsOptions *opts, const char *fileName) {
    return natsOptions_LoadCATrustedCertificates(opts, fileName);
}
static inline natsStatus agentos_natsOptions_LoadCertificatesChain(
    natsOptions *opts, const char *certsFileName, const char *keyFileName) {
    return natsOptions_LoadCertificatesChain(opts, certsFileName, keyFileName);
}

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

static inline int64_t agentos_natsConnection_GetMaxPayload(natsConnection *nc) { return natsConnection_GetMaxPayload(nc); }
static inline const char *agentos_natsMsg_GetSubject(const natsMsg *msg) { return natsMsg_GetSubject(msg); }
static inline const char *agentos_natsMsg_GetReply(const natsMsg *msg) { return natsMsg_GetReply(msg); }
static inline const char *agentos_natsMsg_GetData(const natsMsg *msg) { return natsMsg_GetData(msg); }
static inline int agentos_natsMsg_GetDataLength(const natsMsg *msg) { return natsMsg_GetDataLength(msg); }
static inline natsStatus agentos_natsMsg_Create(natsMsg **msg, const char *subject, const void *data, int length) {
    return natsMsg_Create(msg, subject, NULL, (const char *)data, length);
}
static inline natsStatus agentos_natsMsgHeader_Set(natsMsg *msg, const char *key, const char *value) {
    return natsMsgHeader_Set(msg, key, value);
}
static inline natsStatus agentos_natsConnection_PublishMsg(natsConnection *nc, natsMsg *msg) {
    return natsConnection_PublishMsg(nc, msg);
}

/// The value of a header, whatever the case of its name; NULL: there is none.
static inline const char *agentos_nats_header(natsMsg *msg, const char *name) {
    const char *value = NULL;
    if (natsMsgHeader_Get(msg, name, &value) == NATS_OK) return value;
    const char **keys = NULL;
    int count = 0;
    if (natsMsgHeader_Keys(msg, &keys, &count) != NATS_OK) return NULL;
    for (int index = 0; index < count && !value; index++) {
        if (strcasecmp(keys[index], name) == 0 && natsMsgHeader_Get(msg, keys[index], &value) != NATS_OK) value = NULL;
    }
    free((void *)keys);
    return value;
}

/// Hands messages of a subject to `handler`, on a thread of the library; of those in one group each message goes to one.
static inline natsStatus agentos_nats_subscribe(natsSubscription **subscription, natsConnection *connection,
                                                const char *subject, const char *group, int messages_max, int bytes_max,
                                                natsMsgHandler handler, void *closure) {
    natsStatus status = natsConnection_QueueSubscribe(subscription, connection, subject, group, handler, closure);
    if (status == NATS_OK) status = natsSubscription_SetPendingLimits(*subscription, messages_max, bytes_max);
    return status;
}
static inline void agentos_nats_unsubscribe(natsSubscription *subscription) {
    natsSubscription_Unsubscribe(subscription);
    natsSubscription_Destroy(subscription);
}

/// Copies the name of a stream that takes messages of a subject; empty: none does.
static inline natsStatus agentos_nats_stream_of(jsCtx *js, const char *subject, char *name, size_t size) {
    jsOptions options;
    jsStreamNamesList *list = NULL;
    jsOptions_Init(&options);
    options.Stream.Info.SubjectsFilter = subject;
    natsStatus status = js_StreamNames(&list, js, &options, NULL);
    name[0] = 0;
    if (status == NATS_OK && list->Count > 0) snprintf(name, size, "%s", list->List[0]);
    if (status == NATS_OK) jsStreamNamesList_Destroy(list);
    return status == NATS_NOT_FOUND ? NATS_OK : status;
}

/// How far a durable consumer has acknowledged: a number of its stream, and whether nothing more waits for it.
static inline natsStatus agentos_nats_floor(jsCtx *js, const char *stream, const char *consumer, uint64_t *floor,
                                            bool *is_at_end) {
    jsConsumerInfo *info = NULL;
    natsStatus status = js_GetConsumerInfo(&info, js, stream, consumer, NULL, NULL);
    if (status != NATS_OK) return status;
    *floor = info->AckFloor.Stream;
    *is_at_end = info->NumPending == 0 && info->NumAckPending == 0;
    jsConsumerInfo_Destroy(info);
    return status;
}

static inline natsStatus agentos_js_GetMsg(natsMsg **msg, jsCtx *js, const char *stream, uint64_t seq) {
    return js_GetMsg(msg, js, stream, seq, NULL, NULL);
}
