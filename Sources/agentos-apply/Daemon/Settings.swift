import HTTP
import Loop
import Manifests
import Messaging
import Values

/// Everything that a daemon can be told: one value from its file, its environment and its options, in this order.
package struct Settings: Equatable, Sendable {
    package enum LogFormat: String, Choice, Sendable {
        case text, json
    }

    /// Nil: the place that is usual for the user.
    package var stateDirectory: String?
    package var socket: String?
    package var logFormat = "text"
    package var logLevel = "info"
    package var logModules: [String] = []
    package var containerdSocket = "/run/containerd/containerd.sock"
    package var containerdNamespace = "agentos"
    /// Nil: the one on PATH.
    package var runsc: String?
    package var runscPlatform = "ptrace"
    package var bridgeSubnet = "10.90.0.0/16"
    package var cniPlugins = "/usr/lib/cni"
    /// Nil: below the daemon's own.
    package var agentsCgroup: String?
    package var hostPaths: [String] = []
    package var watchedDirectories: [String] = []
    package var sourcePaths: [String] = []
    package var sourceNamespaces: [String] = []
    package var secretPaths: [String] = []
    package var secretVariables: [String] = []
    package var listen: [String] = []
    package var tlsCertificateFile: String?
    package var tlsPrivateKeyFile: String?
    package var clientAuthorityFile: String?
    package var tokenFile: String?
    /// Nil: the daemon keeps a key of its own in its state directory.
    package var secretsKeyFile: String?
    package var secretsKeyCommand: String?
    /// Of so many events one is compared with its schema; 0: none.
    package var eventChecks = 100
    package var tracesEndpoint: String?
    package var tracesHeadersFile: String?
    package var tracesRatio = "1"
    /// In the file alone: nothing of it fits into a word.
    package var sinks: [SinkSetting] = []

    package init() {}

    /// All settings, in the order in which help and `--print-config` show them.
    package static let table: [Setting] = [
        .text(
            "state-dir", "stateDirectory", value: "DIR", \.stateDirectory, "state directory of the daemon",
            read: SettingRules.path),
        .text("socket", "socket", value: "PATH", \.socket, "socket of the daemon", read: SettingRules.path),
        .text(
            "log-format", "logFormat", value: "FORMAT", \.logFormat, "text or json (default: text)", reloads: true,
            read: { word throws(Mistake) in try LogFormat.read(word).rawValue }),
        .text(
            "log-level", "logLevel", value: "LEVEL", \.logLevel,
            "least level of the lines of the log: debug, info or error (default: info)", reloads: true,
            read: SettingRules.logLevel),
        .list(
            "log-module", "logModules", value: "MODULE=LEVEL", separator: ",", \.logModules,
            "level of the lines about one module, as drivers=debug, of access, api, daemon, drivers, events, settings, sinks, store, traces; may be repeated",
            reloads: true, read: SettingRules.logModule),
        .text(
            "containerd-socket", "containerdSocket", value: "PATH", \.containerdSocket,
            "socket of containerd (default: /run/containerd/containerd.sock)", read: SettingRules.path),
        .text(
            "containerd-namespace", "containerdNamespace", value: "NAME", \.containerdNamespace,
            "containerd namespace of images and agents (default: agentos)"),
        .text(
            "runsc", "runsc", value: "PATH", \.runsc, "gVisor's program (default: runsc on PATH)",
            read: SettingRules.path),
        .text(
            "runsc-platform", "runscPlatform", value: "NAME", \.runscPlatform,
            "gVisor's platform: ptrace or systrap (default: ptrace)", read: SettingRules.platform),
        .text(
            "bridge-subnet", "bridgeSubnet", value: "CIDR", \.bridgeSubnet,
            "addresses of agents with network Bridge (default: 10.90.0.0/16)", read: SettingRules.subnet),
        .text(
            "cni-plugins", "cniPlugins", value: "DIR", \.cniPlugins,
            "plugins for network Bridge (default: /usr/lib/cni)", read: SettingRules.path),
        .text(
            "agents-cgroup", "agentsCgroup", value: "PATH", \.agentsCgroup,
            "cgroup of the unified hierarchy, as a path from its root, below which agents get theirs (default: the daemon's own)",
            read: SettingRules.absolute),
        .list(
            "host-path", "hostPaths", value: "DIR", \.hostPaths,
            "directory of this machine that manifests may name; may be repeated", read: SettingRules.absolute),
        .list(
            "watch", "watch", value: "DIR", \.watchedDirectories,
            "keep what is declared in a directory true; may be repeated", read: SettingRules.directory),
        .list(
            "source-path", "sourcePaths", value: "DIR", \.sourcePaths,
            "directory below which Sources may name paths; may be repeated", read: SettingRules.directory),
        .list(
            "source-namespaces", "sourceNamespaces", value: "SOURCE=NAMES", separator: ";", \.sourceNamespaces,
            "namespaces beside its own that a Source may write to, as default/fleet=team-a,team-b; * for all; may be repeated",
            reloads: true, read: SettingRules.sourceNamespaces),
        .list(
            "secret-path", "secretPaths", value: "DIR", \.secretPaths,
            "directory below which Secrets of Sources may name files; may be repeated",
            read: SettingRules.directory),
        .list(
            "secret-environment", "secretEnvironment", value: "NAME", \.secretVariables,
            "variable of the daemon that Secrets of Sources may name; may be repeated"),
        .list(
            "listen", "listen", value: "ADDRESS:PORT", separator: ",", \.listen,
            "serve over TLS, too, such as on 127.0.0.1:6443; may be repeated", read: SettingRules.listen),
        .text(
            "tls-cert-file", "tlsCertFile", value: "FILE", \.tlsCertificateFile,
            "certificate to serve with, and those that signed it (default: one of the daemon's own)",
            reloads: true, read: SettingRules.path),
        .text(
            "tls-private-key-file", "tlsPrivateKeyFile", value: "FILE", \.tlsPrivateKeyFile,
            "key of that certificate", reloads: true, read: SettingRules.path),
        .text(
            "client-ca-file", "clientCAFile", value: "FILE", \.clientAuthorityFile,
            "certificates of further authorities whose clients are known by their certificates", reloads: true,
            read: SettingRules.path),
        .text(
            "token-auth-file", "tokenAuthFile", value: "FILE", \.tokenFile,
            "tokens and their users, as lines of TOKEN,USER,UID,\"GROUP,…\", readable by its owner alone",
            reloads: true, read: SettingRules.path),
        .text(
            "secrets-key-file", "secretsKeyFile", value: "FILE", \.secretsKeyFile,
            "file with the key that Secrets are sealed with (default: secrets.key in the state directory)",
            read: SettingRules.path),
        .text(
            "secrets-key-command", "secretsKeyCommand", value: "COMMAND", \.secretsKeyCommand,
            "command of the shell that prints the key that Secrets are sealed with"),
        .number(
            "event-checks", "eventChecks", 0...1_000_000, \.eventChecks,
            "of so many events one is compared with its schema; 0: none (default: 100)"),
        .text(
            "traces-endpoint", "tracesEndpoint", value: "URL", \.tracesEndpoint,
            "where traces are sent as OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces (default: nowhere)",
            reloads: true, read: SettingRules.tracesEndpoint),
        .text(
            "traces-headers-file", "tracesHeadersFile", value: "FILE", \.tracesHeadersFile,
            "lines of NAME: VALUE that are sent with traces, readable by its owner alone", reloads: true,
            read: SettingRules.path),
        .text(
            "traces-ratio", "tracesRatio", value: "RATIO", \.tracesRatio,
            "share of the traces that are sent when nobody has asked for them, between 0 and 1 (default: 1)",
            reloads: true, read: SettingRules.ratio),
    ]
}

