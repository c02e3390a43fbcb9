# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
#
# Packages of another Debian suite than this machine's, through an apt configuration of its own: the mirrors and
# the network settings are the machine's, signatures are checked with Debian's archive keyring, and the
# system's package sources, lists and installed packages stay as they are. Sourced, never run, after common.bash.

# debian_mirrors HELP…: the mirrors this machine takes its own release from, into the array `mirrors`, and the keyring
# into `keyring`; the signature decides whether one is Debian's.
debian_mirrors() {
	local release
	for keyring in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp} ''; do [ -f "$keyring" ] && break; done
	[ -n "$keyring" ] || die "Debian's archive keyring is not installed" "apt-get install debian-archive-keyring" "$@"
	command -v apt-get >/dev/null || die "what is wanted comes from Debian, and there is no apt-get here" "$@"
	release=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
	# shellcheck disable=SC2016 # the fields are apt's to fill in
	mapfile -t mirrors < <(apt-get indextargets --no-release-info --format '$(RELEASE) $(CREATED_BY) $(REPO_URI)' |
		awk -v release="$release" '$1 == release && $2 == "Packages" && !seen[$3]++ { print $3 }')
	[ ${#mirrors[@]} -gt 0 ] || die "apt-get knows no mirror for \`$release\`, the release of this machine" "$@"
}

# debian_apt DIR: has apt-get work in DIR from here on, where nothing is installed.
debian_apt() {
	mkdir -p "$1"/{lists/partial,archives/partial,none}
	: >"$1/status"
	# Only the network settings are the machine's: no hooks, no sources, no state of the system's own.
	apt-config dump | grep '^Acquire::' | grep -v '^Acquire::IndexTargets' >"$1/apt.conf"
	cat >>"$1/apt.conf" <<-END
		Dir::Etc::Parts "$1/none";
		Dir::Etc::Main "/dev/null";
		Dir::Etc::SourceList "$1/sources.list";
		Dir::Etc::SourceParts "$1/none";
		Dir::State::Lists "$1/lists";
		Dir::State::status "$1/status";
		Dir::Cache "$1";
		Acquire::Languages "none";
		APT::Sandbox::User "root";
	END
	export APT_CONFIG=$1/apt.conf
}

# debian_source DIR MIRROR SUITE: the one package source of DIR.
debian_source() { printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$2" "$3" >"$1/sources.list"; }
