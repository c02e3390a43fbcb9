/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* What the verifier is to take the arguments of global functions for. */
#pragma once

/* The context of the program that the function is verified in. */
#define CONTEXT __attribute__((btf_decl_tag("arg:ctx")))
/* The context of a program of a named type, or NULL. */
#define CONTEXT_OF(type) __attribute__((btf_decl_tag("arg:ctx:" #type)))
#define TRUSTED __attribute__((btf_decl_tag("arg:trusted")))
#define UNTRUSTED __attribute__((btf_decl_tag("arg:untrusted")))
#define NULLABLE __attribute__((btf_decl_tag("arg:nullable")))
