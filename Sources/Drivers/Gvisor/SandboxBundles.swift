import CLinux
import Machine
import Planner
import Reconciler
import Values

/// What `runsc run` reads: a bundle for each run, in memory, since its environment holds secrets.
struct SandboxBundles: Sendable {
    var containers: ContainerSettings
    /// Directory of the run directories.
    var runs: String
    var bootID: String

    /// Where runsc keeps its own states.
    var states: String { "\(containers.volumes.memory)/runsc" }

    func memory(_ run: RunID) -> String { "\(containers.volumes.memory)/\(run.text)" }

    func path(_ run: RunID) -> String { "\(memory(run))/bundle" }

    /// Prepares the directories of a run and writes its bundle. Caveat: takes its time; not for a loop's thread.
    func write(
        _ run: Run, _ context: StartContext, _ root: UnpackedImages.Root, _ address: String?
    ) throws(LaunchProblem) {
        do throws(Volumes.Problem) {
            _ = try containers.volumes.makeMemory()
            let ground = ContainerSettings.Ground(
                image: root.image, files: RootFiles(layers: [root.path]), address: address)
            do throws(Files.Failure) { try Files.makeDirectory("\(runs)/\(run.id.text)") } catch {
                throw Volumes.Problem(message: error.words)
            }
            var container = try containers.specification(of: run, context, on: ground, cgroupsPath: nil)
            container.root = root.path
            do throws(Files.Failure) {
                for path in [states, memory(run.id), path(run.id)] { try Files.makeDirectory(path, mode: 0o711) }
                try Files.replace("\(path(run.id))/config.json", JSONWriter.bytes(container.node))
                try Files.replace("\(runs)/\(run.id.text)/root", Array(root.path.utf8))
                try RunDirectory(path: "\(runs)/\(run.id.text)").write(
                    RunDirectory.Started(
                        boot: bootID, atMs: agentos_wall_ms(), image: root.image.digest, address: address,
                        stopSignal: root.image.stopSignal))
            } catch { throw Volumes.Problem(message: error.words) }
        } catch { throw .refused(.startError, error.message) }
    }
}
