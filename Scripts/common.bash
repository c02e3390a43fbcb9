# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
#
# What the scripts share: where things lie, and how they speak. Sourced, never run.
# Results go to stdout, words to stderr; exit status 1 is a failure, 64 wrong usage.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bpflink
# What is built from this tree; another directory can be named to leave .build alone.
build=${BPFLINK_BUILD:-$root/.build}
# The series; another directory can be named to try the scripts on.
series=${BPFLINK_SERIES:-$root/KernelPatches/linux-7.3}

say() { printf '%s\n' "$*" >&2; }

# die WHAT [HELP…]: what is wrong, and what to do about it.
die() {
	printf 'error: %s\n' "$1" >&2
	shift
	for words in "$@"; do printf 'help: %s\n' "$words" >&2; done
	exit 1
}

# usage [WRONG…]: the comment at the top of the running script is its manual.
usage() {
	if [ $# -eq 0 ]; then
		awk 'NR > 3 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"
		exit 0
	fi
	say "error: $*"
	say "help: ${0##*/} --help"
	exit 64
}

# base_value KEY: what the series' base file says for KEY.
base_value() {
	local line
	while IFS= read -r line; do
		if [[ $line == "$1="* ]]; then
			printf '%s\n' "${line#*=}"
			return
		fi
	done <"$series/base"
	die "$series/base has no \`$1\`"
}

# plain_git …: git without anybody's settings, so that the same input gives the same bytes everywhere.
plain_git() {
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null git -c core.hooksPath=/dev/null -c gc.auto=0 "$@"
}

# kernel_number: the number at the top of a kernel's Makefile (on stdin).
kernel_number() { awk '/^(VERSION|PATCHLEVEL|SUBLEVEL) =/ { printf "%s%s", dot, $3; dot = "." }'; }

# commit_base REPO TREE: a root commit of TREE in REPO; the same tree gives the same commit id on every machine.
commit_base() {
	local number
	number=$(plain_git -C "$1" show "$2:Makefile" | kernel_number)
	GIT_AUTHOR_NAME=bpflink GIT_AUTHOR_EMAIL=bpflink@invalid GIT_AUTHOR_DATE='@0 +0000' \
		GIT_COMMITTER_NAME=bpflink GIT_COMMITTER_EMAIL=bpflink@invalid GIT_COMMITTER_DATE='@0 +0000' \
		plain_git -C "$1" commit-tree -m "Linux $number" "$2"
}

# cover_text FILE: the words of a cover letter: its subject, an empty line, and all before the list of patches
# (a line `Name (N):` and the first of N indented subjects).
cover_text() {
	plain_git mailinfo /dev/null /dev/null <"$1" | sed -n 's/^Subject: //p'
	awk '!body { body = /^$/; if (!body) next }
		held && /^  / { exit }
		held { print name; held = 0 }
		/^.+ \([0-9]+\):$/ { name = $0; held = 1; next }
		{ print }' "$1"
}
