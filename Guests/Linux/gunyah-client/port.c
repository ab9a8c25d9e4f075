// SPDX-License-Identifier: GPL-2.0-only
/* Queues and doorbells. Nobody looks whether something is there before an interrupt has said so. */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/irqdomain.h>
#include <linux/of_irq.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <dt-bindings/interrupt-controller/arm-gic.h>

#include "client.h"

struct port {
	enum gunyah_kind kind;
	struct gunyah_end transmit, receive;
};

void gunyah_init_end(struct gunyah_end *end, u64 capability)
{
	*end = (struct gunyah_end){ .capability = capability };
	mutex_init(&end->lock);
	init_waitqueue_head(&end->wait);
}

static irqreturn_t interrupted(int irq, void *context)
{
	struct gunyah_end *end = context;

	atomic_inc(&end->interrupts);
	wake_up_interruptible(&end->wait);
	return IRQ_HANDLED;
}

int gunyah_take_interrupt(struct gunyah_end *end, const char *name)
{
	return request_irq(end->irq, interrupted, 0, name, end);
}

void gunyah_give_interrupt(struct gunyah_end *end)
{
	free_irq(end->irq, end);
	if (end->is_mapped)
		irq_dispose_mapping(end->irq);
}

static bool has_news(struct gunyah_end *end)
{
	return !end->is_blocked || atomic_read(&end->interrupts) != end->seen;
}

/* Waits for an interrupt that came since the end was found blocked, if it was. */
int gunyah_wait(struct gunyah_end *end, bool may_wait)
{
	if (!may_wait && !has_news(end))
		return -EAGAIN;
	if (wait_event_interruptible(end->wait, has_news(end)))
		return -ERESTARTSYS;
	end->seen = atomic_read(&end->interrupts);
	return 0;
}

/* The end's lock is the caller's. */
ssize_t gunyah_send(struct gunyah_end *end, const void *message, size_t size, bool push, bool may_wait)
{
	struct gunyah_results results;
	int result;

	do {
		result = gunyah_wait(end, may_wait);
		if (result)
			return result;
		gunyah_call(&results, GUNYAH_QUEUE_SEND, end->capability, size, (u64)message, push ? GUNYAH_PUSH : 0);
		end->is_blocked = results.error == GUNYAH_FULL || (!results.error && !results.values[0]);
	} while (results.error == GUNYAH_FULL);
	return results.error ? gunyah_errno(results.error) : size;
}

/* The end's lock is the caller's. */
ssize_t gunyah_receive(struct gunyah_end *end, void *buffer, size_t size, bool may_wait)
{
	struct gunyah_results results;
	int result;

	do {
		result = gunyah_wait(end, may_wait);
		if (result)
			return result;
		gunyah_call(&results, GUNYAH_QUEUE_RECEIVE, end->capability, (u64)buffer, size, 0);
		end->is_blocked = results.error == GUNYAH_EMPTY || (!results.error && !results.values[1]);
	} while (results.error == GUNYAH_EMPTY);
	return results.error ? gunyah_errno(results.error) : results.values[0];
}

static ssize_t hear(struct gunyah_end *end, u64 *flags, bool may_wait)
{
	struct gunyah_results results;
	int result;

	do {
		result = gunyah_wait(end, may_wait);
		if (result)
			return result;
		gunyah_call(&results, GUNYAH_BELL_RECEIVE, end->capability, ~0ULL, 0, 0);
		/* Each ring is an interrupt; without flags this one was heard with the ring before. */
		end->is_blocked = true;
	} while (!results.error && !results.values[0]);
	*flags = results.values[0];
	return results.error ? gunyah_errno(results.error) : sizeof(*flags);
}

static ssize_t port_read(struct file *file, char __user *user, size_t size, loff_t *offset)
{
	struct port *port = file->private_data;
	struct gunyah_end *end = &port->receive;
	bool may_wait = !(file->f_flags & O_NONBLOCK);
	u8 buffer[GUNYAH_MESSAGE_MAX + 1] __aligned(8);
	ssize_t result;

	if (!end->capability || port->kind == GUNYAH_VCPU)
		return -EBADF;
	if (mutex_lock_interruptible(&end->lock))
		return -ERESTARTSYS;
	if (port->kind == GUNYAH_QUEUE)
		result = gunyah_receive(end, buffer, min(size, sizeof(buffer)), may_wait);
	else
		result = size < sizeof(u64) ? -EINVAL : hear(end, (u64 *)buffer, may_wait);
	mutex_unlock(&end->lock);
	if (result > 0 && copy_to_user(user, buffer, result))
		return -EFAULT;
	return result;
}

