#define _GNU_SOURCE
#include "network.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HEADER_SIZE = 12, STREAM_BUFFER_SIZE = 1 << 20 };

int chost_stream_pair(int *first, int *second) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return -errno;
  // Room for several of the largest packets, as far as the system lets an ordinary process have it.
  int size = STREAM_BUFFER_SIZE;
  for (int i = 0; i < 2; i++)
    setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  *first = ends[0];
  *second = ends[1];
  return 0;
}

int64_t chost_socket_send(int socket, const void *vectors, int count) {
  const struct msghdr message = {.msg_iov = (struct iovec *)vectors, .msg_iovlen = (size_t)count};
  ssize_t sent;
  do
    sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : sent;
}

int64_t chost_socket_receive(int socket, void *buffer, size_t size) {
  ssize_t received;
  do
    received = recv(socket, buffer, size, MSG_DONTWAIT);
  while (received < 0 && errno == EINTR);
  return received < 0 ? -errno : received;
}

int64_t chost_socket_receive_packet(int socket, const void *vectors, int count) {
  struct msghdr message = {.msg_iov = (struct iovec *)vectors, .msg_iovlen = (size_t)count};
  ssize_t received;
  do
    received = recvmsg(socket, &message, MSG_DONTWAIT);
  while (received < 0 && errno == EINTR);
  return received < 0 ? -errno : received;
}

static int set_up_tap(int tap, const struct ifreq *tap_flags, struct chost_network *network) {
  if (!(tap_flags->ifr_flags & IFF_TAP) || !(tap_flags->ifr_flags & IFF_NO_PI))
    return -EINVAL;
  network->kind = chost_network_tap;
  network->has_header = tap_flags->ifr_flags & IFF_VNET_HDR;
  int size = HEADER_SIZE;
  if (network->has_header && ioctl(tap, TUNSETVNETHDRSZ, &size) != 0)
    return -errno;
  int flags = fcntl(tap, F_GETFL);
  if (flags < 0 || fcntl(tap, F_SETFL, flags | O_NONBLOCK) != 0)
    return -errno;
  struct ifreq request;
  memcpy(request.ifr_name, tap_flags->ifr_name, sizeof request.ifr_name);
  int any = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (any >= 0) {
    if (ioctl(any, SIOCGIFMTU, &request) == 0)
      network->mtu = (uint32_t)request.ifr_mtu;
    close(any);
  }
  return 0;
}

int chost_network_describe(int descriptor, struct chost_network *network) {
  *network = (struct chost_network){.kind = chost_network_none};
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0) {
    if (type == SOCK_STREAM)
      network->kind = chost_network_stream;
    else if (type == SOCK_DGRAM || type == SOCK_SEQPACKET)
      network->kind = chost_network_packets;
    network->is_connection = type != SOCK_DGRAM;
    return 0;
  }
  if (errno != ENOTSOCK)
    return -errno;
  struct ifreq tap_flags;
  return ioctl(descriptor, TUNGETIFF, &tap_flags) == 0 ? set_up_tap(descriptor, &tap_flags, network) : 0;
}

int chost_tap_open(const char *name) {
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  if (strlen(name) >= sizeof request.ifr_name)
    return -ENAMETOOLONG;
  strcpy(request.ifr_name, name);
  int tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (tap < 0)
    return -errno;
  if (ioctl(tap, TUNSETIFF, &request) == 0)
    return tap;
  int error = errno;
  close(tap);
  return -error;
}

int chost_tap_set_offloads(int tap, unsigned offloads) {
  return ioctl(tap, TUNSETOFFLOAD, (unsigned long)offloads) == 0 ? 0 : -errno;
}

int64_t chost_tap_send(int tap, const void *vectors, int count) {
  ssize_t sent;
  do
    sent = writev(tap, vectors, count);
  while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : sent;
}

