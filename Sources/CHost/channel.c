#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

// A socket of another type is asked for, so that whoever listens sees nothing of it: the kernel refuses the connection
// for the type where there is somebody, and because there is nobody otherwise.
static bool nobody_listens(const struct sockaddr_un *address) {
  int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0)
    return false;
  bool refused = connect(probe, (const struct sockaddr *)address, sizeof *address) != 0 && errno == ECONNREFUSED;
  close(probe);
  return refused;
}

// Whether a socket is there that nobody has open any more; its identity then.
static bool is_stale(const struct sockaddr_un *address, struct stat *status) {
  return lstat(address->sun_path, status) == 0 && S_ISSOCK(status->st_mode) && nobody_listens(address);
}

// Takes a stale socket's name away, if it is still that socket's.
static bool remove_stale(const struct sockaddr_un *address) {
  struct stat probed, now;
  return is_stale(address, &probed) && lstat(address->sun_path, &now) == 0 && now.st_dev == probed.st_dev &&
         now.st_ino == probed.st_ino && unlink(address->sun_path) == 0;
}

static int make_address(const char *path, struct sockaddr_un *address) {
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address->sun_path)
    return -ENAMETOOLONG;
  strcpy(address->sun_path, path);
  return 0;
}

int chost_socket_check(const char *path) {
  struct sockaddr_un address;
  struct stat status;
  int result = make_address(path, &address);
  if (result != 0)
    return result;
  if (lstat(path, &status) == 0)
    return is_stale(&address, &status) ? 0 : -EADDRINUSE;
  return errno == ENOENT ? chost_folder_check(path) : -errno;
}

int chost_folder_check(const char *path) {
  char folder[4096];
  const char *end = strrchr(path, '/');
  const size_t length = end ? (size_t)(end - path) + 1 : 0;
  if (length + 1 >= sizeof folder)
    return -ENAMETOOLONG;
  memcpy(folder, path, length);
  strcpy(folder + length, ".");
  return access(folder, W_OK | X_OK) == 0 ? 0 : -errno;
}

int chost_socket_listen(const char *path, int backlog, bool is_private) {
  struct sockaddr_un address;
  int result = make_address(path, &address);
  if (result != 0)
    return result;
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0)
    return -errno;
  // The name gets the mode that the socket has: there is no moment in which others could connect.
  if (is_private && fchmod(listener, S_IRUSR | S_IWUSR) != 0) {
    int error = errno;
    close(listener);
    return -error;
  }
  result = bind(listener, (struct sockaddr *)&address, sizeof address);
  if (result != 0 && errno == EADDRINUSE) {
    if (remove_stale(&address))
      result = bind(listener, (struct sockaddr *)&address, sizeof address);
    else
      // Looking at what is there has its own errors.
      errno = EADDRINUSE;
  }
  if (result == 0)
    result = listen(listener, backlog);
  if (result == 0)
    return listener;
  int error = errno;
  close(listener);
  return -error;
}

bool chost_socket_is_stale(const char *path) {
  struct sockaddr_un address;
  struct stat status;
  return make_address(path, &address) == 0 && stat(path, &status) == 0 && S_ISSOCK(status.st_mode) &&
         nobody_listens(&address);
}

int chost_socket_connect(const char *path, int milliseconds) {
  struct sockaddr_un address;
  int result = make_address(path, &address);
  if (result != 0)
    return result;
  int number = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (number < 0)
    return -errno;
  // Where the other side's queue is full, a connection waits for as long as something sent may.
  struct timeval limit = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
  if (setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
      connect(number, (struct sockaddr *)&address, sizeof address) != 0) {
    int error = errno;
    close(number);
    return -error;
  }
  return number;
}

int chost_socket_connect_now(const char *path) {
  struct sockaddr_un address;
  int result = make_address(path, &address);
  if (result != 0)
    return result;
  int number = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (number < 0)
    return -errno;
  if (connect(number, (struct sockaddr *)&address, sizeof address) != 0) {
    int error = errno;
    close(number);
    return -error;
  }
  return number;
}

