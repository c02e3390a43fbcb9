// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * Prints where the native code of a loaded program calls to: one line per direct call, with the address of the
 * call and the address called, both in hexadecimal. Reads the x86-64 code that the kernel gives out
 * (BPF_OBJ_GET_INFO_BY_FD: jited_prog_insns, jited_ksyms, jited_func_lens); needs to be root, with
 * kernel.kptr_restrict below 2.
 *
 *   jited-calls PROGRAM-ID
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTIONS 256

static int fail(const char *what)
{
	fprintf(stderr, "error: %s: %s\n", what, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	static uint64_t starts[FUNCTIONS];
	static uint32_t lengths[FUNCTIONS];
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	if (argc != 2) {
		fprintf(stderr, "usage: jited-calls PROGRAM-ID\n");
		return 64;
	}
	int program = bpf_prog_get_fd_by_id(strtoul(argv[1], NULL, 0));
	if (program < 0)
		return fail(argv[1]);
	if (bpf_obj_get_info_by_fd(program, &info, &size))
		return fail("BPF_OBJ_GET_INFO_BY_FD");

	uint8_t *code = malloc(info.jited_prog_len);
	uint32_t code_length = info.jited_prog_len;
	memset(&info, 0, sizeof(info));
	info.jited_prog_insns = (uintptr_t)code;
	info.jited_prog_len = code_length;
	info.jited_ksyms = (uintptr_t)starts;
	info.nr_jited_ksyms = FUNCTIONS;
	info.jited_func_lens = (uintptr_t)lengths;
	info.nr_jited_func_lens = FUNCTIONS;
	size = sizeof(info);
	if (!code || bpf_obj_get_info_by_fd(program, &info, &size))
		return fail("BPF_OBJ_GET_INFO_BY_FD");
	if (!info.jited_prog_insns || !info.nr_jited_ksyms || info.nr_jited_ksyms > FUNCTIONS) {
		fprintf(stderr, "error: the kernel does not show the native code\n");
		return 1;
	}

	/* The functions lie one behind the other in `code`, and at `starts` in the kernel. */
	for (uint32_t function = 0; function < info.nr_jited_ksyms; code += lengths[function++]) {
		for (uint32_t at = 0; at + 5 <= lengths[function]; at++) {
			int32_t distance;

			if (code[at] != 0xe8) /* call rel32 */
				continue;
			memcpy(&distance, code + at + 1, sizeof(distance));
			printf("%llx %llx\n", (unsigned long long)starts[function] + at,
			       (unsigned long long)(starts[function] + at + 5 + distance));
		}
	}
	return 0;
}
