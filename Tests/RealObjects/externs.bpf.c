// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Values that libbpf fills in when it loads: the kernel's configuration, and addresses of its functions. */
#include "real.h"

extern int LINUX_KERNEL_VERSION __kconfig;
extern bool LINUX_HAS_BPF_COOKIE __kconfig __weak;
extern int CONFIG_HZ __kconfig;
extern enum libbpf_tristate CONFIG_BPF_SYSCALL __kconfig;
extern bool CONFIG_NET __kconfig;
extern char CONFIG_CC_VERSION_TEXT[64] __kconfig;
extern int CONFIG_NOBODY_HAS_THIS __kconfig __weak;

extern const void bpf_fentry_test1 __ksym;
extern const void nobody_has_this __ksym __weak;

unsigned long long addresses;
int values;

SEC("raw_tp/sys_enter")
int on_call(void *ctx)
{
	addresses = (unsigned long long)&bpf_fentry_test1 + (unsigned long long)&nobody_has_this;
	values = LINUX_KERNEL_VERSION + CONFIG_HZ + CONFIG_NET + CONFIG_BPF_SYSCALL + CONFIG_CC_VERSION_TEXT[3];
	values += LINUX_HAS_BPF_COOKIE ? 2 : 1;
	if (&CONFIG_NOBODY_HAS_THIS)
		values += CONFIG_NOBODY_HAS_THIS;
	return touch(0);
}
