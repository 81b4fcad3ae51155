// swift-tools-version: 6.0
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6), .enableUpcomingFeature("InternalImportsByDefault"), .unsafeFlags(["-warnings-as-errors"]),
]

/// Asynchronous functions stay on the thread of the driver that calls them.
let staysOnItsThread = SwiftSetting.enableUpcomingFeature("NonisolatedNonsendingByDefault")

func library(
    _ name: String, _ dependencies: [Target.Dependency], path: String? = nil, exclude: [String] = [],
    settings: [SwiftSetting] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: path ?? "Sources/\(name)", exclude: exclude,
        swiftSettings: strict + settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(name)", exclude: exclude, swiftSettings: strict)
}

let package = Package(
    name: "agentos-apply",
    products: [
        .executable(name: "agentos-apply", targets: ["agentos-apply"]),
        .executable(name: "agentos-supervise", targets: ["agentos-supervise"]),
        .executable(name: "simulate", targets: ["simulate"]),
        .executable(name: "sink-rate", targets: ["sink-rate"]),
    ],
    targets: [
        // Those without pkgConfig are loaded when they are needed, and not linked (decisions 028 and 040).
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CCrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CTLS", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CMicroHTTPD", providers: [.apt(["libmicrohttpd-dev"])]),
        .systemLibrary(name: "CCurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CNATS", providers: [.apt(["libnats-dev"])]),
        .systemLibrary(name: "CNGHTTP2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .systemLibrary(name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
        .systemLibrary(name: "CZ", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CArchive", providers: [.apt(["libarchive-dev"])]),
        .target(name: "CPages", dependencies: ["CSQLite"], path: "Sources/CPages"),
        .target(name: "CLinux", path: "Sources/CLinux", cSettings: [.define("_GNU_SOURCE")]),

        library("Values", ["CYAML", "CCrypto", "CLinux"]),
        library("Machine", ["Values", "CLinux"]),
        library("HTTP", ["Machine", "Values", "CMicroHTTPD", "CTLS", "CZ", "CLinux"]),
        library("HTTPClient", ["Machine", "Values", "CCurl", "CLinux"]),
        library("GRPC", ["Machine", "Values", "CNGHTTP2", "CLinux"], settings: [staysOnItsThread]),
        library("Manifests", ["Values"]),
        library("Planner", ["Manifests", "Values"], path: "Sources/Reconciler/Planner"),
        library("Reconciler", ["Planner", "Manifests", "Values"], path: "Sources/Reconciler", exclude: ["Planner"]),
        library("Resources", ["Reconciler", "Planner", "Manifests", "Values"]),
        library("Loop", ["Reconciler", "Planner", "Manifests", "Machine", "Values", "CLinux"]),
        library("Storage", ["Reconciler", "Planner", "Manifests", "Values", "CSQLite", "CPages", "CLinux"]),
        library(
            "Messaging",
            ["HTTPClient", "Reconciler", "Planner", "Manifests", "Machine", "Values", "CNATS", "CLinux"]),
        library(
            "Drivers",
            [
                "Reconciler", "Planner", "Manifests", "GRPC", "Machine", "Values", "CSeccomp", "CArchive", "CLinux",
            ],
            settings: [staysOnItsThread]),
        library("GitOps", ["Reconciler", "Planner", "Manifests", "Machine", "Values", "CLinux"]),
        library(
            "API",
            ["Loop", "HTTP", "GRPC", "Resources", "Reconciler", "Planner", "Manifests", "Machine", "Values", "CLinux"]),
        .executableTarget(
            name: "agentos-apply",
            dependencies: [
                "API", "HTTP", "Loop", "Reconciler", "Planner", "Storage", "Messaging", "Drivers", "GitOps",
                "Manifests", "Machine", "Values", "HTTPClient", "CLinux",
            ],
            path: "Sources/agentos-apply", swiftSettings: strict),
        // One tiny static process per agent: no Swift runtime in it (-nostartfiles drops Swift's start file only).
        .executableTarget(
            name: "agentos-supervise", path: "Sources/agentos-supervise", cSettings: [.define("_GNU_SOURCE")],
            linkerSettings: [.unsafeFlags(["-static-executable", "-nostartfiles", "-Xlinker", "--gc-sections"])]),

        library("Simulation", ["Loop", "Reconciler", "Planner", "Manifests", "Values"], path: "Tests/Simulation"),
        .executableTarget(
            name: "simulate", dependencies: ["Simulation"], path: "Tests/simulate", swiftSettings: strict),

        .executableTarget(
            name: "sink-rate", dependencies: ["Messaging", "Reconciler", "Planner", "Values", "CLinux"],
            path: "Benchmarks/sinks",
            swiftSettings: strict),

        library(
            "Conformance", ["Simulation", "Support", "Reconciler", "Planner", "Manifests", "Machine", "Values"],
            path: "Tests/Conformance"),
        library("Support", ["Manifests", "Values"], path: "Tests/Support"),
        tests("ValuesTests", ["Support", "Values"]),
        tests("ManifestsTests", ["Manifests", "Drivers", "Values"]),
        tests("PlannerTests", ["Drivers", "Planner", "Manifests", "Reconciler", "Values"]),
        tests("ReconcilerTests", ["Simulation", "Reconciler", "Planner", "Manifests", "Values"]),
        tests(
            "LoopTests",
            [
                "Loop", "Machine", "Messaging", "Simulation", "Support", "Reconciler", "Planner", "Manifests", "Values",
            ]),
        tests("SimulationTests", ["Simulation", "Planner", "Reconciler"]),
        tests(
            "StorageTests",
            ["Conformance", "Storage", "Reconciler", "Planner", "Manifests", "Messaging", "Simulation", "Values"],
            exclude: ["Schemas"]),
        tests(
            "MessagingTests",
            [
                "Conformance", "HTTPClient", "Messaging", "Support", "Reconciler", "Planner", "Manifests", "Values",
                "CLinux",
            ],
            exclude: ["lines.py", "stream.py", "stream_admin.py", "webhook.py"]),
        tests("GRPCTests", ["Support", "GRPC", "Machine", "Values"], exclude: ["grpc-server.py"]),
        tests(
            "DriversTests",
            ["Support", "Drivers", "Reconciler", "Planner", "Manifests", "Machine", "Values", "CLinux"]),
        tests(
            "APITests",
            ["API", "HTTP", "GRPC", "Loop", "Manifests", "Reconciler", "Resources", "Support", "Values", "CLinux"]),
        tests(
            "ClientMatrix", ["Support"],
            exclude: [
                "cases.py", "kubectl.py", "reader.py", "kubernetes_client.py", "kr8s_client.py", "lightkube_client.py",
                "kopf_operator.py",
            ]),
        tests("MachineTests", ["Support", "Machine", "Values", "CLinux"]),
        tests("GitOpsTests", ["GitOps", "Machine", "Planner", "Manifests", "Values"]),
        tests(
            "CommandLineTests", ["Support", "agentos-apply", "HTTP", "HTTPClient", "Machine", "Manifests", "Values"],
            exclude: ["Golden"]),
        tests("TidyTests", ["Support", "Drivers", "Manifests", "Resources", "Values"]),
        tests("EndToEndTests", ["Support", "Reconciler", "Manifests", "Values"], exclude: ["ask.py", "consume.py"]),
        tests("DriverConformance", ["Support", "Manifests", "Values"], exclude: ["image.py"]),
    ]
)
