/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * Counts the bytes that are allocated on the heap at a time, by the hooks of the sanitizers' runtime
 * (sanitizer/allocator_interface.h). C, because nothing in a hook may allocate.
 */
#include <sanitizer/allocator_interface.h>
#include <stddef.h>

static long live, peak;

static void on_malloc(const volatile void *pointer, size_t size)
{
	(void)pointer;
	live += (long)size;
	if (live > peak)
		peak = live;
}

static void on_free(const volatile void *pointer)
{
	if (pointer)
		live -= (long)__sanitizer_get_allocated_size(pointer);
}

/* Begins to count; -1 if the runtime has no room for another hook. */
int allocations_watch(void)
{
	return __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0 ? 0 : -1;
}

/* Counts from nothing. */
void allocations_reset(void)
{
	live = peak = 0;
}

/* The most bytes that were allocated at a time since. */
long allocations_peak(void)
{
	return peak;
}
