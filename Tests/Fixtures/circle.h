/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* Three libraries that import from each other, one after the other and round again. */
int circle_one(int value);
int circle_two(int value);
int circle_three(int value);
