// SPDX-License-Identifier: GPL-2.0-only
#include "guest.h"

struct vring_test {
	struct test_guest		*g;
	struct vhost_iommu_vring	vr;
	struct vhost_iommu_chain	chain;
};

static int vring_test_init(struct kunit *test)
{
	struct vring_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->g = guest_create(test);
	guest_ring(t->g, &t->vr);
	test->priv = t;
	return 0;
}

static int pop(struct vring_test *t)
{
	return vhost_iommu_vring_pop(&t->vr, t->g->mem, &t->chain);
}

static void expect_broken(struct kunit *test)
{
	struct vring_test *t = test->priv;

	KUNIT_EXPECT_LT(test, pop(t), 0);
	KUNIT_EXPECT_TRUE(test, t->vr.broken);
	/* And it stays so, whatever is in the ring now. */
	guest_desc(t->g, GUEST_DESC, 0, GUEST_BUF, 16, 0, 0);
	guest_avail(t->g, 0);
	KUNIT_EXPECT_LT(test, pop(t), 0);
}

static void vring_empty(struct kunit *test)
{
	struct vring_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, pop(t), 0);
	KUNIT_EXPECT_FALSE(test, t->vr.broken);
}

/* To look takes nothing from the ring. */
static void vring_watch(struct kunit *test)
{
	struct vring_test *t = test->priv;

	KUNIT_EXPECT_FALSE(test, vhost_iommu_vring_watch(&t->vr));
	KUNIT_EXPECT_EQ(test, pop(t), 0);
	guest_desc(t->g, GUEST_DESC, 3, GUEST_BUF, 16, 0, 0);
	guest_avail(t->g, 3);
	KUNIT_EXPECT_TRUE(test, vhost_iommu_vring_watch(&t->vr));
	KUNIT_EXPECT_TRUE(test, vhost_iommu_vring_watch(&t->vr));
	KUNIT_EXPECT_EQ(test, pop(t), 1);
	KUNIT_EXPECT_EQ(test, t->chain.head, 3);
	KUNIT_EXPECT_FALSE(test, t->vr.broken);
	t->vr.avail = NULL;
	KUNIT_EXPECT_TRUE(test, vhost_iommu_vring_watch(&t->vr));
	KUNIT_EXPECT_TRUE(test, t->vr.broken);
}

static void vring_direct_chain(struct kunit *test)
{
	struct vring_test *t = test->priv;
	char buf[24], want[24];

	memset(want, 0x5a, sizeof(want));
	guest_write(t->g, GUEST_BUF, want, sizeof(want));
	guest_desc(t->g, GUEST_DESC, 3, GUEST_BUF, 10, VRING_DESC_F_NEXT, 5);
	guest_desc(t->g, GUEST_DESC, 5, GUEST_BUF + 10, 14, VRING_DESC_F_NEXT, 1);
	guest_desc(t->g, GUEST_DESC, 1, GUEST_BUF + 64, 4,
		   VRING_DESC_F_WRITE, 0);
	guest_avail(t->g, 3);

	KUNIT_ASSERT_EQ(test, pop(t), 1);
	KUNIT_EXPECT_EQ(test, t->chain.head, 3);
	KUNIT_EXPECT_EQ(test, t->chain.out_len, 24);
	KUNIT_EXPECT_EQ(test, t->chain.in_len, 4);
	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_vring_read(&t->vr, t->g->mem,
							&t->chain, buf, 24));
	KUNIT_EXPECT_MEMEQ(test, buf, want, 24);

	KUNIT_EXPECT_EQ(test, 0, vhost_iommu_vring_push(&t->vr, 3, 4));
	KUNIT_EXPECT_EQ(test, guest_used_idx(t->g), 0);
	vhost_iommu_vring_publish(&t->vr);
	KUNIT_EXPECT_EQ(test, guest_used_idx(t->g), 1);
	KUNIT_EXPECT_EQ(test, guest_used_len(t->g, 0), 4);
	KUNIT_EXPECT_EQ(test, pop(t), 0);
}

