import Support
import Testing

/// The known ways to break the product fit the code as it is; `scripts/mutants` counts the seeds that notice each.
@Suite struct MutantTests {
    @Test func everyMutantFitsTheCode() {
        inWorld { world in
            let check = world.spawn(["python3", "\(House.root)/scripts/mutants", "--check"])
            #expect(check.code == 0, "\(check.text)")
            #expect(World.names("\(House.root)/Tests/Mutants").count >= 10)
        }
    }
}
