import Planner
import Reconciler
import Resources
import Testing

/// Each state and reason of the program has a sentence of its own.
@Suite struct ReasonWordsTests {
    private func check(_ sentences: [String], _ count: Int) {
        #expect(sentences.count == count && count > 3)
        for sentence in sentences {
            #expect(sentence.count > 8 && sentence.contains(" ") && !sentence.hasSuffix("."), "\(sentence)")
            #expect(sentence.first?.isLowercase == true, "\(sentence)")
        }
    }

    @Test func everyStateAndReasonHasASentence() {
        check(AgentPhase.allCases.map(ReasonWords.sentence), 10)
        check(Condition.Reason.allCases.map(ReasonWords.sentence), Condition.Reason.allCases.count)
        check(Exit.Reason.allCases.map(ReasonWords.sentence), 9)
        check(TransitionName.allCases.map(ReasonWords.sentence), TransitionName.allCases.count)
        check(StopReason.allCases.map(ReasonWords.sentence), 5)
        check(EventType.allCases.map(ReasonWords.sentence), EventType.allCases.count)
        for sentences in [
            AgentPhase.allCases.map(ReasonWords.sentence), Condition.Reason.allCases.map(ReasonWords.sentence),
            TransitionName.allCases.map(ReasonWords.sentence),
        ] {
            #expect(Set(sentences).count == sentences.count, "two say the same")
        }
    }

    /// What stands in the way can be mended, and what goes well needs nothing.
    @Test func whatStandsInTheWayHasAdvice() {
        let well: Set<Condition.Reason> = [
            .scheduled, .waitingForStartSlot, .waitingForObservation, .published, .allReplicasReady, .replicasNotReady,
            .completed, .complete, .working, .pending, .synced, .progressing, .budgetLeft, .tooFewEvents, .burnRateLow,
        ]
        for reason in Condition.Reason.allCases {
            #expect((ReasonWords.advice(reason, "x") == nil) == well.contains(reason), "\(reason)")
        }
    }
}