static void vring_write_spans_segments(struct kunit *test)
{
	struct vring_test *t = test->priv;
	char got[8];

	guest_desc(t->g, GUEST_DESC, 0, GUEST_BUF, 3,
		   VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	guest_desc(t->g, GUEST_DESC, 1, GUEST_BUF + 0x100, 0,
		   VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 2);
	guest_desc(t->g, GUEST_DESC, 2, GUEST_BUF + 0x200, 5,
		   VRING_DESC_F_WRITE, 0);
	guest_avail(t->g, 0);
	KUNIT_ASSERT_EQ(test, pop(t), 1);
	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_vring_write(&t->vr, t->g->mem,
							 &t->chain, 2, "abcd", 4));
	guest_read(t->g, GUEST_BUF, got, 3);
	KUNIT_EXPECT_MEMEQ(test, got, "\0\0a", 3);
	guest_read(t->g, GUEST_BUF + 0x200, got, 5);
	KUNIT_EXPECT_MEMEQ(test, got, "bcd\0\0", 5);
	/* Past the end of the chain. */
	KUNIT_EXPECT_EQ(test, -EFAULT,
			vhost_iommu_vring_write(&t->vr, t->g->mem, &t->chain, 6,
						"abcd", 4));
}

static void vring_outside_memory(struct kunit *test)
{
	struct vring_test *t = test->priv;
	char buf[16];

	guest_desc(t->g, GUEST_DESC, 0, GUEST_SIZE - 8, 16, VRING_DESC_F_NEXT, 1);
	guest_desc(t->g, GUEST_DESC, 1, U64_MAX - 3, 16, VRING_DESC_F_WRITE, 0);
	guest_avail(t->g, 0);
	KUNIT_ASSERT_EQ(test, pop(t), 1);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			vhost_iommu_vring_read(&t->vr, t->g->mem, &t->chain, buf,
					       sizeof(buf)));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			vhost_iommu_vring_write(&t->vr, t->g->mem, &t->chain, 0,
						buf, sizeof(buf)));
	/* The ring itself is fine. */
	KUNIT_EXPECT_FALSE(test, t->vr.broken);
}

/* A request of 8 bytes at GUEST_BUF, of type 3, and a tail of 4 at GUEST_BUF + 64. */
static u8 __user *read_request(struct kunit *test, unsigned long types)
{
	struct vring_test *t = test->priv;
	u8 want[8] = { 3, 1, 2, 3, 4, 5, 6, 7 }, got[8];
	u8 __user *tail;

	guest_write(t->g, GUEST_BUF, want, sizeof(want));
	guest_write(t->g, GUEST_BUF + 64, "wxyz", 4);
	guest_desc(t->g, GUEST_DESC, 0, GUEST_BUF, 8, VRING_DESC_F_NEXT, 1);
	guest_desc(t->g, GUEST_DESC, 1, GUEST_BUF + 64, 4, VRING_DESC_F_WRITE, 0);
	guest_avail(t->g, 0);
	KUNIT_ASSERT_EQ(test, pop(t), 1);
	tail = vhost_iommu_vring_read_request(&t->vr, t->g->mem, &t->chain, got,
					      sizeof(got), types, 0x44434241);
	KUNIT_EXPECT_MEMEQ(test, got, want, sizeof(want));
	return tail;
}

static void vring_status(struct kunit *test)
{
	struct vring_test *t = test->priv;
	u8 __user *tail = read_request(test, BIT(3));
	char got[4];

	KUNIT_ASSERT_NOT_NULL(test, (__force void *)tail);
	guest_read(t->g, GUEST_BUF + 64, got, 4);
	KUNIT_EXPECT_MEMEQ(test, got, "ABCD", 4);

	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_vring_push_status(&t->vr, 0, 4, tail,
							       'Z'));
	guest_read(t->g, GUEST_BUF + 64, got, 4);
	KUNIT_EXPECT_MEMEQ(test, got, "ABCD", 4);
	vhost_iommu_vring_settle(&t->vr);
	guest_read(t->g, GUEST_BUF + 64, got, 4);
	KUNIT_EXPECT_MEMEQ(test, got, "ZBCD", 4);
	KUNIT_EXPECT_EQ(test, guest_used_idx(t->g), 0);
	vhost_iommu_vring_publish(&t->vr);
	KUNIT_EXPECT_EQ(test, guest_used_idx(t->g), 1);
	KUNIT_EXPECT_EQ(test, guest_used_len(t->g, 0), 4);
}

