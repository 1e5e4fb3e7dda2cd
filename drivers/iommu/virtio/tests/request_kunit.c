// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/resource.h>
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>

#include "fake_device.h"

/* Four descriptors are two requests. */
#define RING_SIZE	4
#define NR_REQUESTS	2

/* Submit DETACHes of endpoints 0, 1, 2, ... */
static int submit(struct fake_device *fake, struct viommu_batch *batch, int nr)
{
	struct viommu_queue *queue = &fake->viommu->queue;
	struct viommu_request *req;
	unsigned long flags;
	int i, err = 0;

	spin_lock_irqsave(&queue->lock, flags);
	for (i = 0; i < nr && !err; i++) {
		req = viommu_request_get(queue, &flags);
		if (IS_ERR(req)) {
			err = PTR_ERR(req);
			break;
		}
		viommu_encode_detach(req, 1, i);
		err = viommu_request_submit(queue, &batch->stream, req);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return err;
}

/* Return: the first error. */
static int wait_for(struct viommu_queue *queue, struct viommu_batch *batch)
{
	viommu_queue_sync(queue, &batch->stream);
	return batch->err;
}

static size_t nr_free(struct fake_device *fake)
{
	return list_count_nodes(&fake->viommu->queue.free);
}

static int request_init(struct kunit *test)
{
	test->priv = fake_device_create(test, RING_SIZE);
	return 0;
}

static void request_nothing(struct kunit *test)
{
	struct fake_device *fake = test->priv;
	struct viommu_batch batch;

	viommu_batch_init(&batch);
	KUNIT_EXPECT_EQ(test, 0, wait_for(&fake->viommu->queue, &batch));
	KUNIT_EXPECT_EQ(test, 0, fake->notified);
	KUNIT_EXPECT_EQ(test, NR_REQUESTS, nr_free(fake));
}

static void request_one_notification(struct kunit *test)
{
	struct fake_device *fake = test->priv;
	struct viommu_batch batch;

	viommu_batch_init(&batch);
	KUNIT_EXPECT_EQ(test, 0, submit(fake, &batch, NR_REQUESTS));
	KUNIT_EXPECT_EQ(test, 0, fake->notified);
	KUNIT_EXPECT_EQ(test, 0, nr_free(fake));
	KUNIT_EXPECT_EQ(test, 0, wait_for(&fake->viommu->queue, &batch));
	KUNIT_EXPECT_EQ(test, 1, fake->notified);
	KUNIT_EXPECT_FALSE(test, fake->disturbed);
	KUNIT_EXPECT_EQ(test, NR_REQUESTS, fake->nr);
	KUNIT_EXPECT_EQ(test, NR_REQUESTS, nr_free(fake));
}

/* More than fit wait for those before, and all arrive in order. */
static void request_full(struct kunit *test)
{
	struct fake_device *fake = test->priv;
	struct viommu_batch batch;
	int i;

	viommu_batch_init(&batch);
	KUNIT_EXPECT_EQ(test, 0, submit(fake, &batch, 7));
	KUNIT_EXPECT_EQ(test, 0, wait_for(&fake->viommu->queue, &batch));
	KUNIT_EXPECT_EQ(test, 7, fake->nr);
	KUNIT_EXPECT_EQ(test, NR_REQUESTS, nr_free(fake));
	for (i = 0; i < 7; i++)
		KUNIT_EXPECT_EQ(test, i, fake->log[i].endpoint);
}

static void request_put(struct kunit *test)
{
	struct fake_device *fake = test->priv;
	struct viommu_queue *queue = &fake->viommu->queue;
	struct viommu_request *req;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	req = viommu_request_get(queue, &flags);
	KUNIT_EXPECT_EQ(test, NR_REQUESTS - 1, nr_free(fake));
	viommu_request_put(queue, req);
	spin_unlock_irqrestore(&queue->lock, flags);
	KUNIT_EXPECT_EQ(test, NR_REQUESTS, nr_free(fake));
	KUNIT_EXPECT_EQ(test, 0, fake->notified);
}

/* One waits, and completes the requests of another, in any order. */
static void request_two_streams(struct kunit *test)
{
	struct fake_device *fake = test->priv;
	struct viommu_batch first, second;

	fake->reverse = true;
	fake->status[VIRTIO_IOMMU_T_DETACH] = VIRTIO_IOMMU_S_NOENT;
	viommu_batch_init(&first);
	viommu_batch_init(&second);
	KUNIT_EXPECT_EQ(test, 0, submit(fake, &first, 1));
	KUNIT_EXPECT_EQ(test, 0, submit(fake, &second, 1));
	KUNIT_EXPECT_EQ(test, -ENOENT,
			wait_for(&fake->viommu->queue, &second));
	KUNIT_EXPECT_EQ(test, -ENOENT, first.err);
	KUNIT_EXPECT_EQ(test, -ENOENT,
			wait_for(&fake->viommu->queue, &first));
	KUNIT_EXPECT_EQ(test, 1, fake->notified);
}

static void request_status(struct kunit *test)
{
	static const int errors[] = {
		[VIRTIO_IOMMU_S_OK]	= 0,
		[VIRTIO_IOMMU_S_IOERR]	= -EIO,
		[VIRTIO_IOMMU_S_UNSUPP]	= -EOPNOTSUPP,
		[VIRTIO_IOMMU_S_DEVERR]	= -EIO,
		[VIRTIO_IOMMU_S_INVAL]	= -EINVAL,
		[VIRTIO_IOMMU_S_RANGE]	= -ERANGE,
		[VIRTIO_IOMMU_S_NOENT]	= -ENOENT,
		[VIRTIO_IOMMU_S_FAULT]	= -EFAULT,
		[VIRTIO_IOMMU_S_NOMEM]	= -ENOMEM,
		[VIRTIO_IOMMU_S_NOMEM + 1] = -EIO,
		[U8_MAX]		= -EIO,
	};
	struct fake_device *fake = test->priv;
	struct viommu_batch batch;
	int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		if (i > VIRTIO_IOMMU_S_OK && !errors[i])
			continue;
		fake->status[VIRTIO_IOMMU_T_DETACH] = i;
		viommu_batch_init(&batch);
		KUNIT_EXPECT_EQ(test, 0, submit(fake, &batch, 1));
		KUNIT_EXPECT_EQ_MSG(test, errors[i],
				    wait_for(&fake->viommu->queue, &batch),
				    "status %d", i);
	}
}

