import Glibc
import Machine
public import Manifests
import Values

/// gVisor's `runsc` with the flags of this daemon: containerd's shim takes the path of a program without arguments, so
/// there is a script for each network mode.
///
/// `runsc exec` cannot pass SIGKILL on into its sandbox, so commands beside an agent leave their pid there, and
/// `end ROOT ID FILE` kills such a command with all that it started.
public struct RunscPrograms: Sendable {
    public struct Problem: Error { public var message: String }

    /// The last signal that `runsc kill` knows.
    static let signalMax: Int32 = 31

    /// By network mode.
    public let paths: [AgentSpec.Network: String]

    /// Writes the scripts into `<state>/runtimes`.
    public init(state: String, runsc: String, platform: String) throws(Problem) {
        var paths: [AgentSpec.Network: String] = [:]
        do throws(Files.Failure) {
            try Files.makeDirectory("\(state)/runtimes")
            for (mode, network) in [(AgentSpec.Network.none, "none"), (.host, "host"), (.bridge, "sandbox")] {
                let path = "\(state)/runtimes/runsc-\(network)"
                try Files.replace(path, Array(Self.script(state, runsc, platform, network).utf8), mode: 0o700)
                paths[mode] = path
            }
        } catch { throw Problem(message: error.words) }
        self.paths = paths
    }

    func path(_ network: AgentSpec.Network?) -> String { paths[network ?? .none] ?? "" }

    private static func script(_ state: String, _ runsc: String, _ platform: String, _ network: String) -> String {
        let start = "exec '\(runsc)' --platform=\(platform) --network=\(network) \"$@\""
        // runsc takes every network namespace for the machine's own where the kernel shows the settings of
        // /proc/sys/net/core in all of them: they are hidden from it.
        let masked = """
            case " $* " in
            *" create "* | *" start "* | *" run "*)
                exec nsenter "--net=\(state)/network/$last" unshare -m sh -c \
                    'mount -t tmpfs none /proc/sys/net/core; exec "$@"' sh \
                    '\(runsc)' --platform=\(platform) --network=\(network) "$@"
                ;;
            esac
            """
        return """
            #!/bin/sh
            runsc() { '\(runsc)' "$@"; }
            if [ "$1" = end ]; then
                read -r main <"$4"
                [ -n "$main" ] || exit 0
                for signal in STOP STOP KILL; do
                    runsc --root "$2" ps "$3" | {
                        tree=" $main "
                        while read -r _ pid parent _; do
                            case $tree in *" $pid "* | *" $parent "*)
                                tree="$tree$pid "
                                runsc --root "$2" kill --pid "$pid" "$3" "$signal"
                                ;;
                            esac
                        done
                    }
                done
                exit 0
            fi
            last= file= is_command=
            for word; do
                [ "$word" = exec ] && is_command=yes
                [ "$last" = --pid-file ] && file=${word##*/}
                last=$word
            done
            if [ -n "$is_command" ]; then
                for word; do
                    shift
                    set -- "$@" "$word"
                    [ "$word" = exec ] && set -- "$@" "--internal-pid-file=\(state)/sandboxes/$last/$file"
                done
            fi
            \(network == "sandbox" ? masked : "")
            \(start)

            """
    }
}
