// SPDX-License-Identifier: GPL-2.0-only
/*
 * The link to the resource manager: requests go out in fragments, and what comes is put together. Interrupts are used
 * as Linux's own driver does it: a thread receives until the hypervisor says that no more is there, and a fragment is
 * sent when the one before left room, or the interrupt said so.
 */
#include <linux/list.h>
#include <linux/of_irq.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#include "client.h"

#define API 0x21
#define CONTINUATION 0
#define CONTINUATIONS_MAX 62
#define PAYLOAD_MAX (FRAGMENT_MAX - sizeof(struct header))
#define MESSAGE_MAX (PAYLOAD_MAX * (CONTINUATIONS_MAX + 1))
/* Messages that a program has not read; further ones are lost for it. */
#define UNREAD_MAX 512

struct header {
	u8 api;
	u8 kind; /* and the count of continuations << 2 */
	u16 sequence;
	u32 id;
};

struct message {
	struct list_head list;
	struct gunyah_message header;
	size_t size;
	u8 payload[];
};

struct gunyah_reader {
	struct list_head list;
	struct list_head messages;
	unsigned int count;
	wait_queue_head_t wait;
	/* The last request's; replies to others are not for this reader. */
	u16 sequence;
	bool has_asked;
};

static struct gunyah_end transmit, receive;
static u16 next_sequence;
static LIST_HEAD(readers);
static DEFINE_SPINLOCK(readers_lock);

/* Of the receiving thread alone. */
static struct message *partial;
static unsigned int missing, total;

static void deliver_to(struct gunyah_reader *reader, const struct message *message)
{
	struct message *copy;

	if (reader->count >= UNREAD_MAX) {
		pr_warn_ratelimited("gunyah-client: a program does not read its messages\n");
		return;
	}
	copy = kmemdup(message, sizeof(*message) + message->size, GFP_ATOMIC);
	if (!copy)
		return;
	list_add_tail(&copy->list, &reader->messages);
	reader->count++;
	wake_up_interruptible(&reader->wait);
}

static void deliver(const struct message *message)
{
	struct gunyah_reader *reader;
	bool is_reply = message->header.kind == GUNYAH_REPLY;

	spin_lock(&readers_lock);
	list_for_each_entry(reader, &readers, list)
		if (!is_reply || (reader->has_asked && reader->sequence == message->header.sequence))
			deliver_to(reader, message);
	spin_unlock(&readers_lock);
}

static void drop_partial(const char *why)
{
	if (!partial)
		return;
	pr_warn("gunyah-client: message 0x%x is not whole: %s\n", partial->header.id, why);
	kfree(partial);
	partial = NULL;
}

static void begin(const struct header *header, u8 kind)
{
	drop_partial("another one begins");
	partial = kmalloc(sizeof(*partial) + MESSAGE_MAX, GFP_KERNEL);
	if (!partial)
		return;
	partial->header = (struct gunyah_message){ .kind = kind, .sequence = header->sequence, .id = header->id };
	partial->size = 0;
	total = header->kind >> 2;
	missing = total + 1;
}

static void take_fragment(const u8 *fragment, size_t size)
{
	const struct header *header = (const void *)fragment;
	u8 kind = header->kind & 3;

	if (size < sizeof(*header) || header->api != API || header->kind >> 2 > CONTINUATIONS_MAX ||
	    kind == GUNYAH_REQUEST) {
		pr_warn("gunyah-client: a fragment of %zu bytes is none\n", size);
		return;
	}
	if (kind != CONTINUATION) {
		begin(header, kind);
	} else if (!partial || partial->header.id != header->id || partial->header.sequence != header->sequence ||
		   total != header->kind >> 2) {
		drop_partial("a fragment of another one comes");
		return;
	}
	if (!partial)
		return;
	size -= sizeof(*header);
	memcpy(partial->payload + partial->size, fragment + sizeof(*header), size);
	partial->size += size;
	if (--missing)
		return;
	deliver(partial);
	kfree(partial);
	partial = NULL;
}

static irqreturn_t receive_all(int irq, void *context)
{
	struct gunyah_results results;
	/* A stack that is mapped by pages, as drivers' buffers are. */
	u8 fragment[FRAGMENT_MAX] __aligned(8);

	do {
		gunyah_call(&results, GUNYAH_QUEUE_RECEIVE, receive.capability, (u64)fragment, sizeof(fragment), 0);
		if (results.error) {
			if (results.error != GUNYAH_EMPTY)
				pr_warn("gunyah-client: the link cannot be read: error %lld\n", results.error);
			break;
		}
		take_fragment(fragment, results.values[0]);
	} while (results.values[1]);
	return IRQ_HANDLED;
}