/* Of a type that is not asked for: read, and its tail left alone. */
static void vring_no_status(struct kunit *test)
{
	struct vring_test *t = test->priv;
	char got[4];

	KUNIT_EXPECT_NULL(test, (__force void *)read_request(test, ~BIT(3)));
	guest_read(t->g, GUEST_BUF + 64, got, 4);
	KUNIT_EXPECT_MEMEQ(test, got, "wxyz", 4);
}

/* The VMM has taken the memory away meanwhile: the guest learns of no status. */
static void lose_status(struct kunit *test, bool settle)
{
	struct vring_test *t = test->priv;
	u8 __user *tail = (u8 __user *)(TASK_SIZE_MAX - PAGE_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, (__force void *)read_request(test, BIT(3)));
	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_vring_push_status(&t->vr, 0, 4, tail,
							       0));
	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_vring_push(&t->vr, 1, 7));
	if (settle)
		vhost_iommu_vring_settle(&t->vr);
	vhost_iommu_vring_publish(&t->vr);
	KUNIT_EXPECT_EQ(test, guest_used_idx(t->g), 2);
	KUNIT_EXPECT_EQ(test, guest_used_len(t->g, 0), 0);
	KUNIT_EXPECT_EQ(test, guest_used_len(t->g, 1), 7);
	KUNIT_EXPECT_FALSE(test, t->vr.broken);
}

static void vring_status_lost(struct kunit *test)
{
	lose_status(test, true);
}

static void vring_status_lost_late(struct kunit *test)
{
	lose_status(test, false);
}

/* Without vhost_iommu_vring_settle(), a status is written when it is published. */
static void vring_status_published(struct kunit *test)
{
	struct vring_test *t = test->priv;
	u8 __user *tail = read_request(test, BIT(3));
	char got[4];

	KUNIT_ASSERT_NOT_NULL(test, (__force void *)tail);
	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_vring_push_status(&t->vr, 0, 4, tail,
							       'Z'));
	vhost_iommu_vring_publish(&t->vr);
	guest_read(t->g, GUEST_BUF + 64, got, 4);
	KUNIT_EXPECT_MEMEQ(test, got, "ZBCD", 4);
	KUNIT_EXPECT_EQ(test, guest_used_len(t->g, 0), 4);
}

/* What the guest has seen is its own, also if it cannot be asked for interrupts. */
static void vring_interrupt_word_lost(struct kunit *test)
{
	struct vring_test *t = test->priv;
	u8 __user *tail = read_request(test, BIT(3));
	char got[4];

	KUNIT_ASSERT_NOT_NULL(test, (__force void *)tail);
	KUNIT_ASSERT_EQ(test, 0, vhost_iommu_vring_push_status(&t->vr, 0, 4, tail,
							       'Z'));
	t->vr.avail = NULL;
	KUNIT_EXPECT_FALSE(test, vhost_iommu_vring_publish(&t->vr));
	KUNIT_EXPECT_TRUE(test, t->vr.broken);
	KUNIT_EXPECT_EQ(test, guest_used_idx(t->g), 1);
	KUNIT_EXPECT_EQ(test, t->vr.nr_unpublished, 0);
	guest_write(t->g, GUEST_BUF + 64, "wxyz", 4);
	vhost_iommu_vring_publish(&t->vr);
	guest_read(t->g, GUEST_BUF + 64, got, 4);
	KUNIT_EXPECT_MEMEQ(test, got, "wxyz", 4);
}