extension LogLevel: Choice {}

extension Settings {
    /// Where traces go; nil: nowhere.
    var traces: TraceSettings? {
        tracesEndpoint.map {
            TraceSettings(endpoint: $0, headersFile: tracesHeadersFile, ratio: Double(tracesRatio) ?? 1)
        }
    }

    /// What each of the settings cannot say by itself; nil when they fit together.
    package var problem: String? {
        (tlsCertificateFile == nil) == (tlsPrivateKeyFile == nil)
            ? nil : "tlsCertFile and tlsPrivateKeyFile (--tls-cert-file, --tls-private-key-file) are given together"
    }

    /// The names of the fields whose values differ, of those that a running daemon can take or of the others.
    package func differences(from other: Settings, reloads: Bool) -> [String] {
        Self.table.filter { $0.reloads == reloads && $0.node(self) != $0.node(other) }.map(\.field.name)
            + (reloads && sinks != other.sinks ? [SinkSetting.field.name] : [])
    }
}

/// What the words of a setting must be, and what is made of them.
enum SettingRules {
    static func path(_ word: String) throws(Mistake) -> String { Paths.absolute(word) }

    static func directory(_ word: String) throws(Mistake) -> String { trimmed(Paths.absolute(word)) }

    static func absolute(_ word: String) throws(Mistake) -> String {
        guard word.hasPrefix("/") else { throw Mistake("\"\(word)\" is no absolute path") }
        return trimmed(word)
    }

    private static func trimmed(_ path: String) -> String {
        path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    static func listen(_ word: String) throws(Mistake) -> String {
        guard ListenAddress(word) != nil else {
            throw Mistake("expected an address and a port such as 127.0.0.1:6443 or [::1]:6443, found \"\(word)\"")
        }
        return word
    }

    static func logLevel(_ word: String) throws(Mistake) -> String { try LogLevel.read(word).rawValue }

    static func logModule(_ word: String) throws(Mistake) -> String {
        guard LogRules.rule(word) != nil else {
            let modules = LogModule.allCases.map(\.rawValue).joined(separator: ", ")
            throw Mistake("expected MODULE=LEVEL such as drivers=debug with one of \(modules), found \"\(word)\"")
        }
        return word
    }

    static func tracesEndpoint(_ word: String) throws(Mistake) -> String {
        if let mistake = TraceSettings.mistake(word) { throw Mistake(mistake) }
        return word
    }

    static func ratio(_ word: String) throws(Mistake) -> String {
        guard let ratio = Double(word), (0...1).contains(ratio) else {
            throw Mistake("expected a number between 0 and 1, found \"\(word)\"")
        }
        return word
    }

    static func platform(_ word: String) throws(Mistake) -> String {
        guard ["ptrace", "systrap", "kvm"].contains(word) else {
            throw Mistake("expected ptrace or systrap, found \"\(word)\"")
        }
        return word
    }

    static func subnet(_ word: String) throws(Mistake) -> String {
        let parts = word.split(separator: "/")
        let numbers = parts.first?.split(separator: ".").compactMap { UInt8($0) } ?? []
        guard parts.count == 2, numbers.count == 4, let bits = Int(parts[1]), (8...29).contains(bits) else {
            throw Mistake("expected a network such as 10.90.0.0/16, found \"\(word)\"")
        }
        return word
    }

    static func sourceNamespaces(_ word: String) throws(Mistake) -> String {
        guard SourceRule(word) != nil else {
            throw Mistake("expected NAMESPACE/NAME=NAMESPACE,… or *=*, found \"\(word)\"")
        }
        return word
    }
}
