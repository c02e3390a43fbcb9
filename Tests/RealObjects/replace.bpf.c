// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A function in place of another program's, which has to be named when it is loaded. */
#include "real.h"

SEC("freplace/replaced")
int instead(struct xdp_md *ctx)
{
	return touch(1);
}
