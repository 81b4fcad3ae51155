import Glibc
import Support
import Testing
import Values

/// Faults of the kernel's answers: a sample of those that `scripts/fault-injection` makes in an hour.
@Suite(.serialized) struct FaultTests {
    @Test func aSampleOfFailedSystemCallsIsMended() {
        inWorld { world in
            let script = "\(World.root)/scripts/fault-injection"
            let result = world.spawn(
                ["python3", script, "--programs", World.programs, "--sample", "24", "--patience", "6"],
                timeoutMs: 800_000)
            #expect(result.code == 0, "\(result.text)")
        }
    }
}