static void request_no_status(struct kunit *test)
{
	struct fake_device *fake = test->priv;
	struct viommu_batch batch;

	/* What was left by the request before is no status of this one. */
	viommu_batch_init(&batch);
	submit(fake, &batch, NR_REQUESTS);
	KUNIT_EXPECT_EQ(test, 0, wait_for(&fake->viommu->queue, &batch));
	fake->no_status = true;
	submit(fake, &batch, 1);
	KUNIT_EXPECT_EQ(test, -EIO,
			wait_for(&fake->viommu->queue, &batch));
}

static void request_short_used(struct kunit *test)
{
	struct fake_device *fake = test->priv;
	struct viommu_batch batch;

	fake->short_used = true;
	viommu_batch_init(&batch);
	submit(fake, &batch, 1);
	KUNIT_EXPECT_EQ(test, -EIO,
			wait_for(&fake->viommu->queue, &batch));
	KUNIT_EXPECT_EQ(test, 0, fake->viommu->queue.dead);
}

/* All that is in flight fails, and all that comes. */
static void expect_dead(struct kunit *test, int err)
{
	struct fake_device *fake = test->priv;
	struct viommu_batch batch, other;

	viommu_batch_init(&batch);
	viommu_batch_init(&other);
	KUNIT_EXPECT_EQ(test, 0, submit(fake, &batch, 1));
	KUNIT_EXPECT_EQ(test, 0, submit(fake, &other, 1));
	KUNIT_EXPECT_EQ(test, err,
			wait_for(&fake->viommu->queue, &batch));
	KUNIT_EXPECT_EQ(test, err, other.err);
	KUNIT_EXPECT_EQ(test, err, submit(fake, &batch, 1));
	KUNIT_EXPECT_EQ(test, 1, fake->notified);
}

static void request_broken(struct kunit *test)
{
	struct fake_device *fake = test->priv;

	fake->bad_id = true;
	expect_dead(test, -EIO);
}

static void request_timeout(struct kunit *test)
{
	struct fake_device *fake = test->priv;

	fake->mute = true;
	fake->viommu->queue.timeout_ns = 10 * NSEC_PER_MSEC;
	expect_dead(test, -EIO);
}

