import Glibc
import Support
import Testing

/// The Debian package, made of the programs that are tested.
@Suite(.serialized, .enabled(if: World.isRoot && World.isExecutable("/usr/bin/dpkg-shlibdeps")))
struct PackageTests {
    private func package(_ world: World, _ directory: String, _ before: String = "", _ options: String = "") -> String {
        let words = "--quick --programs \(World.programs) --output \(world.directory)/\(directory) \(options)"
        let result = world.spawn(["sh", "-c", "\(before) exec \(World.root)/scripts/package \(words)"])
        #expect(result.code == 0, "\(result.text)")
        return result.output.split(separator: "\n").first.map(String.init) ?? ""
    }

    @Test func theSamePackageIsMadeTwiceAndHoldsWhatItShould() {
        inWorld { world in
            let one = package(world, "one", "umask 022; export TZ=UTC LANG=C;")
            let other = package(world, "other", "umask 077; export TZ=Asia/Tokyo LANG=C.UTF-8 HOME=/;")
            #expect(world.spawn(["cmp", one, other]).code == 0, "it depends on more than commit and programs")
            let listed = world.spawn(["dpkg-deb", "--contents", one]).output.split(separator: "\n")
            #expect(listed.allSatisfy { $0.contains(" root/root ") }, "somebody else owns a file")
            let paths = Set(
                listed.compactMap { $0.split(separator: " ").dropFirst(5).first.map { String($0.dropFirst()) } })
            for path in [
                "/usr/bin/agentos-apply", "/usr/libexec/agentos-supervise", "/etc/agentos/daemon.yaml",
                "/lib/systemd/system/agentos.service", "/lib/systemd/system/agentos.socket",
                "/usr/share/man/man1/agentos-apply.1.gz", "/usr/share/doc/agentos-apply/copyright",
                "/usr/share/bash-completion/completions/agentos-apply",
            ] { #expect(paths.contains(path), "\(path) is missing") }
            let depends = world.spawn(["dpkg-deb", "-f", one, "Depends"]).output
            for library in ["libsqlite3-0", "libmicrohttpd12", "libarchive13"] {
                #expect(depends.contains(library), "\(depends)")
            }
            #expect(world.spawn(["dpkg-deb", "-f", one, "Version"]).output.hasPrefix("0."))
            if World.isExecutable("/usr/bin/lintian") {
                // Programs of the tests load Swift's libraries from where the compiler is; those that ship have them inside.
                let told = world.spawn(["lintian", "--suppress-tags", "custom-library-search-path", one])
                #expect(told.code == 0 && !told.output.contains("E: "), "\(told.text)")
            }
        }
    }

    /// Installed, upgraded, removed, installed again and purged, with an agent that runs, on a copy of this machine.
    @Test func aUsersAgentsAndDataOutliveAllButPurge() {
        inWorld { world in
            let old = package(world, "old", "", "--version 0.0.1-1")
            let new = package(world, "new")
            let result = world.spawn(["\(World.root)/scripts/test-package", "--here", old, new], timeoutMs: 1_200_000)
            #expect(result.code == 0 && result.output.hasSuffix("== all is as it should be\n"), "\(result.text)")
        }
    }
}
