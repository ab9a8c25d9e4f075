// SPDX-License-Identifier: GPL-2.0-only
/* Memory that this machine lends, and memory that another machine shares with it. Programs map both. */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/of_address.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "client.h"

struct memory {
	/* The device tree's stays what it is. */
	bool is_shared;
	/* Somebody else has it: the kernel must not touch it. */
	bool is_lent;
	unsigned int order;
	u64 piece_size;
	u32 count;
	u64 addresses[] __counted_by(count);
};

static int compare(const void *left, const void *right)
{
	u64 a = *(const u64 *)left, b = *(const u64 *)right;

	return a < b ? -1 : a > b;
}

static void free_memory(struct memory *memory)
{
	if (memory->is_lent)
		pr_warn("gunyah-client: %u pieces of memory were lent and are lost\n", memory->count);
	else if (!memory->is_shared)
		for (u32 index = 0; index < memory->count; index++)
			__free_pages(pfn_to_page(memory->addresses[index] >> PAGE_SHIFT), memory->order);
	kvfree(memory);
}

static int memory_release(struct inode *inode, struct file *file)
{
	free_memory(file->private_data);
	return 0;
}

static int memory_mmap(struct file *file, struct vm_area_struct *area)
{
	struct memory *memory = file->private_data;
	u64 start = (u64)area->vm_pgoff << PAGE_SHIFT, size = area->vm_end - area->vm_start;
	unsigned long address = area->vm_start;

	if (start > memory->piece_size * memory->count || size > memory->piece_size * memory->count - start)
		return -EINVAL;
	while (size) {
		u64 within = start % memory->piece_size;
		u64 part = min(size, memory->piece_size - within);
		u64 place = memory->addresses[start / memory->piece_size] + within;
		int result = remap_pfn_range(area, address, place >> PAGE_SHIFT, part, area->vm_page_prot);

		if (result)
			return result;
		address += part;
		start += part;
		size -= part;
	}
	return 0;
}

static long memory_ioctl(struct file *file, unsigned int request, unsigned long argument)
{
	struct memory *memory = file->private_data;
	struct gunyah_pieces pieces;

	switch (request) {
	case GUNYAH_LENT:
		memory->is_lent = argument;
		return 0;
	case GUNYAH_PIECES:
		if (copy_from_user(&pieces, (void __user *)argument, sizeof(pieces)))
			return -EFAULT;
		if (pieces.first > memory->count || pieces.count > memory->count - pieces.first)
			return -EINVAL;
		if (copy_to_user(u64_to_user_ptr(pieces.addresses), memory->addresses + pieces.first,
				 pieces.count * sizeof(u64)))
			return -EFAULT;
		return 0;
	default:
		return -ENOTTY;
	}
}

static const struct file_operations memory_operations = {
	.owner = THIS_MODULE,
	.mmap = memory_mmap,
	.unlocked_ioctl = memory_ioctl,
	.release = memory_release,
};

static int finish(struct memory *memory)
{
	int result = anon_inode_getfd("[gunyah-memory]", &memory_operations, memory, O_RDWR | O_CLOEXEC);

	if (result < 0)
		free_memory(memory);
	return result;
}

int gunyah_new_memory(const struct gunyah_memory *request)
{
	struct memory *memory;
	u32 count;

	if (!is_power_of_2(request->piece_size) || request->piece_size < PAGE_SIZE ||
	    request->piece_size > PAGE_SIZE << MAX_PAGE_ORDER || !request->size ||
	    request->size % request->piece_size || request->size > 1ULL << 40)
		return -EINVAL;
	count = request->size / request->piece_size;
	memory = kvzalloc(struct_size(memory, addresses, count), GFP_KERNEL);
	if (!memory)
		return -ENOMEM;
	memory->order = get_order(request->piece_size);
	memory->piece_size = request->piece_size;
	while (memory->count < count) {
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_NOWARN, memory->order);

		if (!page) {
			free_memory(memory);
			return -ENOMEM;
		}
		memory->count++;
		memory->addresses[memory->count - 1] = page_to_phys(page);
	}
	/* The kernel gives neighbours, though in no order; in order they are one range for the hypervisor. */
	sort(memory->addresses, count, sizeof(u64), compare, NULL);
	return finish(memory);
}

int gunyah_open_shared_memory(struct device_node *node)
{
	struct device_node *region = of_parse_phandle(node, "memory-region", 0);
	struct resource resource;
	struct memory *memory;
	int result;

	if (!region)
		return -ENOENT;
	result = of_address_to_resource(region, 0, &resource);
	of_node_put(region);
	if (result)
		return result;
	memory = kvzalloc(struct_size(memory, addresses, 1), GFP_KERNEL);
	if (!memory)
		return -ENOMEM;
	memory->is_shared = true;
	memory->piece_size = resource_size(&resource);
	memory->count = 1;
	memory->addresses[0] = resource.start;
	return finish(memory);
}
