public import Planner
public import Reconciler

/// Each state and each reason of the program as a sentence, and what a person can do about it: the one table of them.
public enum ReasonWords {
    /// What it says.
    public static func sentence(_ phase: AgentPhase) -> String {
        switch phase {
        case .failed: "its last run has ended"
        case .backingOff: "its last run has failed, and the next attempt waits"
        case .stopping: "it was asked to stop and has not ended yet"
        case .starting: "it was started and is not ready yet"
        case .scheduled: "everything that it needs is there; it is about to start"
        case .created: "it was declared and was never started"
        case .ready: "it runs and is ready"
        case .completed: "it has done its work"
        case .stopped: "it was stopped and is not to run"
        case .suspended: "it is suspended"
        }
    }

    /// What it says.
    public static func sentence(_ reason: Condition.Reason) -> String {
        switch reason {
        case .scheduled: "all replicas that should run were admitted"
        case .dependencyNotReady: "an agent that it depends on is not as far as it must be"
        case .dependencyFailed: "an agent that it depends on has failed for good"
        case .dependencyNotFound: "an agent that it depends on does not exist"
        case .inputNotFound: "a Secret, a ConfigMap or a key of one that it reads does not exist"
        case .insufficientResources: "the machine has not enough processor time or memory left for what it requests"
        case .waitingForStartSlot: "other agents start first; only so many start at once"
        case .waitingForObservation: "the daemon still looks at what runs, or ends what no record explains"
        case .driverUnavailable: "the runtime of its driver cannot be used"
        case .waitingForEarlierRevision:
            "replicas of an earlier revision must stop before another starts (strategy Recreate), and spec.paused keeps them"
        case .invalidSpec: "this version of the program does not accept its stored spec"
        case .published: "no start waits for its events"
        case .waitingForDelivery: "its start waits until the events that tell of it are delivered"
        case .waitingForSink: "its start waits until a sink that is required has the events that tell of it"
        case .deadLettered: "its start waits for an event that a required sink has refused"
        case .sinkSwitchedOff: "its start waits for a required sink that wants no more events"
        case .allReplicasReady: "all its replicas are ready"
        case .replicasNotReady: "not all its replicas are ready yet"
        case .replicaFailed: "a replica has failed"
        case .crashLoopBackOff: "a replica fails again and again, and is tried at growing intervals"
        case .imageNotFound: "its image is not on this machine"
        case .unready: "it runs, and its readiness probe says that it is not ready"
        case .suspended: "spec.suspend is set"
        case .completed: "all its replicas have done their work"
        case .noReplicas: "spec.replicas is 0"
        case .deleting: "it is being deleted"
        case .waitingForDependents: "agents that depend on it stop first"
        case .waitingForFinalizers: "it is deleted as soon as the programs that hold its finalizers let go"
        case .complete: "nothing is left to do"
        case .working: "the daemon works on it"
        case .failed: "a replica has failed, and restartPolicy Never keeps it so"
        case .progressDeadlineExceeded: "it was not ready within progressDeadlineSeconds"
        case .paused: "spec.paused is set; replicas are not replaced"
        case .pausedWithChanges: "spec.paused is set, and changes of it wait"
        case .pending: "it was not read yet"
        case .synced: "all that it declares is applied"
        case .syncFailed: "something that it declares could not be read or applied"
        case .pruneLimit: "more would be deleted than one sync may delete"
        case .drifted: "others have changed what it declares, and it only reports that"
        case .progressing: "what it declares is applied and not all of it is ready yet"
        case .agentFailed: "an agent that it declares has failed"
        case .healthTimeout: "what it declares was not ready in time"
        case .budgetLeft: "no more has gone wrong than may"
        case .budgetSpent: "more has gone wrong than may"
        case .tooFewEvents: "too little was measured to say something"
        case .burnRateHigh: "so much goes wrong that the budget will not last"
        case .burnRateLow: "so little goes wrong that the budget lasts"
        }
    }