static ssize_t port_write(struct file *file, const char __user *user, size_t size, loff_t *offset)
{
	struct port *port = file->private_data;
	struct gunyah_end *end = &port->transmit;
	struct gunyah_results results;
	u8 buffer[GUNYAH_MESSAGE_MAX + 1] __aligned(8);
	ssize_t result;

	if (!end->capability)
		return -EBADF;
	if (size > sizeof(buffer))
		return -EMSGSIZE;
	if (copy_from_user(buffer, user, size))
		return -EFAULT;
	if (port->kind != GUNYAH_QUEUE) {
		if (size != sizeof(u64))
			return -EINVAL;
		gunyah_call(&results, GUNYAH_BELL_SEND, end->capability, *(u64 *)buffer, 0, 0);
		return results.error ? gunyah_errno(results.error) : size;
	}
	if (mutex_lock_interruptible(&end->lock))
		return -ERESTARTSYS;
	result = gunyah_send(end, buffer, size, true, !(file->f_flags & O_NONBLOCK));
	mutex_unlock(&end->lock);
	return result;
}

static __poll_t port_poll(struct file *file, poll_table *table)
{
	struct port *port = file->private_data;
	__poll_t result = 0;

	poll_wait(file, &port->receive.wait, table);
	poll_wait(file, &port->transmit.wait, table);
	if (port->receive.capability && has_news(&port->receive))
		result |= EPOLLIN | EPOLLRDNORM;
	if (port->transmit.capability && (port->kind != GUNYAH_QUEUE || has_news(&port->transmit)))
		result |= EPOLLOUT | EPOLLWRNORM;
	return result;
}

/* States in which a vCPU goes on by itself. */
#define VCPU_READY 0
#define VCPU_EXPECTS_WAKEUP 1
#define VCPU_BLOCKED 3

static long run_vcpu(struct gunyah_end *end, struct gunyah_run __user *user)
{
	struct gunyah_results results;
	struct gunyah_run run;
	long result;

	if (copy_from_user(&run, user, sizeof(run)))
		return -EFAULT;
	if (mutex_lock_interruptible(&end->lock))
		return -ERESTARTSYS;
	do {
		result = gunyah_wait(end, true);
		if (result)
			break;
		gunyah_call(&results, GUNYAH_VCPU_RUN, end->capability, run.resume, 0, 0);
		result = gunyah_errno(results.error);
		end->is_blocked = !result && results.values[0] == VCPU_EXPECTS_WAKEUP;
		cond_resched();
	} while (!result && (results.values[0] == VCPU_READY || results.values[0] == VCPU_EXPECTS_WAKEUP ||
			     results.values[0] == VCPU_BLOCKED));
	mutex_unlock(&end->lock);
	if (result)
		return result;
	run.state = results.values[0];
	for (int index = 0; index < 3; index++)
		run.data[index] = results.values[index + 1];
	return copy_to_user(user, &run, sizeof(run)) ? -EFAULT : 0;
}

static long port_ioctl(struct file *file, unsigned int request, unsigned long argument)
{
	struct port *port = file->private_data;
	struct gunyah_port told = {
		.transmit = port->transmit.capability,
		.receive = port->receive.capability,
		.transmit_interrupts = atomic_read(&port->transmit.interrupts),
		.receive_interrupts = atomic_read(&port->receive.interrupts),
	};

	if (request == GUNYAH_RUN && port->kind == GUNYAH_VCPU)
		return run_vcpu(&port->receive, (void __user *)argument);
	if (request != GUNYAH_PORT)
		return -ENOTTY;
	return copy_to_user((void __user *)argument, &told, sizeof(told)) ? -EFAULT : 0;
}

static void close_port(struct port *port)
{
	if (port->transmit.irq > 0)
		gunyah_give_interrupt(&port->transmit);
	if (port->receive.irq > 0)
		gunyah_give_interrupt(&port->receive);
	kfree(port);
}

static int port_release(struct inode *inode, struct file *file)
{
	close_port(file->private_data);
	return 0;
}

static const struct file_operations port_operations = {
	.owner = THIS_MODULE,
	.read = port_read,
	.write = port_write,
	.poll = port_poll,
	.unlocked_ioctl = port_ioctl,
	.release = port_release,
};

static struct port *new_port(enum gunyah_kind kind, u64 transmit, u64 receive)
{
	struct port *port = kzalloc(sizeof(*port), GFP_KERNEL);

	if (!port)
		return NULL;
	port->kind = kind;
	gunyah_init_end(&port->transmit, transmit);
	gunyah_init_end(&port->receive, receive);
	return port;
}

/* Takes an end's interrupt, where irq has one; else the error that it is. */
static int connect(struct gunyah_end *end, int irq, bool is_mapped, const char *name)
{
	int result;

	if (irq <= 0)
		return irq ?: -ENXIO;
	end->irq = irq;
	end->is_mapped = is_mapped;
	result = gunyah_take_interrupt(end, name);
	if (result) {
		end->irq = 0;
		if (is_mapped)
			irq_dispose_mapping(irq);
	}
	return result;
}

