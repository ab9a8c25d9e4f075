// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drives one clock of an SCMI platform, "serdes", and tests itself when it is loaded. It has a mistake: SCMI's rates
 * have 64 bits, and it keeps the one that it sets in 32. Without the mistake: make FIXED=1.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/scmi_protocol.h>

struct serdes_clock {
	const struct scmi_clk_proto_ops *ops;
	struct scmi_protocol_handle *protocol;
	u32 id;
#ifdef FIXED
	u64 rate;
#else
	u32 rate;
#endif
};

/* For the tests: a platform has one such clock at most. */
static struct serdes_clock *serdes;

static int serdes_clock_set_rate(struct serdes_clock *clock, u64 rate)
{
	clock->rate = rate;
	return clock->ops->rate_set(clock->protocol, clock->id, clock->rate);
}

static int serdes_clock_probe(struct scmi_device *device)
{
	struct serdes_clock *clock;
	int id, count;

	clock = devm_kzalloc(&device->dev, sizeof(*clock), GFP_KERNEL);
	if (!clock)
		return -ENOMEM;
	clock->ops = device->handle->devm_protocol_get(device, SCMI_PROTOCOL_CLOCK, &clock->protocol);
	if (IS_ERR(clock->ops))
		return PTR_ERR(clock->ops);
	count = clock->ops->count_get(clock->protocol);
	for (id = 0; id < count; id++) {
		const struct scmi_clock_info *info = clock->ops->info_get(clock->protocol, id);

		if (info && !strcmp(info->name, "serdes")) {
			clock->id = id;
			serdes = clock;
			return 0;
		}
	}
	return -ENODEV;
}

static void serdes_clock_remove(struct scmi_device *device)
{
	serdes = NULL;
}

/* The kernel's own driver of all clocks has the protocol's device "clocks". */
static const struct scmi_device_id serdes_clock_ids[] = {
	{ SCMI_PROTOCOL_CLOCK, "serdes-clock" },
	{ },
};
MODULE_DEVICE_TABLE(scmi, serdes_clock_ids);

static struct scmi_driver serdes_clock_driver = {
	.name = "serdes-clock",
	.probe = serdes_clock_probe,
	.remove = serdes_clock_remove,
	.id_table = serdes_clock_ids,
};
module_scmi_driver(serdes_clock_driver);

static u64 rate_of_the_platform(struct kunit *test)
{
	u64 rate = 0;

	KUNIT_EXPECT_EQ(test, serdes->ops->rate_get(serdes->protocol, serdes->id, &rate), 0);
	return rate;
}

static int serdes_clock_test_init(struct kunit *test)
{
	KUNIT_ASSERT_NOT_NULL_MSG(test, serdes, "there is no SCMI platform with a clock \"serdes\"");
	return 0;
}

static void sets_100_mhz(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, serdes_clock_set_rate(serdes, 100000000), 0);
	KUNIT_EXPECT_EQ(test, rate_of_the_platform(test), 100000000);
}

static void sets_5_ghz(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, serdes_clock_set_rate(serdes, 5000000000), 0);
	KUNIT_EXPECT_EQ(test, rate_of_the_platform(test), 5000000000);
}

static struct kunit_case serdes_clock_cases[] = {
	KUNIT_CASE(sets_100_mhz),
	KUNIT_CASE(sets_5_ghz),
	{ },
};

static struct kunit_suite serdes_clock_suite = {
	.name = "serdes_clock",
	.init = serdes_clock_test_init,
	.test_cases = serdes_clock_cases,
};
kunit_test_suite(serdes_clock_suite);

MODULE_DESCRIPTION("Driver of one SCMI clock, with a mistake and a test that finds it");
MODULE_LICENSE("GPL");
