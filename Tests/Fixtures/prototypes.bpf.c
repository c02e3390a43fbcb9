// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Every kind of type that a prototype can show. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

typedef unsigned int number;
enum colour { RED, GREEN = 7 };
union either { int i; char c[8]; };
struct inner { struct inner *next; int (*call)(int, void *); unsigned low : 3; unsigned high : 5; };
struct unknown;

int of_nothing(void) { return 0; }
number of_typedef(number n, _Bool b, char c) { return n + b + c; }
int of_const(const char *const text, char *const volatile spare) { return !text + !spare; }
int of_enum(enum colour colour) { return colour; }
int of_struct(struct inner *inner, const union either *either) { return !inner + !either; }
int of_array(int (*table)[4], char **words) { return !table + !words; }
int of_function(int (*call)(int, const struct inner *), void *context) { return !call + !context; }
int of_unknown(struct unknown *unknown) { return !unknown; }
int of_tags(int *value __attribute__((btf_decl_tag("arg:nonnull"))),
	    void *context __attribute__((btf_decl_tag("arg:ctx:kprobe")))) { return *value + !context; }
void of_void(long long wide) { }

char LICENSE[] SEC("license") = "GPL";
