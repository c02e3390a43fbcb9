// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import TestFixtures
import Testing

/// What `Scripts/install` puts in place.
@Suite struct InstallTests {
    private static let install = "scratch=$(mktemp -d); '\(Fixture.root)/Scripts/install' --prefix $scratch --program $(command -v bpflink) 2>/dev/null || exit 1"

    @Test func theInstalledProgramRuns() throws {
        let run = try Command.run("\(Self.install); $scratch/bin/bpflink --version; ls $scratch/include; rm -r $scratch")
        #expect(run.status == 0)
        #expect(run.output.hasPrefix("bpflink ") && run.output.hasSuffix("\nbpflink.h\n"))
    }

    @Test func everyCommandHasAPage() throws {
        let run = try Command.run(
            """
            \(Self.install)
            for page in $scratch/share/man/man1/*.1; do
                head -2 $page | tail -1
                man --warnings -l $page 2>&1 >/dev/null
            done
            cat $scratch/share/man/man1/bpflink-header.1 $scratch/share/man/man1/bpflink-load.1
            rm -r $scratch
            """)
        for command in ["HEADER", "INSPECT", "LIST", "LOAD", "UNLOAD"] {
            #expect(run.output.contains(".TH BPFLINK\\-\(command) 1\n"))
        }
        #expect(!run.output.contains("warning"))
        #expect(run.output.contains(".B \\-\\-guard <name>\nThe include guard.\n"))
        #expect(run.output.contains("\n[\\-\\-carry | \\-\\-no\\-carry]\n"))
        #expect(run.output.contains("\n.B \\-\\-carry, \\-\\-no\\-carry\nWhether a provider carries its object "))
    }

    @Test func thePackageInstallsTheSame() throws {
        let run = try Command.run(
            """
            scratch=$(mktemp -d); trap 'rm -rf $scratch' EXIT
            package=$('\(Fixture.root)/Scripts/package' --program $(command -v bpflink) $scratch 2>/dev/null) || exit 1
            dpkg-deb -f $package Package Architecture Installed-Size
            mkdir -p $scratch/root && dpkg-deb -x $package $scratch/root
            $scratch/root/usr/bin/bpflink --version | head -1
            (cd $scratch/root && find . -type f | sort)
            zcat $scratch/root/usr/share/man/man1/bpflink-load.1.gz | sed -n 2p
            """)
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.hasPrefix("Package: bpflink\nArchitecture: "))
        #expect(run.output.contains("\nbpflink "))
        for file in [
            "bin/bpflink", "include/bpflink.h", "share/bash-completion/completions/bpflink", "share/doc/bpflink/copyright",
            "share/fish/vendor_completions.d/bpflink.fish", "share/man/man1/bpflink.1.gz", "share/zsh/vendor-completions/_bpflink",
        ] {
            #expect(run.output.contains("\n./usr/\(file)\n"), "\(file) is not in \(run.output)")
        }
        #expect(run.output.hasSuffix(".TH BPFLINK\\-LOAD 1\n"))
    }

    @Test func completionsKnowTheCommands() throws {
        let run = try Command.run(
            """
            \(Self.install)
            . $scratch/share/bash-completion/completions/bpflink
            COMP_WORDS=(bpflink ins) COMP_CWORD=1; _bpflink bpflink ins bpflink; echo "${COMPREPLY[@]}"
            grep -c inspect $scratch/share/zsh/site-functions/_bpflink $scratch/share/fish/vendor_completions.d/bpflink.fish
            rm -r $scratch
            """.replacingShell)
        #expect(run.status == 0)
        #expect(run.output.hasPrefix("inspect\n"))
    }

    @Test func completionsKnowFiles() throws {
        let run = try Command.run(
            """
            \(Self.install)
            . $scratch/share/bash-completion/completions/bpflink
            cd $FIXTURES
            COMP_WORDS=(bpflink load subprog.bpf) COMP_CWORD=2; _bpflink bpflink subprog.bpf load; echo "${COMPREPLY[@]}"
            COMPREPLY=() COMP_WORDS=(bpflink load --pin /sys/fs/bp) COMP_CWORD=3; _bpflink bpflink /sys/fs/bp --pin; echo "${COMPREPLY[@]}"
            rm -r $scratch
            """.replacingShell)
        #expect(run.output == "subprog.bpf.o\n/sys/fs/bpf\n")
    }
}

extension String {
    /// For bash, of whose words completion is made.
    fileprivate var replacingShell: String {
        "bash <<'WORDS'\n\(self)\nWORDS"
    }
}
