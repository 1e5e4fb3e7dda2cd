/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vhost_iommu

#if !defined(_VHOST_IOMMU_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _VHOST_IOMMU_TRACE_H

#include <linux/tracepoint.h>

struct vhost_iommu;

/* A request was handled; what it was about is in the events of its type. */
TRACE_EVENT(vhost_iommu_request,
	TP_PROTO(const struct vhost_iommu *vi, u8 type, u8 status),
	TP_ARGS(vi, type, status),
	TP_STRUCT__entry(
		__field(const void *, vi)
		__field(u8, type)
		__field(u8, status)
	),
	TP_fast_assign(
		__entry->vi = vi;
		__entry->type = type;
		__entry->status = status;
	),
	TP_printk("dev=%p type=%u status=%u", __entry->vi, __entry->type,
		  __entry->status)
);

/* A buffer was returned with a used length of 0. */
TRACE_EVENT(vhost_iommu_malformed,
	TP_PROTO(const struct vhost_iommu *vi, u64 out_len, u64 in_len),
	TP_ARGS(vi, out_len, in_len),
	TP_STRUCT__entry(
		__field(const void *, vi)
		__field(u64, out_len)
		__field(u64, in_len)
	),
	TP_fast_assign(
		__entry->vi = vi;
		__entry->out_len = out_len;
		__entry->in_len = in_len;
	),
	TP_printk("dev=%p out=%llu in=%llu", __entry->vi, __entry->out_len,
		  __entry->in_len)
);

/* A queue was found to be broken and is not looked at any more. */
TRACE_EVENT(vhost_iommu_broken,
	TP_PROTO(const struct vhost_iommu *vi, unsigned int queue, int err),
	TP_ARGS(vi, queue, err),
	TP_STRUCT__entry(
		__field(const void *, vi)
		__field(unsigned int, queue)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->vi = vi;
		__entry->queue = queue;
		__entry->err = err;
	),
	TP_printk("dev=%p queue=%u err=%d", __entry->vi, __entry->queue,
		  __entry->err)
);

TRACE_EVENT(vhost_iommu_fault,
	TP_PROTO(const struct vhost_iommu *vi, u8 reason, u32 flags,
		 u32 endpoint, u64 address),
	TP_ARGS(vi, reason, flags, endpoint, address),
	TP_STRUCT__entry(
		__field(const void *, vi)
		__field(u8, reason)
		__field(u32, flags)
		__field(u32, endpoint)
		__field(u64, address)
	),
	TP_fast_assign(
		__entry->vi = vi;
		__entry->reason = reason;
		__entry->flags = flags;
		__entry->endpoint = endpoint;
		__entry->address = address;
	),
	TP_printk("dev=%p reason=%u flags=%#x endpoint=%#x address=%#llx",
		  __entry->vi, __entry->reason, __entry->flags,
		  __entry->endpoint, __entry->address)
);

TRACE_EVENT(vhost_iommu_attach,
	TP_PROTO(const struct vhost_iommu *vi, u32 domain, u32 endpoint,
		 u32 flags),
	TP_ARGS(vi, domain, endpoint, flags),
	TP_STRUCT__entry(
		__field(const void *, vi)
		__field(u32, domain)
		__field(u32, endpoint)
		__field(u32, flags)
	),
	TP_fast_assign(
		__entry->vi = vi;
		__entry->domain = domain;
		__entry->endpoint = endpoint;
		__entry->flags = flags;
	),
	TP_printk("dev=%p domain=%u endpoint=%#x flags=%#x", __entry->vi,
		  __entry->domain, __entry->endpoint, __entry->flags)
);

TRACE_EVENT(vhost_iommu_detach,
	TP_PROTO(const struct vhost_iommu *vi, u32 domain, u32 endpoint),
	TP_ARGS(vi, domain, endpoint),
	TP_STRUCT__entry(
		__field(const void *, vi)
		__field(u32, domain)
		__field(u32, endpoint)
	),
	TP_fast_assign(
		__entry->vi = vi;
		__entry->domain = domain;
		__entry->endpoint = endpoint;
	),
	TP_printk("dev=%p domain=%u endpoint=%#x", __entry->vi,
		  __entry->domain, __entry->endpoint)
);

