import Glibc
import Manifests
import Support
import Testing
import Values

/// Clones that hostile or damaged repositories are made of.
extension SourceTests {
    /// A repository with one commit, and a world whose daemon may clone it.
    private func inRepository(_ body: (World, String) throws -> Void) rethrows {
        try inWorld { world in
            let origin = "\(world.directory)/origin"
            mkdir(origin, 0o755)
            _ = git(world, origin, "init", "-q", "-b", "main")
            world.write("\(origin)/one.yaml", settings(1))
            commit(world, origin)
            world.moreEnvironment = ["AGENTOS_SOURCE_PATH=\(world.directory)"]
            try body(world, origin)
        }
    }

    private func commit(_ world: World, _ origin: String) {
        _ = git(world, origin, "add", "-A")
        _ = git(world, origin, "commit", "-q", "--allow-empty", "-m", "next")
    }

    private func clone(_ origin: String, _ more: String = "") -> String {
        source("fleet", "git: {url: \"file://\(origin)\", interval: 200ms\(more)}")
    }

    private func tree(_ world: World) -> String {
        let source = "\(world.state)/sources"
        let place = World.names(source).first.map { "\(source)/\($0)" } ?? ""
        return World.names(place).first.map { "\(place)/\($0)/tree" } ?? ""
    }

    @Test func aPathThatLeadsOutOfTheRepositoryIsRefused() {
        inRepository { world, origin in
            mkdir("\(world.directory)/outside", 0o755)
            world.write("\(world.directory)/outside/nine.yaml", settings(9))
            symlink("\(world.directory)/outside", "\(origin)/deploy")
            commit(world, origin)
            world.apply(clone(origin, ", path: deploy/"))
            World.until("it is refused") {
                self.message(world, "fleet").contains("a symbolic link leads out of the repository")
            }
            #expect(world.get("settings-9", kind: "configmap") == nil)
        }
    }

    /// What a directory declared stays when the directory becomes a submodule, and the Source says so.
    @Test func aSubmoduleIsToldAndDeletesNothing() {
        inRepository { world, origin in
            mkdir("\(origin)/part", 0o755)
            world.write("\(origin)/part/two.yaml", settings(2))
            commit(world, origin)
            world.apply(clone(origin))
            World.until("ready") { self.state(world, "fleet") == "Ready" }
            let inner = "\(world.directory)/inner"
            mkdir(inner, 0o755)
            _ = git(world, inner, "init", "-q", "-b", "main")
            commit(world, inner)
            _ = git(world, origin, "rm", "-q", "-r", "part")
            _ = git(world, origin, "-c", "protocol.file.allow=always", "submodule", "add", "-q", inner, "part")
            commit(world, origin)
            World.until("it is told") { self.message(world, "fleet").contains("/part: it is a submodule") }
            #expect(world.get("settings-2", kind: "configmap") != nil)
            // Left out on purpose, it is nobody's.
            world.write("\(origin)/.agentosignore", "/part/\n")
            commit(world, origin)
            World.until("ready again, and pruned") {
                self.state(world, "fleet") == "Ready" && world.get("settings-2", kind: "configmap") == nil
            }
        }
    }

    @Test func aDamagedCloneIsMadeAnewAndLocksOfTheDeadAreRemoved() {
        inRepository { world, origin in
            world.apply(clone(origin))
            World.until("ready") { self.state(world, "fleet") == "Ready" }
            let dotGit = "\(tree(world))/.git"
            var value = 0
            func follows(_ damage: String) {
                value += 1
                world.write("\(origin)/one.yaml", settings(1, "v\(value)"))
                commit(world, origin)
                World.until("the next commit is there after: \(damage)") {
                    world.get("settings-1", kind: "configmap")?[path: "data", "value"]?.string == "v\(value)"
                        && self.state(world, "fleet") == "Ready"
                }
            }
            for lock in ["HEAD.lock", "index.lock", "refs/remotes/source/head.lock", "shallow.lock", "config.lock"] {
                world.write("\(dotGit)/\(lock)", "")
                follows(lock)
            }
            world.write("\(dotGit)/index", "torn")
            follows("a torn index")
            world.write("\(dotGit)/shallow", "no commit")
            follows("a damaged list of shallow commits")
            world.write("\(dotGit)/HEAD", "")
            follows("an empty HEAD")
            for file in World.files("\(dotGit)/objects") { unlink(file) }
            follows("lost objects")
            World.until("it was told") {
                world.events().contains {
                    ($0[path: "data", "errors"].map { JSONWriter.text($0) } ?? "").contains("the clone is made anew")
                }
            }
            // What is checked out is what was committed, whoever wrote into it.
            world.write("\(tree(world))/stranger.yaml", settings(7))
            unlink("\(tree(world))/one.yaml")
            World.until("it is mended") {
                World.exists("\(self.tree(world))/one.yaml") && !World.exists("\(self.tree(world))/stranger.yaml")
            }
        }
    }

