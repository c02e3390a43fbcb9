// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

// One import for all that bpflink can do. What is where:
//   BPFObject   object files as values
//   BPFLinker   binding imports to exports; pure
//   BPFKernel   the running kernel: loading, pins, attachments, loaded programs
@_exported public import BPFKernel
@_exported public import BPFLinker
@_exported public import BPFObject
