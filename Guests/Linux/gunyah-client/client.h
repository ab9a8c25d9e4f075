/* SPDX-License-Identifier: GPL-2.0-only */
/* What the module's parts have in common. */
#ifndef CLIENT_H
#define CLIENT_H

#include <linux/arm-smccc.h>
#include <linux/atomic.h>
#include <linux/interrupt.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "gunyah-client.h"

/* Calls: x0. */
#define GUNYAH_IDENTIFY 0xC6008000
#define GUNYAH_BELL_SEND 0xC6008012
#define GUNYAH_BELL_RECEIVE 0xC6008013
#define GUNYAH_QUEUE_SEND 0xC600801B
#define GUNYAH_QUEUE_RECEIVE 0xC600801C
#define GUNYAH_VCPU_RUN 0xC6008065
#define GUNYAH_UID 0x8600FF01

#define GUNYAH_PUSH 1

/* Errors of calls, as far as they are told apart. */
#define GUNYAH_OK 0
#define GUNYAH_EMPTY 60
#define GUNYAH_FULL 61

#define FRAGMENT_MAX 240

struct gunyah_results {
	s64 error;
	u64 values[4];
};

void gunyah_call(struct gunyah_results *results, u32 number, u64 x1, u64 x2, u64 x3, u64 x4);
int gunyah_errno(s64 error);
long gunyah_raw_call(struct gunyah_raw_call __user *argument);

/* An end of a queue or a doorbell, and who waits for its interrupt. */
struct gunyah_end {
	u64 capability; /* 0: there is none */
	int irq; /* 0: there is none */
	bool is_mapped; /* whether the interrupt's number is this end's to give back */
	struct mutex lock;
	wait_queue_head_t wait;
	atomic_t interrupts;
	/* There was nothing to receive, or no room, and the count of interrupts before that was found. */
	bool is_blocked;
	int seen;
};

void gunyah_init_end(struct gunyah_end *end, u64 capability);
int gunyah_take_interrupt(struct gunyah_end *end, const char *name);
void gunyah_give_interrupt(struct gunyah_end *end);
int gunyah_wait(struct gunyah_end *end, bool may_wait);
ssize_t gunyah_send(struct gunyah_end *end, const void *message, size_t size, bool push, bool may_wait);
ssize_t gunyah_receive(struct gunyah_end *end, void *buffer, size_t size, bool may_wait);

/* The link to the resource manager. */
struct gunyah_reader;
int gunyah_open_link(struct device_node *node, struct gunyah_info *info);
void gunyah_close_link(void);
struct gunyah_reader *gunyah_new_reader(void);
void gunyah_free_reader(struct gunyah_reader *reader);
ssize_t gunyah_request(struct gunyah_reader *reader, const char __user *buffer, size_t size);
ssize_t gunyah_next_message(struct gunyah_reader *reader, char __user *buffer, size_t size, bool may_wait);
bool gunyah_has_message(struct gunyah_reader *reader);
wait_queue_head_t *gunyah_reader_wait(struct gunyah_reader *reader);

int gunyah_open_node(const struct gunyah_node *request);
int gunyah_open_resource(const struct gunyah_resource *request);
int gunyah_open_shared_memory(struct device_node *node);
int gunyah_new_memory(const struct gunyah_memory *request);

#endif
