// The device tree of a secondary machine, flattened (Devicetree Specification 0.4, chapter 5). Its interrupt
// controller, timer and serial port are where Apus has them; what the resource manager is to make stands in
// /gunyah-vm-config.
#include <string.h>

#include "tool.h"

enum { begin_node = 1, end_node = 2, property_token = 3, end_token = 9 };

static u8 *tree, strings[1024];
static size_t used, limit, strings_used;

static void put_cell(u32 value) {
  if (used + 4 > limit)
    fail("a device tree of more than %zu bytes", limit);
  for (int shift = 24; shift >= 0; shift -= 8)
    tree[used++] = (u8)(value >> shift);
}

static void put_bytes(const void *bytes, size_t count) {
  if (used + count + 3 > limit)
    fail("a device tree of more than %zu bytes", limit);
  memcpy(tree + used, bytes, count);
  for (used += count; used % 4 != 0; used++)
    tree[used] = 0;
}

static void begin(const char *name) {
  put_cell(begin_node);
  put_bytes(name, strlen(name) + 1);
}

static void end(void) { put_cell(end_node); }

static u32 string_place(const char *name) {
  for (size_t place = 0; place < strings_used; place += strlen((char *)strings + place) + 1)
    if (strcmp((char *)strings + place, name) == 0)
      return (u32)place;
  size_t count = strlen(name) + 1;
  if (strings_used + count > sizeof(strings))
    fail("too many names of properties");
  memcpy(strings + strings_used, name, count);
  strings_used += count;
  return (u32)(strings_used - count);
}

static void bytes(const char *name, const void *value, size_t count) {
  put_cell(property_token);
  put_cell((u32)count);
  put_cell(string_place(name));
  put_bytes(value, count);
}

static void text(const char *name, const char *value) { bytes(name, value, strlen(value) + 1); }
static void flag(const char *name) { bytes(name, "", 0); }

static void numbers(const char *name, const u32 *values, size_t count) {
  put_cell(property_token);
  put_cell((u32)(4 * count));
  put_cell(string_place(name));
  for (size_t index = 0; index < count; index++)
    put_cell(values[index]);
}

#define cells(name, ...) numbers(name, (const u32[]){__VA_ARGS__}, sizeof((const u32[]){__VA_ARGS__}) / 4)
#define wide(value) (u32)((value) >> 32), (u32)(value)

enum { controller_handle = 1, clock_handle = 2 };

static void processor(void) {
  begin("cpus");
  cells("#address-cells", 1);
  cells("#size-cells", 0);
  begin("cpu@0");
  text("device_type", "cpu");
  text("compatible", "arm,armv8");
  cells("reg", 0);
  end();
  end();
  begin("psci");
  text("compatible", "arm,psci-1.0");
  text("method", "hvc");
  end();
  begin("timer");
  text("compatible", "arm,armv8-timer");
  cells("interrupts", 1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4);
  flag("always-on");
  end();
}

static void board(bool is_gic2, bool is_proxy) {
  begin("interrupt-controller@8000000");
  text("compatible", is_gic2 ? "arm,cortex-a15-gic" : "arm,gic-v3");
  cells("#address-cells", 0);
  cells("#interrupt-cells", 3);
  flag("interrupt-controller");
  if (is_gic2)
    cells("reg", 0, 0x8000000, 0, 0x10000, 0, 0x8010000, 0, 0x10000);
  else
    cells("reg", 0, 0x8000000, 0, 0x10000, 0, 0x80A0000, 0, 0x20000);
  cells("phandle", controller_handle);
  end();
  begin("apb-pclk");
  text("compatible", "fixed-clock");
  cells("#clock-cells", 0);
  cells("clock-frequency", 24000000);
  cells("phandle", clock_handle);
  end();
  static const char compatible[] = "arm,pl011\0arm,primecell", clocks[] = "uartclk\0apb_pclk";
  begin("serial@9000000");
  bytes("compatible", compatible, sizeof(compatible));
  cells("arm,primecell-periphid", 0x241011);
  cells("reg", 0, 0x9000000, 0, 0x1000);
  if (is_proxy)
    cells("interrupts", 0, proxy_serial_interrupt, 1);
  else
    cells("interrupts", 0, 1, 4);
  cells("clocks", clock_handle, clock_handle);
  bytes("clock-names", clocks, sizeof(clocks));
  end();
}

static void device_wish(const char *name, const char *type, u32 label) {
  begin(name);
  text("vdevice-type", type);
  cells("label", label);
  if (strcmp(type, "shm") == 0) {
    begin("memory");
    cells("label", label);
    end();
  }
  end();
}

static void configuration(const struct tree_wishes *wishes) {
  begin("gunyah-vm-config");
  text("image-name", "linux");
  begin("memory");
  cells("base-address", wide(wishes->base));
  end();
  begin("interrupts");
  cells("config", controller_handle);
  end();
  begin("vcpus");
  text("affinity", wishes->is_proxy ? "proxy" : "static");
  end();
  begin("vdevices");
  device_wish("link", "rm-rpc", 0);
  device_wish("queue", "message-queue-pair", wishes->label);
  device_wish("bell", "doorbell", wishes->label);
  device_wish("source", "doorbell-source", wishes->label);
  device_wish("shared", "shm", wishes->label);
  if (wishes->is_proxy) {
    begin("serial-bell");
    text("vdevice-type", "doorbell");
    cells("label", proxy_serial_label);
    cells("interrupts", 0, proxy_serial_interrupt, 1);
    end();
  }
  end();
  end();
}

static void content(const struct tree_wishes *wishes) {
  u64 initramfs_end = wishes->initramfs + wishes->initramfs_size;
  begin("");
  text("compatible", "linux,dummy-virt");
  cells("#address-cells", 2);
  cells("#size-cells", 2);
  cells("interrupt-parent", controller_handle);
  begin("chosen");
  text("bootargs", wishes->command_line);
  text("stdout-path", "/serial@9000000");
  cells("linux,initrd-start", wide(wishes->initramfs));
  cells("linux,initrd-end", wide(initramfs_end));
  end();
  processor();
  board(wishes->is_gic2, wishes->is_proxy);
  configuration(wishes);
  end();
  put_cell(end_token);
}

size_t write_tree(u8 *place, size_t capacity, const struct tree_wishes *wishes) {
  enum { header_size = 40, reservations_size = 16 };
  tree = place;
  limit = capacity;
  strings_used = 0;
  used = header_size;
  memset(tree + used, 0, reservations_size);
  used += reservations_size;
  size_t structure = used;
  content(wishes);
  size_t names = used;
  put_bytes(strings, strings_used);
  size_t size = used;
  used = 0;
  const u32 header[] = {
      0xD00DFEED, (u32)size, (u32)structure, (u32)names, header_size, 17, 16, 0, (u32)strings_used,
      (u32)(names - structure),
  };
  for (size_t index = 0; index < sizeof(header) / sizeof(*header); index++)
    put_cell(header[index]);
  return size;
}
