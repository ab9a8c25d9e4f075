/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What programs do with /dev/gunyah-client.
 *
 * The device itself is the link to the resource manager. A write is one whole request: struct gunyah_message and its
 * payload; the kernel gives it its number. A read is one whole message, a reply to this descriptor's requests or a
 * notification. Queues, doorbells and memory have descriptors of their own, which ioctls of the device make:
 *
 *     a queue       read and write one message, and wait for an interrupt where there is none, or no room
 *     a doorbell    read gives its flags as 8 bytes, clears them, and waits where none is set; write rings it
 *     memory        is to be mapped
 */
#ifndef GUNYAH_CLIENT_H
#define GUNYAH_CLIENT_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define GUNYAH_MESSAGE_MAX 1023

/* A message to or from the resource manager; the payload follows. */
struct gunyah_message {
	__u8 kind; /* one of GUNYAH_… */
	__u8 reserved;
	__u16 sequence; /* of requests and their replies */
	__u32 id;
};

#define GUNYAH_REQUEST 1
#define GUNYAH_REPLY 2
#define GUNYAH_NOTIFICATION 3

/* What the module has found. */
struct gunyah_info {
	__u32 uid[4];
	__u64 api;
	__u64 features;
	/* The capabilities of the link to the resource manager. */
	__u64 transmit;
	__u64 receive;
};
#define GUNYAH_INFO _IOR('g', 1, struct gunyah_info)

/* Where a raw call's buffer is. */
enum gunyah_buffer {
	GUNYAH_NO_BUFFER,
	GUNYAH_LINEAR, /* kmalloc */
	GUNYAH_VMALLOC, /* crosses into a page that is somewhere else */
	GUNYAH_DATA, /* the module's own */
	GUNYAH_STACK, /* the kernel's, which is mapped by pages */
	GUNYAH_GUARD, /* begins where nothing is mapped */
};

/* A call as it is. */
struct gunyah_raw_call {
	__u64 registers[8]; /* x0 to x7; results, too */
	__u32 is_smc;
	__u32 buffer; /* enum gunyah_buffer */
	__u32 place; /* the register that gets the buffer's address */
	__u32 size; /* of the buffer, 4096 bytes at most */
	__u64 data; /* the program's copy of it, before and after */
};
#define GUNYAH_RAW_CALL _IOWR('g', 2, struct gunyah_raw_call)

enum gunyah_kind {
	GUNYAH_QUEUE, /* a pair, or one of them */
	GUNYAH_BELL_SOURCE,
	GUNYAH_BELL,
	GUNYAH_SHARED_MEMORY,
	GUNYAH_VCPU, /* of a machine that this one schedules */
};

/* Opens what a node of the device tree is about; the result is a descriptor. */
struct gunyah_node {
	__u32 kind; /* enum gunyah_kind */
	__u32 label;
};
#define GUNYAH_OPEN_NODE _IOW('g', 3, struct gunyah_node)

/* Opens what the resource manager has told of; the result is a descriptor. */
struct gunyah_resource {
	__u32 kind; /* a queue, a doorbell, or a vCPU: its capability in transmit, its wake-up in receive_interrupt */
	/* As the interrupt controller counts them; 0: none. */
	__u32 transmit_interrupt;
	__u32 receive_interrupt;
	__u32 reserved;
	__u64 transmit;
	__u64 receive;
};
#define GUNYAH_OPEN_RESOURCE _IOW('g', 4, struct gunyah_resource)

/* Takes memory from the kernel, to be lent; the result is a descriptor. */
struct gunyah_memory {
	__u64 size; /* a multiple of piece_size */
	__u64 piece_size; /* of what is contiguous at least, a power of two of 4 KiB to 4 MiB */
};
#define GUNYAH_NEW_MEMORY _IOW('g', 5, struct gunyah_memory)

/* Of a queue or doorbell: its capabilities, and how many interrupts have come. */
struct gunyah_port {
	__u64 transmit;
	__u64 receive;
	__u64 transmit_interrupts;
	__u64 receive_interrupts;
};
#define GUNYAH_PORT _IOR('g', 6, struct gunyah_port)

/* Of a vCPU: runs it until it stops, and waits for its interrupt meanwhile. */
struct gunyah_run {
	__u64 resume; /* what the read gives that stopped it before */
	__u64 state;
	__u64 data[3];
};
#define GUNYAH_RUN _IOWR('g', 9, struct gunyah_run)

/* Of memory: the address of each piece. */
struct gunyah_pieces {
	__u64 addresses; /* an array of __u64 */
	__u32 first;
	__u32 count;
};
#define GUNYAH_PIECES _IOW('g', 7, struct gunyah_pieces)

/* Of memory: whether it is lent (1) or not (0). While it is, closing it does not give it back to the kernel. */
#define GUNYAH_LENT _IO('g', 8)

#endif
