import Glibc
import Synchronization
import Testing

@testable import Machine

/// Trees that agents own are removed and given away without leaving them.
@Suite struct TreeTests {
    /// A directory of its own, for the length of a test.
    private func inDirectory(_ body: (String) throws -> Void) rethrows {
        var template = Array("/tmp/agentos-tree.XXXXXX".utf8CString)
        mkdtemp(&template)
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { Files.removeTree(path) }
        try body(path)
    }

    private func write(_ path: String) { close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)) }

    @Test func aTreeIsRemovedWhateverIsInIt() throws {
        try inDirectory { directory in
            let tree = "\(directory)/tree"
            mkdir(tree, 0o755)
            for name in ["file", ".hidden", "ä b\n"] { write("\(tree)/\(name)") }
            // Names are bytes, which need not be text.
            let odd: [CChar] = Array("\(tree)/".utf8CString.dropLast()) + [-1, -2, 0]
            close(open(odd, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644))
            mkdir("\(tree)/closed", 0o755)
            write("\(tree)/closed/file")
            chmod("\(tree)/closed", 0)
            mkfifo("\(tree)/pipe", 0o600)
            mkdir("\(directory)/elsewhere", 0o755)
            write("\(directory)/elsewhere/file")
            symlink("\(directory)/elsewhere", "\(tree)/link")
            symlink("/nowhere", "\(tree)/dangling")
            try Tree.remove(tree)
            #expect(Files.names(in: directory) == ["elsewhere"])
            #expect(Files.names(in: "\(directory)/elsewhere") == ["file"])
            try Tree.remove(tree)  // what is not there is removed
            try Tree.remove("\(directory)/elsewhere/file")
            #expect(Files.names(in: "\(directory)/elsewhere").isEmpty)
        }
    }

    @Test func noTreeIsTooDeep() throws {
        try inDirectory { directory in
            mkdir("\(directory)/tree", 0o755)
            var fd = open("\(directory)/tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            for _ in 0..<5000 {
                mkdirat(fd, "d", 0o755)
                let next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                close(fd)
                fd = next
            }
            #expect(fd >= 0)
            close(fd)
            try Tree.remove("\(directory)/tree")
            #expect(Files.names(in: directory).isEmpty)
        }
    }

    /// Two who work together put a link in the place of a directory while it is being removed.
    @Test func aLinkThatTakesThePlaceOfADirectoryLeadsNowhere() {
        inDirectory { directory in
            let victim = "\(directory)/victim"
            mkdir(victim, 0o755)
            for index in 0..<20 { write("\(victim)/\(index)") }
            let isOver = Atomic(false)
            let tree = "\(directory)/tree"
            startThread(name: "swapper") {
                while !isOver.load(ordering: .relaxed) {
                    rename("\(tree)/d", "\(tree)/e")
                    symlink(victim, "\(tree)/d")
                    unlink("\(tree)/d")
                    rename("\(tree)/e", "\(tree)/d")
                }
                isOver.store(false, ordering: .releasing)
            }
            for _ in 0..<400 {
                mkdir(tree, 0o755)
                mkdir("\(tree)/d", 0o755)
                for index in 0..<20 { write("\(tree)/d/\(index)") }
                Files.removeTree(tree)
            }
            isOver.store(true, ordering: .relaxed)
            while isOver.load(ordering: .acquiring) { sched_yield() }
            #expect(Files.names(in: victim).count == 20)
        }
    }

    @Test(.enabled(if: getuid() == 0, "needs root")) func onlyWhatTheOldUserOwnsIsGivenAway() throws {
        try inDirectory { directory in
            let tree = "\(directory)/tree"
            mkdir(tree, 0o755)
            mkdir("\(tree)/in", 0o755)
            for name in ["own", "in/own", "foreign"] { write("\(tree)/\(name)") }
            write("\(directory)/outside")
            chown("\(directory)/outside", 70_001, 70_001)
            symlink("\(directory)/outside", "\(tree)/link")
            for name in ["", "/own", "/in", "/in/own"] { chown("\(tree)\(name)", 70_001, 70_001) }
            lchown("\(tree)/link", 70_001, 70_001)
            try Ownership(user: 70_002, group: 70_003).apply(to: tree)
            func owner(_ path: String) -> uid_t {
                var status = stat()
                return lstat(path, &status) == 0 ? status.st_uid : .max
            }
            for name in ["", "/own", "/in", "/in/own", "/link"] {
                #expect(owner("\(tree)\(name)") == 70_002, "\(name)")
            }
            #expect(owner("\(tree)/foreign") == 0)
            #expect(owner("\(directory)/outside") == 70_001)
        }
    }

    /// As with `OnRootMismatch`: a directory that is as it should be vouches for what is in it; another, or always, does not.
    @Test(
        .enabled(if: getuid() == 0, "needs root"),
        arguments: [(false, false, true), (true, false, false), (false, true, false)])
    func whatIsRightAtItsRootIsPassedOver(isAlways: Bool, isOthers: Bool, isPassedOver: Bool) throws {
        try inDirectory { directory in
            let tree = "\(directory)/tree"
            mkdir(tree, 0o755)
            write("\(tree)/file")
            chown("\(tree)/file", 70_001, 70_001)
            chown(tree, 70_001, 70_001)
            let wanted = Ownership(user: 70_001, group: 70_003, isShared: true, isAlwaysChecked: isAlways)
            try wanted.apply(to: tree)
            func group(_ path: String) -> gid_t {
                var status = stat()
                return lstat(path, &status) == 0 ? status.st_gid : .max
            }
            #expect(group(tree) == 70_003 && group("\(tree)/file") == 70_003)
            // Somebody has changed one file since, and perhaps the directory.
            chown("\(tree)/file", 70_001, 70_001)
            if isOthers { chown(tree, 70_001, 70_001) }
            try wanted.apply(to: tree)
            #expect(group("\(tree)/file") == (isPassedOver ? 70_001 : 70_003) && group(tree) == 70_003)
        }
    }

    /// More names than are read at once, and a second name of a file that is root's elsewhere.
    @Test(.enabled(if: getuid() == 0, "needs root")) func allOfALargeDirectoryIsGivenAwayButNoFileElsewhere() throws {
        try inDirectory { directory in
            let home = "\(directory)/home"
            mkdir(home, 0o700)
            for index in 0..<5000 { write("\(home)/\(index)") }
            write("\(directory)/of-root")
            #expect(link("\(directory)/of-root", "\(home)/second-name") == 0)
            try Ownership(user: 70_002, group: 70_003).apply(to: home)
            var status = stat()
            for index in 0..<5000 {
                #expect(lstat("\(home)/\(index)", &status) == 0 && status.st_uid == 70_002)
            }
            #expect(lstat("\(directory)/of-root", &status) == 0 && status.st_uid == 0)
        }
    }

    /// Deeper than directories are open at the same time, and than a path can name; one name is no text.
    @Test(.enabled(if: getuid() == 0, "needs root")) func whatLiesDeepIsGivenToo() throws {
        try inDirectory { directory in
            let home = "\(directory)/home"
            mkdir(home, 0o700)
            var place = open(home, O_RDONLY | O_DIRECTORY)
            for _ in 0..<3000 {
                mkdirat(place, "d", 0o700)
                mkdirat(place, "other", 0o700)
                let inner = openat(place, "d", O_RDONLY | O_DIRECTORY)
                close(place)
                place = inner
            }
            let name: [CChar] = [-1, -2, 0]
            close(openat(place, name, O_WRONLY | O_CREAT, 0o600))
            try Ownership(user: 70_002, group: 70_003).apply(to: home)
            var status = stat()
            #expect(fstatat(place, name, &status, 0) == 0 && status.st_uid == 70_002 && status.st_gid == 70_003)
            var levels = 0
            while fstat(place, &status) == 0, status.st_uid == 70_002, levels <= 3000 {
                if levels > 0 { #expect(fstatat(place, "other", &status, 0) == 0 && status.st_uid == 70_002) }
                levels += 1
                let outer = openat(place, "..", O_RDONLY | O_DIRECTORY)
                close(place)
                place = outer
            }
            close(place)
            #expect(levels == 3001)
        }
    }

    @Test func namesOfMountsMayHoldBlanks() {
        #expect(Mount.unescaped("/a\\040b\\134\\011/c\\x") == "/a b\\\t/c\\x")
        #expect(Mount.all.contains { $0.place == "/proc" && $0.type == "proc" })
    }
}
