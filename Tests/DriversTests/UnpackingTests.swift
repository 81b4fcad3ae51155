import Drivers
import Glibc
import Support
import Testing

/// What an image may take, and what a limit of processes becomes.
@Suite struct UnpackingTests {
    @Test func anImageThatUnpacksToTooMuchIsRefused() throws {
        try inWorld { world in
            var budget = UnpackingBudget(directory: world.directory, bytesMax: 1000, entriesMax: 2)
            try budget.take(600)
            try budget.takeEntry()
            let bytes = #expect(throws: UnpackingBudget.Excess.self) { try budget.take(600) }
            #expect(bytes?.words.contains("unpacks to more than") == true)
            try budget.takeEntry()
            #expect(throws: UnpackingBudget.Excess.self) { try budget.takeEntry() }
            // What another program unpacks is measured as a whole.
            let whole = UnpackingBudget(directory: world.directory, bytesMax: 1000, entriesMax: 2)
            try whole.check(bytes: 1000, entries: 2)
            #expect(throws: UnpackingBudget.Excess.self) { try whole.check(bytes: 1001, entries: 2) }
            #expect(throws: UnpackingBudget.Excess.self) { try whole.check(bytes: 1000, entries: 3) }
        }
    }

    /// The disk that the store is on is never filled.
    @Test(.enabled(if: World.isRoot, "needs root")) func theLastOfADiskIsLeftFree() {
        inWorld { world in
            let disk = "\(world.directory)/disk"
            mkdir(disk, 0o700)
            #expect(mount("tmpfs", disk, "tmpfs", 0, "size=64m") == 0)
            var budget = UnpackingBudget(directory: disk, bytesMax: 1 << 40, entriesMax: 10)
            let excess = #expect(throws: UnpackingBudget.Excess.self) { try budget.take(1) }
            #expect(excess?.words.contains("less than 256 MiB free at \(disk)") == true)
        }
    }

    @Test(
        arguments: [
            (20, 1024, 1044), (4_194_304, 1024, 4_194_304), (Int64.max, 1024, 4_194_304),
            (4_194_000, Int64.max, 4_194_304),
            (1, 0, 1),
        ] as [(Int64, Int64, Int64)])
    func aLimitOfProcessesIsOneThatTheKernelTakes(limit: Int64, headroom: Int64, expected: Int64) {
        #expect(OCISpec.pids(limit, headroom: headroom) == expected)
    }
}
