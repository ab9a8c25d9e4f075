// A load for virtual devices, and the first process of a guest that does nothing else. The kernel's command line says
// what is done, in words of the form NAME=VALUE, which the kernel hands on as environment:
//
//     load=read       random reads of the disk, past the page cache
//     load=sequence   reads from the disk's first byte on
//     load=write      writes from the disk's first byte on
//     load=share      random reads of the file "file" in the folder that is shared as "host", past the page cache
//     load=walk       a walk through that folder, whose folders have WALK_WIDTH files each: each is looked at
//     load=stream     a TCP connection to the host, on which bytes are sent
//     load=echo       a TCP connection to the host, on which each operation's bytes come back before the next
//     load=none       nothing
//     count=N         operations, 0 if not said
//     size=N          bytes of one, 4096 if not said
//     depth=N         operations in flight, 1 if not said; for a disk or a file
//
// The same program finishes its start in the same way whatever the count is, so the difference of two runs is the cost
// of as many operations. At the end the machine is powered off; what failed is on the console, with "load:" in front.
//
// On the host "load serve" leaves two processes behind that are the other ends of the connections, and ends when they
// are ready.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/fs.h>

enum { DEPTH_LIMIT = 256, WALK_WIDTH = 100, SINK_PORT = 5001, ECHO_PORT = 5002 };

static _Noreturn void end(void) {
  reboot(RB_POWER_OFF);
  _exit(1);
}

static _Noreturn void fail(const char *what) {
  printf("load: %s: %s\n", what, strerror(errno));
  fflush(stdout);
  end();
}

static long number(const char *name, long otherwise) {
  const char *text = getenv(name);
  return text ? strtol(text, NULL, 10) : otherwise;
}

static uint64_t random_number(void) {
  static uint64_t state = 0x9E3779B97F4A7C15;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

struct load {
  int disk;
  bool is_random, writes;
  long count, size, depth;
  uint64_t places;
};

static int64_t offset_of(const struct load *load, long operation) {
  return (load->is_random ? random_number() % load->places : (uint64_t)operation % load->places) * load->size;
}

// One operation after the other, as plain system calls.
static void work_in_turn(const struct load *load, char *buffer) {
  for (long operation = 0; operation < load->count; operation++) {
    int64_t offset = offset_of(load, operation);
    long done = load->writes ? pwrite(load->disk, buffer, load->size, offset)
                             : pread(load->disk, buffer, load->size, offset);
    if (done != load->size)
      fail("access to the disk");
  }
}

// `depth` operations are always in flight: whatever is found finished is replaced in one system call.
static void work_at_depth(const struct load *load, char *buffer) {
  aio_context_t context = 0;
  static struct iocb blocks[DEPTH_LIMIT];
  struct iocb *queued[DEPTH_LIMIT];
  struct io_event events[DEPTH_LIMIT];
  if (syscall(SYS_io_setup, load->depth, &context))
    fail("io_setup");
  for (long i = 0; i < load->depth; i++) {
    blocks[i] = (struct iocb){
        .aio_fildes = load->disk,
        .aio_lio_opcode = load->writes ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
        .aio_buf = (uintptr_t)(buffer + i * load->size),
        .aio_nbytes = load->size,
    };
    queued[i] = &blocks[i];
  }
  long begun = 0, finished = 0, ready = load->depth;
  while (finished < load->count) {
    long more = load->count - begun < ready ? load->count - begun : ready;
    for (long i = 0; i < more; i++)
      queued[i]->aio_offset = offset_of(load, begun + i);
    for (long done = 0; done < more;) {
      long submitted = syscall(SYS_io_submit, context, more - done, queued + done);
      if (submitted <= 0)
        fail("io_submit");
      done += submitted;
    }
    begun += more;
    ready = syscall(SYS_io_getevents, context, 1L, load->depth, events, NULL);
    if (ready < 0)
      fail("io_getevents");
    for (long i = 0; i < ready; i++) {
      if (events[i].res != load->size)
        fail("access to the disk");
      queued[i] = (struct iocb *)(uintptr_t)events[i].obj;
    }
    finished += ready;
  }
}

static uint64_t bytes_of(int file) {
  struct stat status;
  uint64_t bytes;
  if (fstat(file, &status))
    fail("the file's size");
  if (S_ISREG(status.st_mode))
    return status.st_size;
  if (ioctl(file, BLKGETSIZE64, &bytes))
    fail("the disk's size");
  return bytes;
}

static void use_file(const char *kind, const char *path) {
  struct load load = {
      .is_random = strcmp(kind, "read") == 0 || strcmp(kind, "share") == 0,
      .writes = strcmp(kind, "write") == 0,
      .count = number("count", 0),
      .size = number("size", 4096),
      .depth = number("depth", 1),
  };
  if (load.depth < 1 || load.depth > DEPTH_LIMIT) {
    errno = EINVAL;
    fail("depth");
  }
  load.disk = open(path, (load.writes ? O_RDWR : O_RDONLY) | O_DIRECT | O_CLOEXEC);
  if (load.disk < 0)
    fail(path);
  load.places = bytes_of(load.disk) / load.size;
  char *buffer = aligned_alloc(1 << 21, (load.size * load.depth + (1 << 21) - 1) >> 21 << 21);
  if (!buffer)
    fail("memory");
  memset(buffer, 0x5A, load.size * load.depth);
  if (load.depth == 1)
    work_in_turn(&load, buffer);
  else
    work_at_depth(&load, buffer);
}

static void mount_share(void) {
  if (mkdir("/mnt", 0755) && errno != EEXIST)
    fail("/mnt");
  if (mount("host", "/mnt", "virtiofs", 0, NULL))
    fail("the shared folder");
}

// Looks at each file of a folder. Returns how many there are.
static long look_through(const char *path) {
  DIR *folder = opendir(path);
  if (!folder)
    fail(path);
  long found = 0;
  for (struct dirent *entry; (entry = readdir(folder));) {
    struct stat status;
    if (fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW))
      fail(entry->d_name);
    found += S_ISREG(status.st_mode);
  }
  closedir(folder);
  return found;
}