/* Nobody waits for a free request without end, either. */
static void request_timeout_full(struct kunit *test)
{
	struct fake_device *fake = test->priv;
	struct viommu_batch batch;

	fake->mute = true;
	fake->viommu->queue.timeout_ns = 10 * NSEC_PER_MSEC;
	viommu_batch_init(&batch);
	KUNIT_EXPECT_EQ(test, -EIO, submit(fake, &batch, NR_REQUESTS + 1));
	KUNIT_EXPECT_EQ(test, -EIO,
			wait_for(&fake->viommu->queue, &batch));
}

/* The rest of a device that answers one request after another, and not at once */
struct slow_device {
	struct fake_device *fake;
	unsigned int pause_us;
};

static int slow_device_run(void *data)
{
	struct slow_device *slow = data;

	while (!kthread_should_stop()) {
		fsleep(slow->pause_us);
		fake_device_serve(slow->fake, 1);
	}
	return 0;
}

static void slow_device_stop(void *task)
{
	kthread_stop(task);
}

/* A device with four requests */
static struct fake_device *slow_device_create(struct kunit *test,
					      unsigned int pause_us)
{
	struct slow_device *slow = kunit_kzalloc(test, sizeof(*slow), GFP_KERNEL);
	struct task_struct *task;

	KUNIT_ASSERT_NOT_NULL(test, slow);
	slow->pause_us = pause_us;
	slow->fake = fake_device_create(test, 8);
	slow->fake->mute = true;
	task = kthread_run(slow_device_run, slow, "viommu-slow");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   slow_device_stop,
							   task));
	return slow->fake;
}

/* It answers each in time, but not all of them in the time for one. */
static void request_slow(struct kunit *test)
{
	struct fake_device *fake = slow_device_create(test, 200 * USEC_PER_MSEC);
	struct viommu_batch batch;

	fake->viommu->queue.timeout_ns = 500 * NSEC_PER_MSEC;
	viommu_batch_init(&batch);
	KUNIT_EXPECT_EQ(test, 0, submit(fake, &batch, 6));
	KUNIT_EXPECT_EQ(test, 0, wait_for(&fake->viommu->queue, &batch));
	KUNIT_EXPECT_EQ(test, 6, fake->nr);
}

/* Someone who submits a request as soon as the one before is complete */
struct busy_stream {
	struct viommu_stream stream;
	struct viommu_queue *queue;
	unsigned long end;
};

static void busy_submit(struct busy_stream *busy)
{
	struct viommu_request *req;
	unsigned long flags;

	req = viommu_request_get(busy->queue, &flags);
	viommu_encode_detach(req, 1, 1);
	viommu_request_submit(busy->queue, &busy->stream, req);
}

static void busy_done(struct viommu_stream *stream, struct viommu_request *req,
		      int err)
{
	struct busy_stream *busy = container_of(stream, struct busy_stream,
						stream);

	if (!err && time_before(jiffies, busy->end))
		busy_submit(busy);
}

/* A device that is busy with all requests but one is given up as well. */
static void request_withheld(struct kunit *test)
{
	struct fake_device *fake = slow_device_create(test, 100);
	struct viommu_queue *queue = &fake->viommu->queue;
	struct busy_stream busy = { .queue = queue };
	struct viommu_batch batch;
	unsigned long flags;

	queue->timeout_ns = 50 * NSEC_PER_MSEC;
	fake->withhold_endpoint = 2;
	viommu_batch_init(&batch);
	viommu_stream_init(&busy.stream, busy_done);
	busy.end = jiffies + 10 * HZ;
	KUNIT_EXPECT_EQ(test, 0, submit(fake, &batch, 3));
	spin_lock_irqsave(&queue->lock, flags);
	busy_submit(&busy);
	spin_unlock_irqrestore(&queue->lock, flags);
	KUNIT_EXPECT_EQ(test, -EIO, wait_for(queue, &batch));
	KUNIT_EXPECT_TRUE(test, time_before(jiffies, busy.end));
}