TRACE_EVENT(vhost_iommu_map,
	TP_PROTO(const struct vhost_iommu *vi, u32 domain, u64 start, u64 last,
		 u64 gpa, u32 flags),
	TP_ARGS(vi, domain, start, last, gpa, flags),
	TP_STRUCT__entry(
		__field(const void *, vi)
		__field(u32, domain)
		__field(u64, start)
		__field(u64, last)
		__field(u64, gpa)
		__field(u32, flags)
	),
	TP_fast_assign(
		__entry->vi = vi;
		__entry->domain = domain;
		__entry->start = start;
		__entry->last = last;
		__entry->gpa = gpa;
		__entry->flags = flags;
	),
	TP_printk("dev=%p domain=%u iova=%#llx-%#llx gpa=%#llx flags=%#x",
		  __entry->vi, __entry->domain, __entry->start, __entry->last,
		  __entry->gpa, __entry->flags)
);

TRACE_EVENT(vhost_iommu_unmap,
	TP_PROTO(const struct vhost_iommu *vi, u32 domain, u64 start, u64 last),
	TP_ARGS(vi, domain, start, last),
	TP_STRUCT__entry(
		__field(const void *, vi)
		__field(u32, domain)
		__field(u64, start)
		__field(u64, last)
	),
	TP_fast_assign(
		__entry->vi = vi;
		__entry->domain = domain;
		__entry->start = start;
		__entry->last = last;
	),
	TP_printk("dev=%p domain=%u iova=%#llx-%#llx", __entry->vi,
		  __entry->domain, __entry->start, __entry->last)
);

TRACE_EVENT(vhost_iommu_probe,
	TP_PROTO(const struct vhost_iommu *vi, u32 endpoint),
	TP_ARGS(vi, endpoint),
	TP_STRUCT__entry(
		__field(const void *, vi)
		__field(u32, endpoint)
	),
	TP_fast_assign(
		__entry->vi = vi;
		__entry->endpoint = endpoint;
	),
	TP_printk("dev=%p endpoint=%#x", __entry->vi, __entry->endpoint)
);

/* The VMM has to forget translations. */
TRACE_EVENT(vhost_iommu_invalidate,
	TP_PROTO(const struct vhost_iommu *vi, u32 endpoint, u64 start, u64 last),
	TP_ARGS(vi, endpoint, start, last),
	TP_STRUCT__entry(
		__field(const void *, vi)
		__field(u32, endpoint)
		__field(u64, start)
		__field(u64, last)
	),
	TP_fast_assign(
		__entry->vi = vi;
		__entry->endpoint = endpoint;
		__entry->start = start;
		__entry->last = last;
	),
	TP_printk("dev=%p endpoint=%#x iova=%#llx-%#llx", __entry->vi,
		  __entry->endpoint, __entry->start, __entry->last)
);

TRACE_EVENT(vhost_iommu_attach_table,
	TP_PROTO(const struct vhost_iommu *vi, u32 domain, u32 endpoint,
		 u16 format, u64 root),
	TP_ARGS(vi, domain, endpoint, format, root),
	TP_STRUCT__entry(
		__field(const void *, vi)
		__field(u32, domain)
		__field(u32, endpoint)
		__field(u16, format)
		__field(u64, root)
	),
	TP_fast_assign(
		__entry->vi = vi;
		__entry->domain = domain;
		__entry->endpoint = endpoint;
		__entry->format = format;
		__entry->root = root;
	),
	TP_printk("dev=%p domain=%u endpoint=%#x format=%#x root=%#llx",
		  __entry->vi, __entry->domain, __entry->endpoint,
		  __entry->format, __entry->root)
);

TRACE_EVENT(vhost_iommu_invalidate_table,
	TP_PROTO(const struct vhost_iommu *vi, u32 domain, u16 granularity,
		 u16 flags, u64 start, u64 nr_pages, u8 granule),
	TP_ARGS(vi, domain, granularity, flags, start, nr_pages, granule),
	TP_STRUCT__entry(
		__field(const void *, vi)
		__field(u32, domain)
		__field(u16, granularity)
		__field(u16, flags)
		__field(u64, start)
		__field(u64, nr_pages)
		__field(u8, granule)
	),
	TP_fast_assign(
		__entry->vi = vi;
		__entry->domain = domain;
		__entry->granularity = granularity;
		__entry->flags = flags;
		__entry->start = start;
		__entry->nr_pages = nr_pages;
		__entry->granule = granule;
	),
	TP_printk("dev=%p domain=%u granularity=%u flags=%#x iova=%#llx pages=%llu granule=%u",
		  __entry->vi, __entry->domain, __entry->granularity,
		  __entry->flags, __entry->start, __entry->nr_pages,
		  __entry->granule)
);

#endif /* _VHOST_IOMMU_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
