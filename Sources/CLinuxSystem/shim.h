/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* Linux interfaces of the C library that Swift's Glibc module leaves out. */
#pragma once

#include <spawn.h>
#include <sys/pidfd.h>    /* pidfd_open: wait for QEMU in poll(2) */
#include <sys/reboot.h>   /* reboot: how the guest agent ends a machine */
#include <sys/signalfd.h> /* signalfd: SIGCHLD, SIGINT and SIGWINCH in poll(2) */

/* That module is built without _GNU_SOURCE, which hides these in the C library's own headers. */
int pipe2(int descriptors[2], int flags);
int mkostemp(char *template, int flags);
#ifndef POSIX_SPAWN_SETSID
#define POSIX_SPAWN_SETSID 0x80
#endif
