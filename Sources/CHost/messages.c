#define _GNU_SOURCE
#include "messages.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

// Room for the descriptors of a message, aligned as the kernel's macros want it.
union control {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(CHOST_MESSAGE_DESCRIPTORS * sizeof(int))];
};

int64_t chost_message_send(int socket, const void *bytes, size_t size, const int *descriptors, int descriptor_count) {
  if (descriptor_count < 0 || descriptor_count > CHOST_MESSAGE_DESCRIPTORS)
    return -EINVAL;
  struct iovec vector = {.iov_base = (void *)bytes, .iov_len = size};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  union control control;
  memset(&control, 0, sizeof control);
  if (descriptor_count > 0) {
    size_t length = (size_t)descriptor_count * sizeof(int);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(length);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(header), descriptors, length);
  }
  ssize_t sent;
  do
    sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : sent;
}

int64_t chost_message_receive(int socket, void *buffer, size_t size, int *descriptors, int *descriptor_count) {
  struct iovec vector = {.iov_base = buffer, .iov_len = size};
  union control control;
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  *descriptor_count = 0;
  ssize_t received;
  do
    received = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (received < 0 && errno == EINTR);
  if (received < 0)
    return -errno;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
      continue;
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int descriptor;
      memcpy(&descriptor, CMSG_DATA(header) + i * sizeof descriptor, sizeof descriptor);
      if (*descriptor_count < CHOST_MESSAGE_DESCRIPTORS)
        descriptors[(*descriptor_count)++] = descriptor;
      else
        close(descriptor);
    }
  }
  return received;
}

int chost_kick_pipe(int *end, int *start) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
    return -errno;
  *end = ends[0];
  *start = ends[1];
  return 0;
}

void chost_kick(int start) {
  const uint64_t one = 1;
  ssize_t written = write(start, &one, sizeof one);
  (void)written;
}

int chost_socket_peer_process(int socket) {
  struct ucred credentials;
  socklen_t size = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return -errno;
  return credentials.pid > 0 ? credentials.pid : -ESRCH;
}

static int connect_within(const char *path, int *listener, int *peer) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path)
    return -ENAMETOOLONG;
  strcpy(address.sun_path, path);
  *listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  *peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int error = 0;
  if (*listener < 0 || *peer < 0 || bind(*listener, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen(*listener, 1) != 0 || connect(*peer, (struct sockaddr *)&address, sizeof address) != 0)
    error = -errno;
  unlink(path);
  if (error == 0)
    return 0;
  if (*listener >= 0)
    close(*listener);
  if (*peer >= 0)
    close(*peer);
  return error;
}

int chost_listening_pair(const char *folder, int *listener, int *peer) {
  char path[PATH_MAX];
  int length = snprintf(path, sizeof path, "%s/apus-XXXXXX", folder);
  if (length < 0 || (size_t)length + sizeof "/s" > sizeof path)
    return -ENAMETOOLONG;
  if (mkdtemp(path) == NULL)
    return -errno;
  strcpy(path + length, "/s");
  int error = connect_within(path, listener, peer);
  path[length] = '\0';
  rmdir(path);
  return error;
}
