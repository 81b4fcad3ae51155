import Glibc
import Manifests
import Support
import Testing
import Values

/// Bits that flip in the files of a daemon that is down: the next start is right, or refuses and says what to do. Agents
/// run on either way.
@Suite(.serialized) struct FlippedBitTests {
    private static let flips = 16

    @Test(arguments: [true, false]) func aFlippedBitIsFoundOrMeansNothing(_ isStopped: Bool) {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            for number in 0..<8 {
                world.apply(
                    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map-\(number)}\ndata: {KEY: value}\n---\n")
            }
            let pid = world.pid("one")
            // An orderly end leaves all in the one file, a kill most of it in the write-ahead log.
            if isStopped { world.run("daemon", "stop") } else { world.killDaemon() }
            let template = "\(world.directory)/template"
            copy(world, from: world.state, to: template)
            var random = Random(state: isStopped ? 48 : 480)
            var found = 0
            for _ in 0..<Self.flips {
                copy(world, from: template, to: world.state)
                let files = ["store", "journal"].flatMap { World.files("\(world.state)/\($0)") }.filter { path in
                    [".db", ".db-wal", ".jsonl", ".index"].contains { path.hasSuffix($0) } && size(path) > 0
                }
                let path = files[random.below(files.count)]
                let offset = random.below(size(path))
                flip(path, offset, random.below(8))
                let what = "\(path) at \(offset)"
                let start = world.start()
                if start.code == 0 {
                    #expect(world.pid("one") == pid, "\(what)")
                    #expect(world.get("map-7", kind: "configmap") != nil, "\(what)")
                    world.killDaemon()
                } else {
                    found += 1
                    #expect(start.code == 4 && start.error.contains("agentos-apply restore"), "\(what): \(start.text)")
                }
                #expect(World.isAlive(pid), "\(what): the agent was ended")
            }
            #expect(found > 0, "no flip of \(Self.flips) was found")
            copy(world, from: template, to: world.state)
            world.startDaemon()
        }
    }

    /// Store and journal only: what agents write goes on.
    private func copy(_ world: World, from source: String, to target: String) {
        mkdir(target, 0o755)
        for name in ["store", "journal"] {
            #expect(world.spawn(["rm", "-rf", "\(target)/\(name)"]).code == 0)
            #expect(world.spawn(["cp", "-a", "\(source)/\(name)", "\(target)/\(name)"]).code == 0)
        }
    }

    private func size(_ path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    private func flip(_ path: String, _ offset: Int, _ bit: Int) {
        let fd = open(path, O_RDWR | O_CLOEXEC)
        defer { close(fd) }
        var byte: UInt8 = 0
        #expect(pread(fd, &byte, 1, off_t(offset)) == 1)
        byte ^= 1 << UInt8(bit)
        #expect(pwrite(fd, &byte, 1, off_t(offset)) == 1)
    }

    private struct Random {
        var state: UInt64
        mutating func below(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
    }
}
