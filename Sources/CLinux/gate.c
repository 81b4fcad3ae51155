#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "CLinux.h"

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t is_told = PTHREAD_ONCE_INIT;

void agentos_gate_enter(void) { pthread_mutex_lock(&gate); }
void agentos_gate_leave(void) { pthread_mutex_unlock(&gate); }

static void tell(void) { atexit(agentos_gate_enter); }
void agentos_gate_closes_at_exit(void) { pthread_once(&is_told, tell); }

int agentos_socket_pair(int fds[2]) { return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds); }
