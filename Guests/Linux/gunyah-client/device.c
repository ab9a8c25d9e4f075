// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client of the hypervisor Gunyah, for tests: calls need EL1, so programs ask this module. It finds the hypervisor
 * and its resource manager by the device tree alone. What programs see is in gunyah-client.h.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#include "client.h"

static struct gunyah_info info;

static int device_open(struct inode *inode, struct file *file)
{
	file->private_data = gunyah_new_reader();
	return file->private_data ? 0 : -ENOMEM;
}

static int device_release(struct inode *inode, struct file *file)
{
	gunyah_free_reader(file->private_data);
	return 0;
}

static ssize_t device_read(struct file *file, char __user *buffer, size_t size, loff_t *offset)
{
	return gunyah_next_message(file->private_data, buffer, size, !(file->f_flags & O_NONBLOCK));
}

static ssize_t device_write(struct file *file, const char __user *buffer, size_t size, loff_t *offset)
{
	return gunyah_request(file->private_data, buffer, size);
}

static __poll_t device_poll(struct file *file, poll_table *table)
{
	poll_wait(file, gunyah_reader_wait(file->private_data), table);
	return EPOLLOUT | EPOLLWRNORM | (gunyah_has_message(file->private_data) ? EPOLLIN | EPOLLRDNORM : 0);
}

static long device_ioctl(struct file *file, unsigned int request, unsigned long argument)
{
	void __user *user = (void __user *)argument;
	union {
		struct gunyah_node node;
		struct gunyah_resource resource;
		struct gunyah_memory memory;
	} copy;

	switch (request) {
	case GUNYAH_INFO:
		return copy_to_user(user, &info, sizeof(info)) ? -EFAULT : 0;
	case GUNYAH_RAW_CALL:
		return gunyah_raw_call(user);
	case GUNYAH_OPEN_NODE:
		return copy_from_user(&copy.node, user, sizeof(copy.node)) ? -EFAULT : gunyah_open_node(&copy.node);
	case GUNYAH_OPEN_RESOURCE:
		return copy_from_user(&copy.resource, user, sizeof(copy.resource)) ?
			       -EFAULT : gunyah_open_resource(&copy.resource);
	case GUNYAH_NEW_MEMORY:
		return copy_from_user(&copy.memory, user, sizeof(copy.memory)) ?
			       -EFAULT : gunyah_new_memory(&copy.memory);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations device_operations = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.read = device_read,
	.write = device_write,
	.poll = device_poll,
	.unlocked_ioctl = device_ioctl,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "gunyah-client",
	.fops = &device_operations,
};

static int __init identify(void)
{
	static const u32 uid[] = { 0xCD8FD5C1, 0xDB5F53A4, 0x36CE6592, 0x145F3D67 };
	struct gunyah_results results;

	gunyah_call(&results, GUNYAH_UID, 0, 0, 0, 0);
	info.uid[0] = results.error;
	for (int index = 1; index < 4; index++)
		info.uid[index] = results.values[index - 1];
	if (memcmp(info.uid, uid, sizeof(uid))) {
		pr_err("gunyah-client: the hypervisor's UID is %08x %08x %08x %08x\n", info.uid[0], info.uid[1],
		       info.uid[2], info.uid[3]);
		return -ENODEV;
	}
	gunyah_call(&results, GUNYAH_IDENTIFY, 0, 0, 0, 0);
	info.api = results.error;
	info.features = results.values[0];
	if ((info.api & 0x3FFF) != 1) {
		pr_err("gunyah-client: version %llu of the interface is not known\n", info.api & 0x3FFF);
		return -ENODEV;
	}
	return 0;
}

static int __init client_init(void)
{
	struct device_node *hypervisor, *manager;
	int result;

	hypervisor = of_find_compatible_node(NULL, NULL, "gunyah-hypervisor");
	if (!hypervisor)
		return -ENODEV;
	manager = of_get_compatible_child(hypervisor, "gunyah-resource-manager");
	of_node_put(hypervisor);
	if (!manager)
		return -ENODEV;
	result = identify();
	if (!result)
		result = gunyah_open_link(manager, &info);
	of_node_put(manager);
	if (result)
		return result;
	result = misc_register(&device);
	if (result)
		gunyah_close_link();
	return result;
}

static void __exit client_exit(void)
{
	misc_deregister(&device);
	gunyah_close_link();
}

module_init(client_init);
module_exit(client_exit);
MODULE_DESCRIPTION("Client of the hypervisor Gunyah for tests");
MODULE_LICENSE("GPL");
