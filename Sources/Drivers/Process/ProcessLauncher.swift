import CLinux
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// Agents that are processes of this machine: held by users, limits, landlock and a filter of system calls.
final class ProcessLauncher: Launcher {
    private let configuration: ProcessDriver.Configuration
    private let homes: Homes
    private let user: UInt32
    private let bootID = ProcessTable.bootID
    private let work: SideWork

    init(_ configuration: ProcessDriver.Configuration, user: UInt32, events: EventLoop) {
        self.configuration = configuration
        self.user = user
        homes = Homes(directory: configuration.homes)
        work = SideWork(name: "homes", events: events)
    }

    // MARK: Starting

    func prepare(_ run: Run, _ context: StartContext, done: @escaping (Result<Launch, LaunchProblem>) -> Void) {
        let owner = user == 0 ? (run.spec.runAsUser ?? context.ownUser).map { ($0, run.spec.runAsGroup ?? $0) } : nil
        work.run { [homes] () -> Result<Void, Files.Failure> in
            do throws(Files.Failure) {
                return .success(try homes.make(for: run.id, owner: owner))
            } catch { return .failure(error) }
        } then: { [self] made in
            switch made {
            case .failure(let failure): done(.failure(.retry(failure.words)))
            case .success:
                done(
                    .success(
                        Launch { [self] (cgroups) throws(LaunchProblem) in try specification(run, context, cgroups) }))
            }
        }
    }

    func resources(of run: Run) -> AgentSpec.Resources { run.spec.resources }

    private func specification(
        _ run: Run, _ context: StartContext, _ cgroups: [String]
    ) throws(LaunchProblem) -> Supervisor.Specification {
        let home = homes.path(of: run.id)
        var environment = context.environment
        let names = Set(environment.map(\.name))
        if !names.contains("PATH") {
            environment.append(("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
        }
        if !names.contains("HOME") { environment.append(("HOME", home)) }
        if let why = context.problem
            ?? ProgramLimits.refusal(arguments: context.arguments, environment: environment)
        {
            throw .refused(.startError, why)
        }
        var specification = Supervisor.Specification(
            boot: bootID, directory: run.spec.workingDir ?? home, arguments: context.arguments,
            environment: environment.map { "\($0.name)=\($0.value)" })
        specification.store = configuration.storeID
        specification.user = user == 0 ? run.spec.runAsUser ?? context.ownUser : nil
        specification.group = user == 0 ? run.spec.runAsGroup : nil
        // A limit that was asked for holds; the daemon's own is a beginning, which programs may raise.
        specification.openFiles = run.spec.resources.limitOpenFiles ?? configuration.openFiles
        specification.openFilesMost = run.spec.resources.limitOpenFiles
        specification.readable = run.spec.filesystem?.read
        specification.writable = (run.spec.filesystem?.write ?? []) + [home]
        specification.logBytes = Limits.logBytesMax
        specification.logFiles = Limits.logFilesMax
        specification.stopSignal = run.spec.stopSignal ?? Signals.terminate
        specification.graceMs = run.spec.gracePeriodMs
        specification.cgroups = cgroups
        guard let filter = filter() else {
            throw .refused(.startError, "system calls of agents cannot be filtered on this machine")
        }
        specification.systemCalls = filter
        if let readable = specification.readable {
            let directory = RunDirectory(path: "\(configuration.runs)/\(run.id.text)")
            do throws(Files.Failure) {
                try directory.write(confinement: (readable, specification.writable))
            } catch { throw .retry(error.words) }
        }
        return specification
    }

    /// One that could not be made at the daemon's start, as for want of a descriptor, is made now.
    private func filter() -> String? {
        configuration.systemCalls.digits ?? SystemCallFilter.ofThisMachine().digits
    }

    func isUp(_ run: RunID) -> Bool { true }
    func awaitUp(_ run: RunID, changed: @escaping (RunID) -> Void) {}
    func facts(of run: RunDirectory) -> InstanceFacts { InstanceFacts() }
    func exit(of run: RunID, _ exit: Exit) -> Exit { exit }

    // MARK: Ending

    func signal(_ run: RunID, _ process: RunDirectory.Process, _ number: Int32, done: @escaping () -> Void) {
        SupervisedRuns.send(number, process.pid, process.start)
        SupervisedRuns.send(SIGCONT, process.pid, process.start)  // a stopped process takes its signal only then
        done()
    }

    func remove(_ run: RunID, done: @escaping (String?) -> Void) { done(nil) }
    func sweep() {}

    // MARK: Commands

    /// With the user, environment, directory and limits that the agent was started with, whatever it has made of its own.
    func command(
        _ execution: Execution, id: String, _ process: RunDirectory.Process, _ directory: RunDirectory
    ) throws(Files.Failure) -> Supervisor.Specification {
        var specification: Supervisor.Specification
        if let kept = Supervisor.Specification(keptBy: process.supervisor, process.supervisorStart) {
            specification = kept
        } else {
            specification = try found(process, directory)
        }
        specification.arguments = execution.command
        specification.cgroups = process.cgroups
        guard let filter = filter() else {
            throw Files.Failure(code: ENOSYS, what: "the filter of system calls")
        }
        specification.systemCalls = filter
        return specification
    }

    /// What can be seen of an agent whose supervisor is gone, or was started by an earlier version of the daemon.
    private func found(
        _ process: RunDirectory.Process, _ directory: RunDirectory
    ) throws(Files.Failure) -> Supervisor.Specification {
        let place = "/proc/\(process.pid)"
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("\(place)/cwd", &buffer, buffer.count - 1)
        guard count > 0, let environment = Files.text("\(place)/environ", limit: 2 << 20),
            let status = Files.text("\(place)/status")
        else { throw Files.Failure(code: errno, what: place) }
        func identity(_ name: String) -> UInt32? {
            let line = status.split(separator: "\n").first { $0.hasPrefix(name) }
            return user == 0
                ? line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { UInt32($0) } : nil
        }
        let confinement = directory.confinement
        var specification = Supervisor.Specification(
            boot: bootID, directory: String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self),
            arguments: [], environment: environment.split(separator: "\0").map(String.init))
        specification.user = identity("Uid:")
        specification.group = identity("Gid:")
        (specification.openFiles, specification.openFilesMost) = openFiles(place)
        specification.readable = confinement?.readable
        specification.writable = confinement?.writable ?? []
        return specification
    }

    private func openFiles(_ place: String) -> (Int64?, Int64?) {
        let name = "Max open files"
        let line = (Files.text("\(place)/limits") ?? "").split(separator: "\n").first { $0.hasPrefix(name) } ?? ""
        let numbers = line.dropFirst(name.count).split(whereSeparator: \.isWhitespace).prefix(2).map { Int64($0) }
        return numbers.count == 2 ? (numbers[0], numbers[1]) : (configuration.openFiles, nil)
    }

    func finish(
        _ execution: Execution, id: String, _ result: ExecutionResult, done: @escaping (ExecutionResult) -> Void
    ) {
        done(result)
    }
}