static int finish(struct port *port, int result)
{
	if (!result)
		result = anon_inode_getfd("[gunyah-port]", &port_operations, port, O_RDWR | O_CLOEXEC);
	if (result < 0)
		close_port(port);
	return result;
}

static int open_queue(struct device_node *node)
{
	u64 reg[2] = {};
	int count = of_property_count_elems_of_size(node, "reg", sizeof(u64));
	bool is_pair = count == 2;
	bool sends = is_pair || of_property_read_bool(node, "is-sender");
	int result = 0;
	struct port *port;

	if (count < 1 || count > 2 || of_property_read_u64_array(node, "reg", reg, count))
		return -EINVAL;
	port = new_port(GUNYAH_QUEUE, sends ? reg[0] : 0, is_pair ? reg[1] : sends ? 0 : reg[0]);
	if (!port)
		return -ENOMEM;
	if (sends)
		result = connect(&port->transmit, of_irq_get(node, 0), false, "gunyah-queue-tx");
	if (!result && (is_pair || !sends))
		result = connect(&port->receive, of_irq_get(node, is_pair ? 1 : 0), false, "gunyah-queue-rx");
	return finish(port, result);
}

static int open_bell(struct device_node *node, bool is_source)
{
	u64 capability;
	struct port *port;

	if (of_property_read_u64(node, "reg", &capability))
		return -EINVAL;
	port = new_port(is_source ? GUNYAH_BELL_SOURCE : GUNYAH_BELL, is_source ? capability : 0,
			is_source ? 0 : capability);
	if (!port)
		return -ENOMEM;
	return finish(port, is_source ? 0 : connect(&port->receive, of_irq_get(node, 0), false, "gunyah-bell"));
}

int gunyah_open_node(const struct gunyah_node *request)
{
	static const char *const compatibles[] = {
		[GUNYAH_QUEUE] = "qcom,gunyah-message-queue",
		[GUNYAH_BELL_SOURCE] = "qcom,gunyah-doorbell-source",
		[GUNYAH_BELL] = "qcom,gunyah-doorbell",
		[GUNYAH_SHARED_MEMORY] = "qcom,shared-memory",
	};
	struct device_node *node;
	u32 label;
	int result = -ENODEV;

	if (request->kind >= ARRAY_SIZE(compatibles))
		return -EINVAL;
	for_each_compatible_node(node, NULL, compatibles[request->kind]) {
		/* A resource manager's link says that it is a queue, too. */
		if (of_device_is_compatible(node, "gunyah-resource-manager"))
			continue;
		if (of_property_read_u32(node, "label", &label) && of_property_read_u32(node, "qcom,label", &label))
			continue;
		if (label == request->label)
			break;
	}
	if (!node)
		return result;
	switch (request->kind) {
	case GUNYAH_QUEUE: result = open_queue(node); break;
	case GUNYAH_SHARED_MEMORY: result = gunyah_open_shared_memory(node); break;
	default: result = open_bell(node, request->kind == GUNYAH_BELL_SOURCE); break;
	}
	of_node_put(node);
	return result;
}

/* Linux's number of an interrupt that no node has. */
static int map_interrupt(u32 number)
{
	struct device_node *root, *parent;
	struct irq_fwspec specification = {
		.param_count = 3, .param = { GIC_SPI, number - 32, IRQ_TYPE_EDGE_RISING },
	};
	int irq;

	if (number < 32)
		return -EINVAL;
	root = of_find_node_by_path("/");
	parent = of_irq_find_parent(root);
	of_node_put(root);
	if (!parent)
		return -ENODEV;
	specification.fwnode = of_node_to_fwnode(parent);
	irq = irq_create_fwspec_mapping(&specification);
	of_node_put(parent);
	return irq ?: -ENXIO;
}

int gunyah_open_resource(const struct gunyah_resource *request)
{
	int result = 0;
	struct port *port;

	if (request->kind > GUNYAH_BELL && request->kind != GUNYAH_VCPU)
		return -EINVAL;
	if (request->kind == GUNYAH_VCPU)
		port = new_port(request->kind, 0, request->transmit);
	else
		port = new_port(request->kind, request->transmit, request->receive);
	if (!port)
		return -ENOMEM;
	if (request->transmit_interrupt)
		result = connect(&port->transmit, map_interrupt(request->transmit_interrupt), true, "gunyah-tx");
	if (!result && request->receive_interrupt)
		result = connect(&port->receive, map_interrupt(request->receive_interrupt), true, "gunyah-rx");
	return finish(port, result);
}
