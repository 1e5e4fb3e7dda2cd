/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fixture for a guest with an assigned device, and a second one (EDU2) that is open
 * in the same container and can be an endpoint.
 */
#ifndef TWO_H
#define TWO_H

#include "test.h"

#define EP2		(EP + 8)

FIXTURE(two)
{
	struct vm vm;
	struct edu edu, edu2;
};

FIXTURE_SETUP(two)
{
	if (!getenv("EDU2"))
		SKIP(return, "EDU2 is not set");
	ASSERT_EQ(0, edu_create(&self->edu, &self->vm, EP));
	ASSERT_EQ(0, edu_join(&self->edu2, &self->edu, "EDU2"));
}

FIXTURE_TEARDOWN(two)
{
	if (!getenv("EDU2"))
		return;
	edu_close_device(&self->edu2);
	close(self->edu2.group);
	edu_close(&self->edu);
	vm_destroy(&self->vm);
}

#endif /* TWO_H */
