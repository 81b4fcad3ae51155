#include <microhttpd.h>
#include <stddef.h>
#include <stdint.h>

// MHD_start_daemon is variadic, which Swift cannot call.
static inline struct MHD_Daemon *agentos_mhd_start(
    int listen_fd, unsigned int connections, MHD_AccessHandlerCallback handler, void *handler_user,
    MHD_RequestCompletedCallback completed, void *completed_user) {
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE, 0, NULL, NULL, handler, handler_user,
        MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_NOTIFY_COMPLETED, completed, completed_user, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384, MHD_OPTION_END);
}

static inline int agentos_mhd_epoll_fd(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info ? info->epoll_fd : -1;
}

static inline int agentos_mhd_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? (int)info->connect_fd : -1;
}

static inline int agentos_mhd_queue(struct MHD_Connection *connection, unsigned int status, struct MHD_Response *response) {
    return MHD_queue_response(connection, status, response) == MHD_YES;
}

static inline struct MHD_Response *agentos_mhd_response(const void *bytes, size_t count) {
    return MHD_create_response_from_buffer(count, (void *)bytes, MHD_RESPMEM_MUST_COPY);
}

static inline struct MHD_Response *agentos_mhd_stream(MHD_ContentReaderCallback reader, void *user) {
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, reader, user, NULL);
}

static inline struct MHD_Response *agentos_mhd_upgrade(MHD_UpgradeHandler handler, void *user) {
    return MHD_create_response_for_upgrade(handler, user);
}

static inline void agentos_mhd_end_upgrade(struct MHD_UpgradeResponseHandle *handle) {
    MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

static inline ssize_t agentos_mhd_end_of_stream(void) { return MHD_CONTENT_READER_END_OF_STREAM; }

static inline const char *agentos_mhd_argument(struct MHD_Connection *connection, const char *name) {
    return MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
}

static inline const char *agentos_mhd_header(struct MHD_Connection *connection, const char *name) {
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}
