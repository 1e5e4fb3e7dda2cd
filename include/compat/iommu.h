/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs in the IOMMU API between kernels.
 *
 * COMPAT_IOMMU_* come from the Kbuild file, which looks into the kernel's header:
 * stable kernels backport, so versions do not tell.
 */
#ifndef _COMPAT_IOMMU_H
#define _COMPAT_IOMMU_H

#include <linux/iommu.h>

/*
 * COMPAT_ATTACH_DEV(name) makes compat_name(), an iommu_domain_ops.attach_dev,
 * of int name(struct iommu_domain *domain, struct device *dev). compat_attach_dev()
 * calls one.
 */
#ifdef COMPAT_IOMMU_ATTACH_OLD
static inline int compat_attach_dev(struct iommu_domain *domain,
				    struct device *dev)
{
	return domain->ops->attach_dev(domain, dev, NULL);
}

#define COMPAT_ATTACH_DEV(name)						\
static int compat_##name(struct iommu_domain *domain,			\
			 struct device *dev,				\
			 struct iommu_domain *old)			\
{									\
	return name(domain, dev);					\
}
#else
static inline int compat_attach_dev(struct iommu_domain *domain,
				    struct device *dev)
{
	return domain->ops->attach_dev(domain, dev);
}

#define COMPAT_ATTACH_DEV(name)						\
static int compat_##name(struct iommu_domain *domain,			\
			 struct device *dev)				\
{									\
	return name(domain, dev);					\
}
#endif

/*
 * COMPAT_ALLOC_IDENTITY(name) defines what .COMPAT_ALLOC_IDENTITY_OP of struct
 * iommu_ops is set to, compat_name(), of
 * struct iommu_domain *name(struct device *dev). Older kernels ask for a domain
 * before they say for which device: dev is NULL then.
 */
#ifdef COMPAT_IOMMU_ALLOC_IDENTITY
#define COMPAT_ALLOC_IDENTITY_OP	domain_alloc_identity
#define COMPAT_ALLOC_IDENTITY(name)					\
static struct iommu_domain *compat_##name(struct device *dev)		\
{									\
	return name(dev);						\
}
#else
#define COMPAT_ALLOC_IDENTITY_OP	domain_alloc
#define COMPAT_ALLOC_IDENTITY(name)					\
static struct iommu_domain *compat_##name(unsigned int type)		\
{									\
	if (type != IOMMU_DOMAIN_IDENTITY)				\
		return ERR_PTR(-EOPNOTSUPP);				\
	return name(NULL);						\
}
#endif

/*
 * COMPAT_SET_PASID(name) makes compat_name(), an iommu_domain_ops.set_dev_pasid, of
 * int name(struct iommu_domain *domain, struct device *dev, ioasid_t pasid).
 */
#ifdef COMPAT_IOMMU_SET_PASID_OLD
#define COMPAT_SET_PASID(name)						\
static int compat_##name(struct iommu_domain *domain,			\
			 struct device *dev, ioasid_t pasid,		\
			 struct iommu_domain *old)			\
{									\
	return name(domain, dev, pasid);				\
}
#else
#define COMPAT_SET_PASID(name)						\
static int compat_##name(struct iommu_domain *domain,			\
			 struct device *dev, ioasid_t pasid)		\
{									\
	return name(domain, dev, pasid);				\
}
#endif

/*
 * To take its domain from a PASID, newer kernels give it the blocked domain. Older
 * ones have an operation for it, of struct iommu_ops, which does the same here.
 */
#ifdef COMPAT_IOMMU_REMOVE_PASID
static inline void compat_remove_pasid(struct device *dev, ioasid_t pasid,
				       struct iommu_domain *domain)
{
	struct iommu_domain *blocked = domain->owner->blocked_domain;

#ifdef COMPAT_IOMMU_SET_PASID_OLD
	blocked->ops->set_dev_pasid(blocked, dev, pasid, domain);
#else
	blocked->ops->set_dev_pasid(blocked, dev, pasid);
#endif
}

#define COMPAT_REMOVE_PASID_OP	.remove_dev_pasid = compat_remove_pasid,
#else
#define COMPAT_REMOVE_PASID_OP
#endif

/* Exported, but declared in a header that is private to drivers/iommu. */
#if IS_ENABLED(CONFIG_IOMMU_DMA)
void iommu_dma_get_resv_regions(struct device *dev, struct list_head *list);
#else
static inline void iommu_dma_get_resv_regions(struct device *dev,
					      struct list_head *list)
{
}
#endif

#endif /* _COMPAT_IOMMU_H */