    /// Nil: there is nothing to do.
    public static func advice(_ reason: Condition.Reason, _ name: String) -> String? {
        switch reason {
        case .dependencyNotReady, .dependencyFailed: "see why that agent is as it is"
        case .dependencyNotFound: "apply that agent, or take it out of spec.dependsOn"
        case .inputNotFound: "apply it, or set optional: true where it is read"
        case .insufficientResources: "request less in spec.resources, or stop something: agentos-apply top"
        case .driverUnavailable: "see that the runtime runs: agentos-apply daemon status"
        case .invalidSpec: "apply a corrected manifest"
        case .waitingForDelivery: "see what holds delivery up: agentos-apply outbox list"
        case .waitingForSink: "see what the sink lacks: agentos-apply outbox sinks"
        case .deadLettered:
            "see why: agentos-apply outbox list --sink NAME; then agentos-apply outbox replay, skip or drop"
        case .sinkSwitchedOff: "mend the sink, then switch it on: agentos-apply outbox replay --sink NAME"
        case .replicaFailed, .crashLoopBackOff, .failed:
            "read what it has written: agentos-apply logs \(name); then apply a corrected manifest"
        case .imageNotFound: "bring the image to this machine, or correct spec.image"
        case .unready: "see what the probe asks for, and what it has written: agentos-apply logs \(name)"
        case .suspended: "set spec.suspend to false and apply"
        case .noReplicas: "set spec.replicas and apply"
        case .waitingForFinalizers: "end the program that holds it, or remove the finalizer with a patch"
        case .waitingForDependents, .deleting: "delete with --grace-period 0 to end it at once"
        case .progressDeadlineExceeded: "see what it waits for above"
        case .paused, .pausedWithChanges, .waitingForEarlierRevision:
            "let its changes go on: agentos-apply rollout resume \(name)"
        case .syncFailed: "correct the file that is named"
        case .pruneLimit: "look at agentos-apply plan --source \(name) --force; then agentos-apply sync \(name) --force"
        case .drifted: "set spec.drift to Correct, or take the change into the files"
        case .agentFailed, .healthTimeout: "see why the agent that is named is as it is"
        case .budgetSpent, .burnRateHigh:
            "see what goes wrong: agentos-apply events, agentos-apply status; hold changes back until it is mended"
        case .budgetLeft, .tooFewEvents, .burnRateLow, .scheduled, .waitingForStartSlot, .waitingForObservation,
            .published, .allReplicasReady,
            .replicasNotReady, .completed, .complete, .working, .pending, .synced, .progressing:
            nil
        }
    }

    /// What it says.
    public static func sentence(_ reason: Exit.Reason) -> String {
        switch reason {
        case .completed: "it ended by itself, with success"
        case .error: "it ended by itself, with an error"
        case .oomKilled: "the kernel has killed it: it wanted more memory than its limit"
        case .startError: "it could not be started"
        case .startTimeout: "its start took too long and was given up"
        case .imageNotFound: "its image is not on this machine"
        case .unhealthy: "a probe said that it does not do its work any more, so it was ended"
        case .unknown: "it is gone, and nobody could read how it ended"
        case .machineRestarted: "the machine was restarted"
        }
    }

    /// Why a replica is stopped.
    public static func sentence(_ reason: StopReason) -> String {
        switch reason {
        case .deleted: "the agent is being deleted"
        case .scaledDown: "there are to be fewer replicas"
        case .suspended: "the agent is suspended"
        case .replaced: "its spec has changed, and a run with the new one takes its place"
        case .unhealthy: "a probe says that it does not do its work any more"
        }
    }

    /// Nil: what it has written tells more.
    public static func advice(_ reason: Exit.Reason) -> String? {
        switch reason {
        case .completed: "set restartPolicy to OnFailure or Never when its work is done once"
        case .oomKilled: "raise spec.resources.limits.memory, or let it use less"
        case .startError: "correct what the message names: the program, its path, its rights, its user or its directory"
        case .startTimeout: "see the daemon's log: agentos-apply daemon status names it"
        case .imageNotFound: "bring the image to this machine, or correct spec.image"
        case .unhealthy: "see what the probe asks for, and give it more time where it needs that"
        case .error, .unknown, .machineRestarted: nil
        }
    }

    /// What it says.
    public static func sentence(_ name: TransitionName) -> String {
        switch name {
        case .scheduled: "everything that it needs was there"
        case .starting: "the daemon has decided to start it"
        case .started: "its process was seen"
        case .ready: "it became ready"
        case .unready: "it stopped being ready"
        case .failed: "it failed"
        case .completed: "it completed"
        case .compensated: "what was left of its start was removed"
        case .lost: "it was lost"
        case .stopping: "the daemon has asked it to stop"
        case .stopped: "it has stopped"
        case .backingOff: "the daemon has put the next attempt off"
        case .childOOMKilled: "the kernel has killed children of it that wanted more memory than its limit"
        }
    }

    /// What it says.
    public static func sentence(_ event: EventType) -> String {
        switch event {
        case .created: "it was declared"
        case .updated: "what is declared of it was changed"
        case .deleted: "it is gone"
        case .run(let name): sentence(name)
        case .consumerExpired: "a consumer has lost events that it had not acknowledged"
        case .sinkExpired: "a sink has lost events that it had not taken"
        case .sinkGone: "a sink has said that it wants no more events, and is switched off"
        case .sourceSynced: "the Source was applied"
        case .sourceFailed: "the Source could not be applied whole"
        case .objectPruned: "its Source no longer declares it, and deletes it"
        case .objectDrifted: "somebody else has changed what its Source declares"
        case .objectiveBurning: "the budget is used up faster than it lasts"
        case .objectiveSpent: "the budget is spent: more went wrong in the window than may"
        case .objectiveRecovered: "there is budget left, and it lasts"
        }
    }
}