int gunyah_open_link(struct device_node *node, struct gunyah_info *info)
{
	int result;

	if (of_property_read_u64_index(node, "reg", 0, &info->transmit) ||
	    of_property_read_u64_index(node, "reg", 1, &info->receive))
		return -EINVAL;
	gunyah_init_end(&transmit, info->transmit);
	gunyah_init_end(&receive, info->receive);
	transmit.irq = of_irq_get(node, 0);
	receive.irq = of_irq_get(node, 1);
	if (transmit.irq <= 0 || receive.irq <= 0)
		return -ENXIO;
	result = gunyah_take_interrupt(&transmit, "gunyah-rm-tx");
	if (result)
		return result;
	result = request_threaded_irq(receive.irq, NULL, receive_all, IRQF_ONESHOT, "gunyah-rm-rx", &receive);
	if (result)
		gunyah_give_interrupt(&transmit);
	return result;
}

void gunyah_close_link(void)
{
	free_irq(receive.irq, &receive);
	gunyah_give_interrupt(&transmit);
	kfree(partial);
	partial = NULL;
}

struct gunyah_reader *gunyah_new_reader(void)
{
	struct gunyah_reader *reader = kzalloc(sizeof(*reader), GFP_KERNEL);

	if (!reader)
		return NULL;
	INIT_LIST_HEAD(&reader->messages);
	init_waitqueue_head(&reader->wait);
	spin_lock(&readers_lock);
	list_add_tail(&reader->list, &readers);
	spin_unlock(&readers_lock);
	return reader;
}

void gunyah_free_reader(struct gunyah_reader *reader)
{
	struct message *message, *next;

	spin_lock(&readers_lock);
	list_del(&reader->list);
	spin_unlock(&readers_lock);
	list_for_each_entry_safe(message, next, &reader->messages, list)
		kfree(message);
	kfree(reader);
}

static ssize_t send_fragments(const u8 *payload, size_t size, u16 sequence, u32 id)
{
	u8 fragment[FRAGMENT_MAX] __aligned(8);
	struct header *header = (void *)fragment;
	unsigned int continuations = size ? (size - 1) / PAYLOAD_MAX : 0;
	u8 kind = GUNYAH_REQUEST;
	ssize_t result;

	do {
		size_t part = min(size, PAYLOAD_MAX);

		*header = (struct header){ API, kind | continuations << 2, sequence, id };
		memcpy(header + 1, payload, part);
		payload += part;
		size -= part;
		result = gunyah_send(&transmit, fragment, sizeof(*header) + part, !size, true);
		kind = CONTINUATION;
	} while (size && result >= 0);
	return result;
}

ssize_t gunyah_request(struct gunyah_reader *reader, const char __user *buffer, size_t size)
{
	struct gunyah_message header;
	u8 *payload;
	ssize_t result;

	if (size < sizeof(header) || size - sizeof(header) > MESSAGE_MAX)
		return -EMSGSIZE;
	if (copy_from_user(&header, buffer, sizeof(header)))
		return -EFAULT;
	if (header.kind != GUNYAH_REQUEST)
		return -EINVAL;
	payload = memdup_user(buffer + sizeof(header), size - sizeof(header));
	if (IS_ERR(payload))
		return PTR_ERR(payload);
	mutex_lock(&transmit.lock);
	spin_lock(&readers_lock);
	reader->sequence = ++next_sequence;
	reader->has_asked = true;
	spin_unlock(&readers_lock);
	result = send_fragments(payload, size - sizeof(header), reader->sequence, header.id);
	mutex_unlock(&transmit.lock);
	kfree(payload);
	return result < 0 ? result : size;
}

bool gunyah_has_message(struct gunyah_reader *reader)
{
	bool result;

	spin_lock(&readers_lock);
	result = !list_empty(&reader->messages);
	spin_unlock(&readers_lock);
	return result;
}

wait_queue_head_t *gunyah_reader_wait(struct gunyah_reader *reader)
{
	return &reader->wait;
}

static struct message *take_message(struct gunyah_reader *reader)
{
	struct message *message;

	spin_lock(&readers_lock);
	message = list_first_entry_or_null(&reader->messages, struct message, list);
	if (message) {
		list_del(&message->list);
		reader->count--;
	}
	spin_unlock(&readers_lock);
	return message;
}

ssize_t gunyah_next_message(struct gunyah_reader *reader, char __user *buffer, size_t size, bool may_wait)
{
	struct message *message;
	ssize_t result;

	while (!(message = take_message(reader))) {
		if (!may_wait)
			return -EAGAIN;
		result = wait_event_interruptible(reader->wait, gunyah_has_message(reader));
		if (result)
			return result;
	}
	result = sizeof(message->header) + message->size;
	if (size < result)
		result = -EMSGSIZE;
	else if (copy_to_user(buffer, &message->header, sizeof(message->header)) ||
		 copy_to_user(buffer + sizeof(message->header), message->payload, message->size))
		result = -EFAULT;
	kfree(message);
	return result;
}
