// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Programs of sockets in maps and of lightweight tunnels, which not every kernel has. */
#include "real.h"

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 4);
	__type(key, int);
	__type(value, int);
} sockets SEC(".maps");

SEC("sk_msg")
int on_message(struct sk_msg_md *message)
{
	int key = 1;

	return touch(bpf_msg_redirect_hash(message, &sockets, &key, 0));
}

SEC("sk_skb/stream_verdict")
int on_verdict(struct __sk_buff *skb)
{
	return touch(SK_PASS) ? SK_PASS : SK_DROP;
}

SEC("sk_skb/stream_parser")
int on_parse(struct __sk_buff *skb)
{
	return touch(skb->len) ? skb->len : 0;
}

SEC("lwt_in")
int on_tunnel(struct __sk_buff *skb)
{
	return touch(0) * 0;
}
