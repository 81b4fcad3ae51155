import Glibc
import Support
import Testing
import Values

/// Faults of the kernel's answers: a sample of those that `scripts/fault-injection` makes in an hour.
@Suite(.serialized) struct FaultTests {
    @Test func aSampleOfFailedSystemCallsIsMended() {
        inWorld { world in
            let result = world.spawn(
                ["python3", "\(World.root)/scripts/fault-injection", "--programs", World.programs, "--sample", "24"])
            #expect(result.code == 0, "\(result.text)")
        }
    }
}