    @Test func aCloneKeepsOneCommitAndOneDirectory() {
        inRepository { world, origin in
            var noise = [UInt8](repeating: 0, count: 400_000)
            func fill(_ round: Int) {
                for index in noise.indices { noise[index] = UInt8.random(in: 33...126) }
                world.write("\(origin)/noise.txt", String(decoding: noise, as: UTF8.self))
                world.write("\(origin)/one.yaml", settings(1, "v\(round)"))
                commit(world, origin)
            }
            fill(0)
            world.apply(clone(origin))
            World.until("ready") { self.state(world, "fleet") == "Ready" }
            for round in 1...12 {
                fill(round)
                World.until("round \(round)") {
                    world.get("settings-1", kind: "configmap")?[path: "data", "value"]?.string == "v\(round)"
                }
            }
            func size() -> Int {
                let sizes = World.files("\(world.state)/sources").map { World.bytes($0).count }
                return sizes.reduce(0, +)
            }
            World.until("12 commits of 0.4 MB each leave little") { size() < 6_000_000 }
            _ = git(world, origin, "branch", "next")
            world.apply(clone(origin, ", branch: next"))
            World.until("the other branch is there") {
                self.source(world, "fleet")?[path: "status", "revision"]?.string?.hasPrefix("next@") == true
            }
            let place = World.names("\(world.state)/sources").first ?? ""
            World.until("one clone") { World.names("\(world.state)/sources/\(place)").count == 1 }
        }
    }

    /// A server that takes the connection and says nothing.
    @Test func aServerThatNeverAnswersIsToldSoon() {
        inWorld { world in
            let listen = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            defer { close(listen) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isBound = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(listen, $0, length) == 0 && Glibc.listen(listen, 8) == 0
                        && getsockname(listen, $0, &length) == 0
                }
            }
            #expect(isBound)
            let port = UInt16(bigEndian: address.sin_port)
            world.apply(source("fleet", "git: {url: \"http://127.0.0.1:\(port)/x.git\", interval: 1h}"))
            World.until("it is told") {
                self.message(world, "fleet").contains(
                    "git ls-remote http://127.0.0.1:\(port)/x.git: no answer within 12 s")
            }
        }
    }

    @Test(arguments: [
        "https://me:hunter2@example.com/x.git", "https://hunter2@example.com/x.git", "ssh://me:hunter2@host/x",
    ])
    func aPasswordInAnAddressIsRefusedAndNotShown(_ url: String) {
        inWorld { world in
            let result = world.apply(source("fleet", "git: {url: \"\(url)\"}"))
            #expect(result.code == 3 && result.error.contains("secretRef"), "\(result.text)")
            #expect(!result.text.contains("hunter2"), "\(result.text)")
        }
    }

    @Test func aLockOfGitThatStaysIsTold() {
        inFleet { world, directory in
            _ = git(world, directory, "init", "-q", "-b", "main")
            world.write("\(directory)/one.yaml", settings(1))
            commit(world, directory)
            world.startDaemon()
            World.until("ready") { self.state(world) == "Ready" }
            world.write("\(directory)/.git/index.lock", "")
            world.write("\(directory)/one.yaml", settings(1, "new"))
            World.until("the lock is told") { self.message(world).contains(".git/index.lock") }
            unlink("\(directory)/.git/index.lock")
            World.until("ready again") {
                self.state(world) == "Ready"
                    && world.get("settings-1", kind: "configmap")?[path: "data", "value"]?.string == "new"
            }
        }
    }
}
