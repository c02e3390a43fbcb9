// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* One program for every section of networking that libbpf knows. */
#include "real.h"

#define PROGRAM(name, context, section, result)                                                                           \
	SEC(section) int name(struct context *ctx)                                                                        \
	{                                                                                                                 \
		touch(result);                                                                                            \
		return result;                                                                                            \
	}

PROGRAM(filter, __sk_buff, "socket", 0)
PROGRAM(queue, __sk_buff, "tc", 0)
PROGRAM(classify, __sk_buff, "classifier", 0)
PROGRAM(act, __sk_buff, "action", 0)
PROGRAM(frame, xdp_md, "xdp", XDP_PASS)
PROGRAM(fragments, xdp_md, "xdp.frags", XDP_PASS)
PROGRAM(device_frame, xdp_md, "xdp/devmap", XDP_PASS)
PROGRAM(cpu_frame, xdp_md, "xdp/cpumap", XDP_PASS)
PROGRAM(arrive, __sk_buff, "cgroup_skb/ingress", 1)
PROGRAM(depart, __sk_buff, "cgroup_skb/egress", 1)
PROGRAM(either, __sk_buff, "cgroup/skb", 1)
PROGRAM(create, bpf_sock, "cgroup/sock_create", 1)
PROGRAM(release, bpf_sock, "cgroup/sock_release", 1)
PROGRAM(bound, bpf_sock, "cgroup/post_bind4", 1)
PROGRAM(binds, bpf_sock_addr, "cgroup/bind4", 1)
PROGRAM(connects, bpf_sock_addr, "cgroup/connect6", 1)
PROGRAM(sends, bpf_sock_addr, "cgroup/sendmsg4", 1)
PROGRAM(peer, bpf_sock_addr, "cgroup/getpeername4", 1)
PROGRAM(get_option, bpf_sockopt, "cgroup/getsockopt", 1)
PROGRAM(set_option, bpf_sockopt, "cgroup/setsockopt", 1)
PROGRAM(control, bpf_sysctl, "cgroup/sysctl", 1)
PROGRAM(device, bpf_cgroup_dev_ctx, "cgroup/dev", 1)
PROGRAM(operate, bpf_sock_ops, "sockops", 1)
PROGRAM(look_up, bpf_sk_lookup, "sk_lookup", SK_PASS)
PROGRAM(dissect, __sk_buff, "flow_dissector", 0)
PROGRAM(choose, sk_reuseport_md, "sk_reuseport", SK_PASS)
