// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO devices on top of the mock devices that iommufd has for its own tests. Their IOMMU
 * keeps track of what is dirty, has page tables that a test can look into, and fails when
 * it is told to; what is missing is the character device that a virtual IOMMU is given.
 *
 * A test makes a mock device, IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS, and writes its name to the
 * parameter "device": that is how the bus is found, and from then on its devices are
 * probed by themselves.
 *
 * A mock device is attached by its own test, for as long as it is there, and what it is
 * attached to goes for the group. So a device here is never detached but attached to the
 * page table of its test, which is empty: nothing can be reached either way.
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "mock_vfio.h"

#define BUS_NAME	"iommufd_mock"

/**
 * struct mock_vfio - a device
 * @vdev: what VFIO knows of it; the lock of its set protects the rest
 * @empty: the IOAS that stands for none
 * @fail: which attachments fail
 * @state: what a test is told
 */
struct mock_vfio {
	struct vfio_device	vdev;
	u32			empty;
	u32			fail;
	struct mock_vfio_state	state;
};

static struct mock_vfio *to_mock(struct vfio_device *vdev)
{
	return container_of(vdev, struct mock_vfio, vdev);
}

static int mock_attach(struct vfio_device *vdev, u32 *pt)
{
	struct mock_vfio *mock = to_mock(vdev);
	bool fail = mock->fail & 1;
	int ret;

	mock->fail >>= 1;
	if (fail)
		ret = -ENOMEM;
	else if (!mock->empty)
		ret = -EINVAL;
	else
		ret = vfio_iommufd_physical_attach_ioas(vdev, pt);
	if (ret) {
		mock->state.failed++;
		return ret;
	}
	mock->state.pt = *pt;
	mock->state.attached++;
	return 0;
}

/* To attach takes memory. If a test has one allocation fail, the next one works. */
static int attach_empty(struct mock_vfio *mock)
{
	u32 pt = mock->empty;

	return vfio_iommufd_physical_attach_ioas(&mock->vdev, &pt);
}

static void mock_detach(struct vfio_device *vdev)
{
	struct mock_vfio *mock = to_mock(vdev);

	if (mock->empty && attach_empty(mock))
		WARN_ON(attach_empty(mock));
	mock->state.pt = 0;
	mock->state.detached++;
}

static int mock_bind(struct vfio_device *vdev, struct iommufd_ctx *ictx, u32 *id)
{
	struct mock_vfio *mock = to_mock(vdev);

	mock->empty = 0;
	mock->fail = 0;
	mock->state = (struct mock_vfio_state) {};
	return vfio_iommufd_physical_bind(vdev, ictx, id);
}

static void mock_unbind(struct vfio_device *vdev)
{
	mock_detach(vdev);
	vfio_iommufd_physical_unbind(vdev);
}

static int set_empty(struct mock_vfio *mock, u32 ioas)
{
	int ret;

	if (mock->empty)
		return -EBUSY;
	mock->empty = ioas;
	ret = attach_empty(mock);
	if (ret)
		mock->empty = 0;
	return ret;
}

static long do_ioctl(struct mock_vfio *mock, unsigned int cmd, void __user *arg)
{
	u32 value;

	if (cmd == MOCK_VFIO_GET_STATE)
		return copy_to_user(arg, &mock->state, sizeof(mock->state)) ?
		       -EFAULT : 0;
	if (get_user(value, (u32 __user *)arg))
		return -EFAULT;
	switch (cmd) {
	case MOCK_VFIO_SET_EMPTY:
		return set_empty(mock, value);
	case MOCK_VFIO_FAIL:
		mock->fail = value;
		return 0;
	default:
		return -ENOTTY;
	}
}

static long mock_ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg)
{
	long ret;

	mutex_lock(&vdev->dev_set->lock);
	ret = do_ioctl(to_mock(vdev), cmd, (void __user *)arg);
	mutex_unlock(&vdev->dev_set->lock);
	return ret;
}

static int mock_open(struct vfio_device *vdev)
{
	return 0;
}

static const struct vfio_device_ops mock_ops = {
	.name		= "mock_vfio",
	.bind_iommufd	= mock_bind,
	.unbind_iommufd	= mock_unbind,
	.attach_ioas	= mock_attach,
	.detach_ioas	= mock_detach,
	.open_device	= mock_open,
	.ioctl		= mock_ioctl,
};

static int mock_probe(struct device *dev)
{
	struct mock_vfio *mock;
	int ret;

	mock = vfio_alloc_device(mock_vfio, vdev, dev, &mock_ops);
	if (IS_ERR(mock))
		return PTR_ERR(mock);
	ret = vfio_register_group_dev(&mock->vdev);
	if (ret) {
		vfio_put_device(&mock->vdev);
		return ret;
	}
	dev_set_drvdata(dev, mock);
	return 0;
}

static int mock_remove(struct device *dev)
{
	struct mock_vfio *mock = dev_get_drvdata(dev);

	vfio_unregister_group_dev(&mock->vdev);
	vfio_put_device(&mock->vdev);
	return 0;
}

static struct device_driver mock_driver = {
	.name		= "mock_vfio",
	.owner		= THIS_MODULE,
	.probe		= mock_probe,
	.remove		= mock_remove,
};

/* iommufd keeps its bus to itself, but all devices are in one set. */
static int use_bus_of(const char *name)
{
	struct kobject *kobj = kset_find_obj(platform_bus.kobj.kset, name);
	const struct bus_type *bus;
	int ret;

	if (!kobj)
		return -ENODEV;
	bus = kobj_to_dev(kobj)->bus;
	kobject_put(kobj);
	if (!bus || strcmp(bus->name, BUS_NAME))
		return -EINVAL;
	if (mock_driver.bus)
		return 0;
	mock_driver.bus = bus;
	ret = driver_register(&mock_driver);
	if (ret)
		mock_driver.bus = NULL;
	return ret;
}

/* A module's parameters are written one at a time. */
static int set_device(const char *value, const struct kernel_param *param)
{
	char name[32];

	if (strscpy(name, value, sizeof(name)) < 0)
		return -EINVAL;
	return use_bus_of(strim(name));
}

static const struct kernel_param_ops device_ops = {
	.set	= set_device,
};

module_param_cb(device, &device_ops, NULL, 0200);
MODULE_PARM_DESC(device, "Name of a mock device of iommufd");

static int __init mock_vfio_init(void)
{
	return 0;
}
module_init(mock_vfio_init);

static void __exit mock_vfio_exit(void)
{
	if (mock_driver.bus)
		driver_unregister(&mock_driver);
}
module_exit(mock_vfio_exit);

MODULE_DESCRIPTION("VFIO devices that are mock devices of iommufd");
MODULE_LICENSE("GPL");
