#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What carries a guest's packets, and the programs that stand behind it. All calls return 0 or more, or minus errno.
// `vectors` are `count` times an address and a size, like the C library's struct iovec. No call waits.

// Two connected stream sockets, with more room than usual.
int chost_stream_pair(int *_Nonnull first, int *_Nonnull second);

// The bytes sent of the vectors to a socket, or received.
int64_t chost_socket_send(int socket, const void *_Nullable vectors, int count);
int64_t chost_socket_receive(int socket, void *_Nonnull buffer, size_t size);
int64_t chost_socket_receive_packet(int socket, const void *_Nullable vectors, int count);

enum chost_network_kind {
  chost_network_none,    // nothing that packets go through
  chost_network_stream,  // a stream socket
  chost_network_packets, // a socket that keeps packets apart
  chost_network_tap,     // a tap device
};

struct chost_network {
  enum chost_network_kind kind;
  bool is_connection; // of a socket: it has an end
  bool has_header;    // of a tap: virtio-net's header of 12 bytes before each packet
  uint32_t mtu;       // of a tap, in bytes; 0 if unknown
};

// A tap is set up as Apus needs it. -EINVAL: a tun device, or one that puts packet information before packets.
int chost_network_describe(int descriptor, struct chost_network *_Nonnull network);

// A descriptor of the tap device of that name, with headers where the kernel has them.
int chost_tap_open(const char *_Nonnull name);

// What the tap may send to the guest: TUN_F_*, of which older headers do not have all.
enum chost_tap_offloads {
  CHOST_TAP_CHECKSUM = 0x01,
  CHOST_TAP_TSO4 = 0x02,
  CHOST_TAP_TSO6 = 0x04,
  CHOST_TAP_TSO_ECN = 0x08,
  CHOST_TAP_USO4 = 0x20,
  CHOST_TAP_USO6 = 0x40,
};
int chost_tap_set_offloads(int tap, unsigned offloads);
int64_t chost_tap_send(int tap, const void *_Nullable vectors, int count);
int64_t chost_tap_receive(int tap, const void *_Nullable vectors, int count);

// A pipe: `end` to read from without waiting, `start` to write to.
int chost_pipe(int *_Nonnull end, int *_Nonnull start);
// The same the other way round: `end` is read by another process, and `start` is written to without waiting.
int chost_pipe_for_writing(int *_Nonnull end, int *_Nonnull start);
int64_t chost_pipe_write(int pipe, const void *_Nonnull buffer, size_t size);
int64_t chost_pipe_read(int pipe, void *_Nonnull buffer, size_t size);

// Starts a program in a session of its own with `descriptor` as its number 3, no input, and `output` as its standard
// output and error. It inherits no other descriptor, and the state of no signal. `arguments` and `environment` are
// strings one after the other, each ended by a zero byte; the first argument is the program's name. The process's
// number.
enum { CHOST_PROGRAM_DESCRIPTOR = 3, CHOST_PROGRAM_ARGUMENT_LIMIT = 512, CHOST_PROGRAM_VARIABLE_LIMIT = 16 };
int chost_program_start(const char *_Nonnull path, const char *_Nonnull arguments, size_t size,
                         const char *_Nonnull environment, size_t environment_size, int descriptor, int output);

// A descriptor that becomes readable when the process ends.
int chost_process_watch(int process);

// Ends the process that a descriptor watches, if it still runs, and does not wait.
void chost_watched_process_kill(int watch);

// Ends a process, whatever it does, and waits until it has ended.
void chost_process_kill(int process);

struct chost_process_end {
  int status; // its exit status, or the signal's number
  bool by_signal;
  bool is_unknown; // this process ignores SIGCHLD: it has ended, and that is all
};

// 1 and how it ended, once; 0 while it runs.
int chost_process_ended(int process, struct chost_process_end *_Nonnull end);