static void vring_indirect_chain(struct kunit *test)
{
	struct vring_test *t = test->priv;

	guest_desc(t->g, GUEST_INDIRECT, 0, GUEST_BUF, 36, VRING_DESC_F_NEXT, 1);
	guest_desc(t->g, GUEST_INDIRECT, 1, GUEST_BUF + 64, 4,
		   VRING_DESC_F_WRITE, 0);
	guest_desc(t->g, GUEST_DESC, 7, GUEST_INDIRECT, 32,
		   VRING_DESC_F_INDIRECT, 0);
	guest_avail(t->g, 7);
	KUNIT_ASSERT_EQ(test, pop(t), 1);
	KUNIT_EXPECT_EQ(test, t->chain.head, 7);
	KUNIT_EXPECT_EQ(test, t->chain.nr_out, 1);
	KUNIT_EXPECT_EQ(test, t->chain.nr_in, 1);
}

static void vring_index_wraps(struct kunit *test)
{
	struct vring_test *t = test->priv;
	unsigned int i;

	guest_desc(t->g, GUEST_DESC, 0, GUEST_BUF, 16, 0, 0);
	t->g->avail_idx = U16_MAX - 2;
	t->vr.last_avail = U16_MAX - 2;
	t->vr.avail_idx = U16_MAX - 2;
	t->vr.used_idx = U16_MAX - 2;
	for (i = 0; i < 6; i++) {
		guest_avail(t->g, 0);
		KUNIT_ASSERT_EQ(test, pop(t), 1);
		KUNIT_ASSERT_EQ(test, 0, vhost_iommu_vring_push(&t->vr, 0, i));
		vhost_iommu_vring_publish(&t->vr);
	}
	KUNIT_EXPECT_EQ(test, guest_used_idx(t->g), 3);
	KUNIT_EXPECT_EQ(test, pop(t), 0);
}

static void vring_loop(struct kunit *test)
{
	struct vring_test *t = test->priv;

	guest_desc(t->g, GUEST_DESC, 0, GUEST_BUF, 1, VRING_DESC_F_NEXT, 1);
	guest_desc(t->g, GUEST_DESC, 1, GUEST_BUF, 1, VRING_DESC_F_NEXT, 0);
	guest_avail(t->g, 0);
	expect_broken(test);
}

static void vring_indirect_loop(struct kunit *test)
{
	struct vring_test *t = test->priv;

	guest_desc(t->g, GUEST_INDIRECT, 0, GUEST_BUF, 1, VRING_DESC_F_NEXT, 0);
	guest_desc(t->g, GUEST_DESC, 0, GUEST_INDIRECT, 16,
		   VRING_DESC_F_INDIRECT, 0);
	guest_avail(t->g, 0);
	expect_broken(test);
}

static void vring_bad_head(struct kunit *test)
{
	struct vring_test *t = test->priv;

	guest_avail(t->g, GUEST_NUM);
	expect_broken(test);
}

static void vring_bad_next(struct kunit *test)
{
	struct vring_test *t = test->priv;

	guest_desc(t->g, GUEST_DESC, 0, GUEST_BUF, 1, VRING_DESC_F_NEXT, 0xffff);
	guest_avail(t->g, 0);
	expect_broken(test);
}

static void vring_bad_index(struct kunit *test)
{
	struct vring_test *t = test->priv;

	guest_put16(t->g, GUEST_AVAIL + 2, GUEST_NUM + 1);
	t->g->avail_idx = GUEST_NUM + 1;
	expect_broken(test);
}

