#include <microhttpd.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#include "../lazy.h"

// libmicrohttpd, loaded by the daemon alone: it brings the libraries of another TLS along.
#define AGENTOS_LAZY(name) AGENTOS_LAZY_FROM("libmicrohttpd.so.12", name)

extern const char *agentos_library_problem(const char *library);

// Why it cannot be loaded; NULL when it can.
static inline const char *agentos_mhd_absence(void) { return agentos_library_problem("libmicrohttpd.so.12"); }

typedef void *(*MHD_URI_Log)(void *user, const char *target, struct MHD_Connection *connection);

// What a connection has for the heads of its request and of the answer. Half of it is touched whatever is asked.
enum { agentos_mhd_pool = 22 << 10 };

// MHD_start_daemon is variadic, which Swift cannot call.
static inline struct MHD_Daemon *agentos_mhd_start(
    unsigned int connections, unsigned int stall_seconds, void *user, MHD_URI_Log began,
    MHD_AccessHandlerCallback access, MHD_RequestCompletedCallback completed, MHD_NotifyConnectionCallback notified) {
    return AGENTOS_LAZY(MHD_start_daemon)(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL,
        access, user, MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_URI_LOG_CALLBACK, began, user,
        MHD_OPTION_NOTIFY_COMPLETED, completed, user, MHD_OPTION_NOTIFY_CONNECTION, notified, user,
        MHD_OPTION_CONNECTION_TIMEOUT, stall_seconds, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)agentos_mhd_pool, MHD_OPTION_END);
}

/// Hands over a connection that was accepted; closes it when that fails.
static inline int agentos_mhd_add(struct MHD_Daemon *daemon, int fd) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getpeername(fd, (struct sockaddr *)&address, &size)) {
        address.ss_family = AF_UNIX;
        size = sizeof address.ss_family;
    }
    return AGENTOS_LAZY(MHD_add_connection)(daemon, fd, (struct sockaddr *)&address, size) == MHD_YES;
}

static inline int agentos_mhd_epoll_fd(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = AGENTOS_LAZY(MHD_get_daemon_info)(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info ? info->epoll_fd : -1;
}

static inline int agentos_mhd_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = AGENTOS_LAZY(MHD_get_connection_info)(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? (int)info->connect_fd : -1;
}

/// What the notification of its start has left with the connection.
static inline void *agentos_mhd_context(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = AGENTOS_LAZY(MHD_get_connection_info)(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static inline _Bool agentos_mhd_is_start(enum MHD_ConnectionNotificationCode code) {
    return code == MHD_CONNECTION_NOTIFY_STARTED;
}

/// What a head says of its host and of the length of its body.
struct agentos_mhd_head {
    int hosts, lengths, encodings;
    uint64_t length;
};

static inline enum MHD_Result agentos_mhd_count(
    void *user, enum MHD_ValueKind kind, const char *name, const char *value) {
    struct agentos_mhd_head *head = user;
    switch (name[0] | 0x20) {
    case 'h': head->hosts += !strcasecmp(name, "Host"); break;
    case 't': head->encodings += !strcasecmp(name, "Transfer-Encoding"); break;
    case 'c':
        if (strcasecmp(name, "Content-Length")) break;
        head->lengths++;
        head->length = value ? strtoull(value, NULL, 10) : 0;
    }
    return MHD_YES;
}

static inline void agentos_mhd_read_head(struct MHD_Connection *connection, struct agentos_mhd_head *head) {
    AGENTOS_LAZY(MHD_get_connection_values)(connection, MHD_HEADER_KIND, agentos_mhd_count, head);
}

static inline int agentos_mhd_queue(struct MHD_Connection *connection, unsigned int status, struct MHD_Response *response) {
    return AGENTOS_LAZY(MHD_queue_response)(connection, status, response) == MHD_YES;
}

static inline struct MHD_Response *agentos_mhd_response(const void *bytes, size_t count) {
    return AGENTOS_LAZY(MHD_create_response_from_buffer)(count, (void *)bytes, MHD_RESPMEM_MUST_COPY);
}

static inline struct MHD_Response *agentos_mhd_long(uint64_t count, MHD_ContentReaderCallback reader, void *user) {
    return AGENTOS_LAZY(MHD_create_response_from_callback)(count, 131072, reader, user, NULL);
}

static inline struct MHD_Response *agentos_mhd_stream(MHD_ContentReaderCallback reader, void *user) {
    return AGENTOS_LAZY(MHD_create_response_from_callback)(MHD_SIZE_UNKNOWN, 1024, reader, user, NULL);
}

static inline struct MHD_Response *agentos_mhd_upgrade(MHD_UpgradeHandler handler, void *user) {
    return AGENTOS_LAZY(MHD_create_response_for_upgrade)(handler, user);
}

static inline void agentos_mhd_end_upgrade(struct MHD_UpgradeResponseHandle *handle) {
    AGENTOS_LAZY(MHD_upgrade_action)(handle, MHD_UPGRADE_ACTION_CLOSE);
}

static inline ssize_t agentos_mhd_end_of_stream(void) { return MHD_CONTENT_READER_END_OF_STREAM; }
static inline ssize_t agentos_mhd_cut_stream(void) { return MHD_CONTENT_READER_END_WITH_ERROR; }

static inline const char *agentos_mhd_header(struct MHD_Connection *connection, const char *name) {
    return AGENTOS_LAZY(MHD_lookup_connection_value)(connection, MHD_HEADER_KIND, name);
}

static inline void agentos_mhd_stop(struct MHD_Daemon *daemon) { AGENTOS_LAZY(MHD_stop_daemon)(daemon); }

/// Does what there is to do without waiting; true when there is more, which no descriptor tells.
static inline _Bool agentos_mhd_run(struct MHD_Daemon *daemon) {
    MHD_UNSIGNED_LONG_LONG timeout = 1;
    AGENTOS_LAZY(MHD_run)(daemon);
    return AGENTOS_LAZY(MHD_get_timeout)(daemon, &timeout) == MHD_YES && timeout == 0;
}

static inline void agentos_mhd_suspend(struct MHD_Connection *connection) {
    AGENTOS_LAZY(MHD_suspend_connection)(connection);
}

static inline void agentos_mhd_resume(struct MHD_Connection *connection) {
    AGENTOS_LAZY(MHD_resume_connection)(connection);
}

static inline void agentos_mhd_add_header(struct MHD_Response *response, const char *name, const char *value) {
    AGENTOS_LAZY(MHD_add_response_header)(response, name, value);
}

static inline void agentos_mhd_destroy(struct MHD_Response *response) {
    AGENTOS_LAZY(MHD_destroy_response)(response);
}

struct agentos_mhd_search {
    const char *name;
    void (*found)(void *user, const char *value);
    void *user;
};

static inline enum MHD_Result agentos_mhd_look(
    void *user, enum MHD_ValueKind kind, const char *name, const char *value) {
    struct agentos_mhd_search *search = user;
    if (value && !strcasecmp(name, search->name)) search->found(search->user, value);
    return MHD_YES;
}

/// Calls a function with the value of each line of the head that has a name.
static inline void agentos_mhd_each_header(
    struct MHD_Connection *connection, const char *name, void (*found)(void *user, const char *value), void *user) {
    struct agentos_mhd_search search = {name, found, user};
    AGENTOS_LAZY(MHD_get_connection_values)(connection, MHD_HEADER_KIND, agentos_mhd_look, &search);
}
