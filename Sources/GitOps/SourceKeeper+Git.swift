import Machine
import Manifests
import Planner
import Reconciler
import Values

/// Sources whose repositories are fetched into clones of the daemon's own.
extension SourceKeeper {
    func poll(_ source: Watched) {
        guard isCurrent(source), let clone = source.clone, let git = source.request.spec.git, !source.isPolling else {
            return
        }
        if let timer = source.poll { events.cancel(timer) }
        // A poll of the specification before may still run.
        if clone.isUpdating {
            source.poll = events.after(ms: 200) { [unowned self] in poll(source) }
            return
        }
        source.isPolling = true
        guard git.url.hasPrefix("file://") else { return update(source, clone, git) }
        // Its thread waits already.
        if source.isSilent {
            return finishPoll(source, git, .failure(AllowedPaths.Problem(message: lateness(of: source))))
        }
        let (paths, path) = (paths, String(git.url.dropFirst(7)))
        looks.take(at: path) { () -> AllowedPaths.Problem? in
            do throws(AllowedPaths.Problem) { _ = try paths.resolve(path) } catch { return error }
            return nil
        } late: { [self] _ in
            source.isSilent = false
            poll(source)
        } then: { [self] result in
            switch result {
            case .success(nil): update(source, clone, git)
            case .success(let problem?): finishPoll(source, git, .failure(problem))
            case .failure(let failure):
                if case .late = failure { source.isSilent = true }
                finishPoll(source, git, .failure(AllowedPaths.Problem(message: words(for: failure, source))))
            }
        }
    }

    private func update(_ source: Watched, _ clone: GitClone, _ git: SourceSpec.Git) {
        clone.update(
            tell: { [unowned self] why in
                if isCurrent(source) { report(.sourceRead(source.request.uid, Look.failure(why), nil)) }
            },
            { [unowned self] result in finishPoll(source, git, result) })
    }

    private func finishPoll(
        _ source: Watched, _ git: SourceSpec.Git, _ result: Result<GitClone.Checkout, AllowedPaths.Problem>
    ) {
        source.isPolling = false
        let waiting = source.afterPoll
        source.afterPoll = []
        defer { for done in waiting { done() } }
        guard isCurrent(source) else { return }
        source.poll = events.after(ms: git.intervalMs) { [unowned self] in poll(source) }
        switch result {
        case .success(let checkout):
            source.checkout = checkout
            read(source)
        case .failure(let problem): tell(source, Look.failure(problem.message))
        }
    }
}