static void vring_readable_after_writable(struct kunit *test)
{
	struct vring_test *t = test->priv;

	guest_desc(t->g, GUEST_DESC, 0, GUEST_BUF, 4,
		   VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	guest_desc(t->g, GUEST_DESC, 1, GUEST_BUF, 4, 0, 0);
	guest_avail(t->g, 0);
	expect_broken(test);
}

/* What an indirect descriptor must not be. */
static const struct indirect_case {
	const char	*name;
	u64		table;
	u32		len;
	u16		flags;
	u16		inner_flags;
	bool		negotiated;
} indirect_cases[] = {
	{ "not negotiated", GUEST_INDIRECT, 16, VRING_DESC_F_INDIRECT, 0, false },
	{ "empty", GUEST_INDIRECT, 0, VRING_DESC_F_INDIRECT, 0, true },
	{ "odd length", GUEST_INDIRECT, 24, VRING_DESC_F_INDIRECT, 0, true },
	{ "longer than the ring", GUEST_INDIRECT, 16 * (GUEST_NUM + 1),
	  VRING_DESC_F_INDIRECT, 0, true },
	{ "with next", GUEST_INDIRECT, 16,
	  VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 0, true },
	{ "nested", GUEST_INDIRECT, 16, VRING_DESC_F_INDIRECT,
	  VRING_DESC_F_INDIRECT, true },
	{ "next outside the table", GUEST_INDIRECT, 16, VRING_DESC_F_INDIRECT,
	  VRING_DESC_F_NEXT, true },
	{ "outside memory", GUEST_SIZE, 16, VRING_DESC_F_INDIRECT, 0, true },
};

KUNIT_ARRAY_PARAM_DESC(indirect, indirect_cases, name);

static void vring_bad_indirect(struct kunit *test)
{
	const struct indirect_case *c = test->param_value;
	struct vring_test *t = test->priv;

	t->vr.indirect = c->negotiated;
	guest_desc(t->g, GUEST_INDIRECT, 0, GUEST_BUF, 4, c->inner_flags, 1);
	guest_desc(t->g, GUEST_DESC, 0, c->table, c->len, c->flags, 1);
	guest_desc(t->g, GUEST_DESC, 1, GUEST_BUF, 4, 0, 0);
	guest_avail(t->g, 0);
	expect_broken(test);
}

static void vring_kick_flag(struct kunit *test)
{
	struct vring_test *t = test->priv;

	vhost_iommu_vring_disable_kick(&t->vr);
	KUNIT_EXPECT_EQ(test, guest_get16(t->g, GUEST_USED),
			VRING_USED_F_NO_NOTIFY);
	KUNIT_EXPECT_FALSE(test, vhost_iommu_vring_enable_kick(&t->vr));
	KUNIT_EXPECT_EQ(test, guest_get16(t->g, GUEST_USED), 0);

	guest_desc(t->g, GUEST_DESC, 0, GUEST_BUF, 4, 0, 0);
	guest_avail(t->g, 0);
	KUNIT_EXPECT_TRUE(test, vhost_iommu_vring_enable_kick(&t->vr));
}

static void vring_kick_event(struct kunit *test)
{
	const u64 avail_event = GUEST_USED + 4 + 8 * GUEST_NUM;
	struct vring_test *t = test->priv;

	t->vr.event_idx = true;
	guest_desc(t->g, GUEST_DESC, 0, GUEST_BUF, 4, 0, 0);
	guest_avail(t->g, 0);
	KUNIT_ASSERT_EQ(test, pop(t), 1);
	KUNIT_EXPECT_FALSE(test, vhost_iommu_vring_enable_kick(&t->vr));
	KUNIT_EXPECT_EQ(test, guest_get16(t->g, avail_event), 1);
}

static struct kunit_case vring_test_cases[] = {
	KUNIT_CASE(vring_empty),
	KUNIT_CASE(vring_watch),
	KUNIT_CASE(vring_direct_chain),
	KUNIT_CASE(vring_write_spans_segments),
	KUNIT_CASE(vring_outside_memory),
	KUNIT_CASE(vring_status),
	KUNIT_CASE(vring_no_status),
	KUNIT_CASE(vring_status_lost),
	KUNIT_CASE(vring_status_lost_late),
	KUNIT_CASE(vring_status_published),
	KUNIT_CASE(vring_interrupt_word_lost),
	KUNIT_CASE(vring_indirect_chain),
	KUNIT_CASE(vring_index_wraps),
	KUNIT_CASE(vring_loop),
	KUNIT_CASE(vring_indirect_loop),
	KUNIT_CASE(vring_bad_head),
	KUNIT_CASE(vring_bad_next),
	KUNIT_CASE(vring_bad_index),
	KUNIT_CASE(vring_readable_after_writable),
	KUNIT_CASE_PARAM(vring_bad_indirect, indirect_gen_params),
	KUNIT_CASE(vring_kick_flag),
	KUNIT_CASE(vring_kick_event),
	{}
};

static struct kunit_suite vring_test_suite = {
	.name = "vhost_iommu_vring",
	.init = vring_test_init,
	.test_cases = vring_test_cases,
};

kunit_test_suite(vring_test_suite);
