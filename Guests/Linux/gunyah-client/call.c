// SPDX-License-Identifier: GPL-2.0-only
/* Calls of the hypervisor: the module's own, and those that a program makes up. */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "client.h"

#define RAW_SIZE_MAX 4096

void gunyah_call(struct gunyah_results *results, u32 number, u64 x1, u64 x2, u64 x3, u64 x4)
{
	struct arm_smccc_1_2_regs in = { .a0 = number, .a1 = x1, .a2 = x2, .a3 = x3, .a4 = x4 };
	struct arm_smccc_1_2_regs out;

	arm_smccc_1_2_hvc(&in, &out);
	results->error = out.a0;
	results->values[0] = out.a1;
	results->values[1] = out.a2;
	results->values[2] = out.a3;
	results->values[3] = out.a4;
}

int gunyah_errno(s64 error)
{
	switch (error) {
	case GUNYAH_OK: return 0;
	case 1: return -EINVAL;
	case 2: return -EMSGSIZE;
	case 20: return -EOVERFLOW;
	case 22: return -EFAULT;
	case 50: return -ENXIO;
	case 51: return -EPIPE;
	case 52: return -EBADF;
	case 53: return -EACCES;
	case GUNYAH_EMPTY:
	case GUNYAH_FULL: return -EAGAIN;
	default: return -EIO;
	}
}

/* Whichever CPU the call is on, and whoever else makes one. */
static DEFINE_MUTEX(data_lock);
static u8 data[RAW_SIZE_MAX] = { 1 };

static void call(struct gunyah_raw_call *request)
{
	struct arm_smccc_1_2_regs in = {
		.a0 = request->registers[0], .a1 = request->registers[1], .a2 = request->registers[2],
		.a3 = request->registers[3], .a4 = request->registers[4], .a5 = request->registers[5],
		.a6 = request->registers[6], .a7 = request->registers[7],
	};
	struct arm_smccc_1_2_regs out;

	if (request->is_smc)
		arm_smccc_1_2_smc(&in, &out);
	else
		arm_smccc_1_2_hvc(&in, &out);
	request->registers[0] = out.a0;
	request->registers[1] = out.a1;
	request->registers[2] = out.a2;
	request->registers[3] = out.a3;
	request->registers[4] = out.a4;
	request->registers[5] = out.a5;
	request->registers[6] = out.a6;
	request->registers[7] = out.a7;
}

static long call_with(struct gunyah_raw_call *request, void *buffer)
{
	if (copy_from_user(buffer, u64_to_user_ptr(request->data), request->size))
		return -EFAULT;
	request->registers[request->place] = (u64)buffer;
	call(request);
	if (copy_to_user(u64_to_user_ptr(request->data), buffer, request->size))
		return -EFAULT;
	return 0;
}

static noinline long call_with_stack(struct gunyah_raw_call *request)
{
	u8 buffer[GUNYAH_MESSAGE_MAX + 1];

	if (request->size > sizeof(buffer))
		return -EINVAL;
	return call_with(request, buffer);
}

static long call_with_linear(struct gunyah_raw_call *request)
{
	void *buffer = kzalloc(max(request->size, 1U), GFP_KERNEL);
	long result;

	if (!buffer)
		return -ENOMEM;
	result = call_with(request, buffer);
	kfree(buffer);
	return result;
}

/* The buffer's middle is where a page ends. */
static long call_with_vmalloc(struct gunyah_raw_call *request)
{
	void *pages = vzalloc(2 * PAGE_SIZE);
	long result;

	if (!pages)
		return -ENOMEM;
	result = call_with(request, pages + PAGE_SIZE - request->size / 2);
	vfree(pages);
	return result;
}

/* Behind what vmalloc gives is a page that is not mapped. */
static long call_with_guard(struct gunyah_raw_call *request)
{
	void *page = vzalloc(PAGE_SIZE);

	if (!page)
		return -ENOMEM;
	request->registers[request->place] = (u64)page + PAGE_SIZE;
	call(request);
	vfree(page);
	return 0;
}

static long call_with_data(struct gunyah_raw_call *request)
{
	long result;

	mutex_lock(&data_lock);
	result = call_with(request, data);
	mutex_unlock(&data_lock);
	return result;
}

long gunyah_raw_call(struct gunyah_raw_call __user *argument)
{
	struct gunyah_raw_call request;
	long result = 0;

	if (copy_from_user(&request, argument, sizeof(request)))
		return -EFAULT;
	if (request.place >= ARRAY_SIZE(request.registers) || request.size > RAW_SIZE_MAX)
		return -EINVAL;
	switch (request.buffer) {
	case GUNYAH_NO_BUFFER: call(&request); break;
	case GUNYAH_LINEAR: result = call_with_linear(&request); break;
	case GUNYAH_VMALLOC: result = call_with_vmalloc(&request); break;
	case GUNYAH_DATA: result = call_with_data(&request); break;
	case GUNYAH_STACK: result = call_with_stack(&request); break;
	case GUNYAH_GUARD: result = call_with_guard(&request); break;
	default: return -EINVAL;
	}
	if (!result && copy_to_user(argument, &request, sizeof(request)))
		return -EFAULT;
	return result;
}