int64_t chost_tap_receive(int tap, const void *vectors, int count) {
  ssize_t received;
  do
    received = readv(tap, vectors, count);
  while (received < 0 && errno == EINTR);
  return received < 0 ? -errno : received;
}

int chost_pipe(int *end, int *start) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return -errno;
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  *end = ends[0];
  *start = ends[1];
  return 0;
}

int chost_pipe_for_writing(int *end, int *start) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return -errno;
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  *end = ends[0];
  *start = ends[1];
  return 0;
}

int64_t chost_pipe_write(int pipe, const void *buffer, size_t size) {
  ssize_t put;
  do
    put = write(pipe, buffer, size);
  while (put < 0 && errno == EINTR);
  return put < 0 ? -errno : put;
}

int64_t chost_pipe_read(int pipe, void *buffer, size_t size) {
  ssize_t got;
  do
    got = read(pipe, buffer, size);
  while (got < 0 && errno == EINTR);
  return got < 0 ? -errno : got;
}

// Makes a list, ended by NULL, of strings that stand one after the other.
static bool make_list(const char *strings, size_t size, char **list, size_t limit) {
  size_t count = 0;
  for (const char *next = strings; next < strings + size; next += strlen(next) + 1) {
    if (count == limit)
      return false;
    list[count++] = (char *)next;
  }
  list[count] = NULL;
  return true;
}

int chost_program_start(const char *path, const char *arguments, size_t size, const char *environment,
                         size_t environment_size, int descriptor, int output) {
  char *list[CHOST_PROGRAM_ARGUMENT_LIMIT + 1], *variables[CHOST_PROGRAM_VARIABLE_LIMIT + 1];
  if (!make_list(arguments, size, list, CHOST_PROGRAM_ARGUMENT_LIMIT) ||
      !make_list(environment, environment_size, variables, CHOST_PROGRAM_VARIABLE_LIMIT))
    return -E2BIG;

  // A descriptor that has its number already would keep its flag and be closed; a copy higher up has no such luck.
  int carried = fcntl(descriptor, F_DUPFD_CLOEXEC, CHOST_PROGRAM_DESCRIPTOR + 1);
  if (carried < 0)
    return -errno;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  int process = 0;
  int error = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  if (error == 0)
    error = posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  if (error == 0)
    error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (error == 0)
    error = posix_spawn_file_actions_adddup2(&actions, carried, CHOST_PROGRAM_DESCRIPTOR);
  // Descriptors that this process inherited for its own use are none of the program's business.
  if (error == 0)
    error = posix_spawn_file_actions_addclosefrom_np(&actions, CHOST_PROGRAM_DESCRIPTOR + 1);
  if (error == 0)
    error = posix_spawn(&process, path, &actions, &attributes, list, variables);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(carried);
  return error == 0 ? process : -error;
}

int chost_process_watch(int process) {
  int descriptor = (int)syscall(SYS_pidfd_open, process, 0);
  return descriptor < 0 ? -errno : descriptor;
}

void chost_watched_process_kill(int watch) {
  syscall(SYS_pidfd_send_signal, watch, SIGKILL, NULL, 0);
}

void chost_process_kill(int process) {
  // Those that it has made are of its session, unless they have left it.
  kill(-process, SIGKILL);
  kill(process, SIGKILL);
  while (waitpid(process, NULL, 0) < 0 && errno == EINTR)
    ;
}

int chost_process_ended(int process, struct chost_process_end *end) {
  int status = 0;
  pid_t result = waitpid(process, &status, WNOHANG);
  if (result == 0)
    return 0;
  // Where this process ignores SIGCHLD nobody is left to say how it ended.
  if (result < 0) {
    *end = (struct chost_process_end){.is_unknown = true};
    return errno == ECHILD ? 1 : -errno;
  }
  end->by_signal = WIFSIGNALED(status);
  end->status = end->by_signal ? WTERMSIG(status) : WEXITSTATUS(status);
  return 1;
}