static void walk(void) {
  const long count = number("count", 0);
  long found = 0;
  for (long folder = 0; folder < count / WALK_WIDTH; folder++) {
    char path[32];
    snprintf(path, sizeof path, "/mnt/%ld", folder);
    found += look_through(path);
  }
  if (found != count) {
    errno = ENOENT;
    fail("the files");
  }
}

static struct sockaddr_in address_of(const char *text, uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

// The addresses are those that passt has in mind for its guest.
static void set_network_up(void) {
  int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq card = {.ifr_name = "eth0"};
  struct sockaddr_in address = address_of("10.0.2.15", 0);
  memcpy(&card.ifr_addr, &address, sizeof address);
  if (control < 0 || ioctl(control, SIOCSIFADDR, &card))
    fail("eth0's address");
  address = address_of("255.255.255.0", 0);
  memcpy(&card.ifr_netmask, &address, sizeof address);
  if (ioctl(control, SIOCSIFNETMASK, &card))
    fail("eth0's netmask");
  card.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(control, SIOCSIFFLAGS, &card))
    fail("eth0 up");
}

static void receive_all(int connection, char *buffer, long size) {
  if (recv(connection, buffer, size, MSG_WAITALL) != size)
    fail("receiving");
}

static void send_all(int connection, const char *buffer, long size) {
  for (long done = 0; done < size;) {
    long sent = send(connection, buffer + done, size - done, 0);
    if (sent <= 0)
      fail("sending");
    done += sent;
  }
}

static void use_network(bool echoes) {
  const long count = number("count", 0), size = number("size", 4096);
  char *buffer = malloc(size);
  if (!buffer)
    fail("memory");
  memset(buffer, 0x5A, size);
  set_network_up();
  int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
  struct sockaddr_in host = address_of("10.0.2.2", echoes ? ECHO_PORT : SINK_PORT);
  if (connection < 0 || connect(connection, (struct sockaddr *)&host, sizeof host))
    fail("connecting to the host");
  if (setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes))
    fail("TCP_NODELAY");
  for (long operation = 0; operation < count; operation++) {
    send_all(connection, buffer, size);
    if (echoes)
      receive_all(connection, buffer, size);
  }
  // The other side closes when it has had everything.
  if (shutdown(connection, SHUT_WR) || recv(connection, buffer, 1, 0) != 0)
    fail("the end of the connection");
}

// Serves one connection after the other on a port, for ever.
static _Noreturn void serve(uint16_t port, bool echoes, int ready) {
  static char buffer[1 << 18];
  struct sockaddr_in address = address_of("127.0.0.1", port);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
  if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) ||
      bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1) || write(ready, "x", 1) != 1)
    exit(1);
  for (;;) {
    int connection = accept(listener, NULL, NULL);
    if (connection < 0)
      exit(1);
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    long count;
    while ((count = recv(connection, buffer, sizeof buffer, 0)) > 0) {
      if (echoes && send(connection, buffer, count, MSG_NOSIGNAL) != count)
        break;
    }
    close(connection);
  }
}

static int serve_both(void) {
  int ready[2];
  char bytes[2];
  if (pipe(ready))
    return 1;
  for (int echoes = 0; echoes < 2; echoes++) {
    pid_t process = fork();
    if (process < 0)
      return 1;
    if (process == 0)
      serve(echoes ? ECHO_PORT : SINK_PORT, echoes, ready[1]);
    if (read(ready[0], bytes, 1) != 1)
      return 1;
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "serve") == 0)
    return serve_both();
  const char *kind = getenv("load");
  if (mkdir("/dev", 0755) && errno != EEXIST)
    fail("/dev");
  if (mount("dev", "/dev", "devtmpfs", 0, NULL))
    fail("devtmpfs");
  if (kind && (strcmp(kind, "read") == 0 || strcmp(kind, "sequence") == 0 || strcmp(kind, "write") == 0))
    use_file(kind, "/dev/vda");
  if (kind && strcmp(kind, "share") == 0) {
    mount_share();
    use_file(kind, "/mnt/file");
  }
  if (kind && strcmp(kind, "walk") == 0) {
    mount_share();
    walk();
  }
  if (kind && (strcmp(kind, "stream") == 0 || strcmp(kind, "echo") == 0))
    use_network(strcmp(kind, "echo") == 0);
  end();
}