static void request_removed(struct kunit *test)
{
	struct fake_device *fake = test->priv;
	struct viommu_batch batch;

	viommu_batch_init(&batch);
	KUNIT_EXPECT_EQ(test, 0, submit(fake, &batch, 1));
	viommu_queue_stop(&fake->viommu->queue);
	KUNIT_EXPECT_EQ(test, -ENODEV, batch.err);
	KUNIT_EXPECT_EQ(test, -ENODEV, submit(fake, &batch, 1));
	KUNIT_EXPECT_EQ(test, 0, fake->notified);
}

static void request_encoding(struct kunit *test)
{
	static const u8 attach[] = {
		1, 0, 0, 0, 0x44, 0x33, 0x22, 0x11, 0x88, 0x77, 0x66, 0x55,
		1, 0, 0, 0, 0, 0, 0, 0,
	};
	static const u8 detach[] = {
		2, 0, 0, 0, 0x44, 0x33, 0x22, 0x11, 0x88, 0x77, 0x66, 0x55,
		0, 0, 0, 0, 0, 0, 0, 0,
	};
	static const u8 map[] = {
		3, 0, 0, 0, 0x44, 0x33, 0x22, 0x11,
		0, 0x10, 0, 0, 0, 0, 0, 0, 0xff, 0x3f, 0, 0, 0, 0, 0, 0,
		0, 0, 0xcd, 0xab, 0, 0, 0, 0, 7, 0, 0, 0,
	};
	static const u8 unmap[] = {
		4, 0, 0, 0, 0x44, 0x33, 0x22, 0x11,
		0, 0x10, 0, 0, 0, 0, 0, 0, 0xff, 0x3f, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0,
	};
	struct viommu_mapping mapping = {
		.range = { .start = 0x1000, .last = 0x3fff },
		.phys = 0xabcd0000,
		.flags = 7,
	};
	struct viommu_request *req;
	u8 in[100];

	req = kunit_kzalloc(test, sizeof(*req), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, req);

	viommu_encode_attach(req, 0x11223344, 0x55667788, 1);
	KUNIT_ASSERT_EQ(test, req->out_len, sizeof(attach));
	KUNIT_EXPECT_MEMEQ(test, &req->out, attach, sizeof(attach));
	KUNIT_EXPECT_EQ(test, req->in_len, 4);

	viommu_encode_detach(req, 0x11223344, 0x55667788);
	KUNIT_ASSERT_EQ(test, req->out_len, sizeof(detach));
	KUNIT_EXPECT_MEMEQ(test, &req->out, detach, sizeof(detach));

	viommu_encode_map(req, 0x11223344, &mapping);
	KUNIT_ASSERT_EQ(test, req->out_len, sizeof(map));
	KUNIT_EXPECT_MEMEQ(test, &req->out, map, sizeof(map));

	viommu_encode_unmap(req, 0x11223344, &mapping, 0x1000, 0x3fff);
	KUNIT_ASSERT_EQ(test, req->out_len, sizeof(unmap));
	KUNIT_EXPECT_MEMEQ(test, &req->out, unmap, sizeof(unmap));

	viommu_encode_probe(req, 0x55667788, in, sizeof(in));
	KUNIT_EXPECT_EQ(test, req->out_len, 72);
	KUNIT_EXPECT_EQ(test, req->out.head.type, 5);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(req->out.probe.endpoint), 0x55667788);
	KUNIT_EXPECT_PTR_EQ(test, req->in, (void *)in);
	KUNIT_EXPECT_EQ(test, req->in_len, sizeof(in));
}

static struct kunit_case request_cases[] = {
	KUNIT_CASE(request_nothing),
	KUNIT_CASE(request_one_notification),
	KUNIT_CASE(request_full),
	KUNIT_CASE(request_put),
	KUNIT_CASE(request_two_streams),
	KUNIT_CASE(request_status),
	KUNIT_CASE(request_no_status),
	KUNIT_CASE(request_short_used),
	KUNIT_CASE(request_broken),
	KUNIT_CASE(request_timeout),
	KUNIT_CASE(request_timeout_full),
	KUNIT_CASE_SLOW(request_slow),
	KUNIT_CASE_SLOW(request_withheld),
	KUNIT_CASE(request_removed),
	KUNIT_CASE(request_encoding),
	{ }
};

static struct kunit_suite request_suite = {
	.name = "virtio_iommu_request",
	.init = request_init,
	.test_cases = request_cases,
};

kunit_test_suite(request_suite);