bool chost_socket_peer_is_ours(int peer) {
  struct ucred credentials;
  socklen_t size = sizeof credentials;
  return getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 &&
         (credentials.uid == geteuid() || credentials.uid == 0);
}

int chost_private_folder(const char *path) {
  if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST)
    return -errno;
  return chost_private_folder_check(path);
}

int chost_private_folder_check(const char *path) {
  struct stat status;
  if (lstat(path, &status) != 0)
    return -errno;
  const mode_t all = S_IRWXU | S_IRWXG | S_IRWXO;
  return S_ISDIR(status.st_mode) && status.st_uid == geteuid() && (status.st_mode & all) == S_IRWXU ? 0 : -EPERM;
}

int chost_socket_send_all(int peer, const void *buffer, size_t count) {
  const char *rest = buffer;
  while (count > 0) {
    ssize_t sent = send(peer, rest, count, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent < 0)
      return -errno;
    rest += sent;
    count -= (size_t)sent;
  }
  return 0;
}

int chost_lock_file(const char *path) {
  int number = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (number < 0)
    return -errno;
  while (flock(number, LOCK_EX) != 0)
    if (errno != EINTR) {
      int error = errno;
      close(number);
      return -error;
    }
  return number;
}

int chost_loopback_listen(uint16_t port) {
  const struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0)
    return -errno;
  // A port whose last connection has just ended is free.
  int on = 1;
  int result = setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (result == 0)
    result = bind(listener, (const struct sockaddr *)&address, sizeof address);
  if (result == 0)
    result = listen(listener, 1);
  if (result == 0)
    return listener;
  int error = errno;
  close(listener);
  return -error;
}

int chost_socket_port(int listener) {
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  if (getsockname(listener, (struct sockaddr *)&address, &size) != 0)
    return -errno;
  return ntohs(address.sin_port);
}

void chost_socket_send_at_once(int peer) {
  int on = 1;
  // A UNIX socket has no such thing, and needs none.
  (void)setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int64_t chost_peer_send(int peer, const void *buffer, size_t count) {
  ssize_t result;
  do
    result = send(peer, buffer, count, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (result < 0 && errno == EINTR);
  return result >= 0 ? result : -errno;
}

void chost_wait_for_peer(int peer, bool wants_room, int event, int milliseconds) {
  struct pollfd requests[] = {{.fd = peer, .events = wants_room ? POLLOUT : POLLIN}, {.fd = event, .events = POLLIN}};
  poll(requests, 2, milliseconds);
}

int chost_socket_accept(int listener) {
  int peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return peer >= 0 ? peer : -errno;
}

int chost_duplicate(int descriptor) {
  // Not among the standard streams' numbers.
  int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  return copy >= 0 ? copy : -errno;
}

int chost_replace(int descriptor, int with) { return dup3(with, descriptor, O_CLOEXEC) >= 0 ? 0 : -errno; }

int chost_access_mode(int descriptor, bool *can_read, bool *can_write) {
  int flags = fcntl(descriptor, F_GETFL);
  if (flags < 0)
    return -errno;
  int mode = flags & O_ACCMODE;
  *can_read = mode != O_WRONLY;
  *can_write = mode != O_RDONLY;
  return 0;
}

static bool is_readable(int descriptor) {
  struct pollfd request = {.fd = descriptor, .events = POLLIN};
  return poll(&request, 1, 0) > 0;
}

int64_t chost_channel_read(int descriptor, bool is_socket, void *buffer, size_t count) {
  ssize_t result;
  do {
    if (!is_socket && !is_readable(descriptor))
      return -EAGAIN;
    result = is_socket ? recv(descriptor, buffer, count, MSG_DONTWAIT) : read(descriptor, buffer, count);
  } while (result < 0 && errno == EINTR);
  return result >= 0 ? result : -errno;
}

bool chost_channel_has_hung_up(int descriptor) {
  struct pollfd request = {.fd = descriptor};
  return poll(&request, 1, 0) > 0 && (request.revents & (POLLHUP | POLLERR)) != 0;
}

bool chost_channel_has_input(int descriptor) {
  int count = 0;
  return ioctl(descriptor, FIONREAD, &count) == 0 && count > 0;
}
