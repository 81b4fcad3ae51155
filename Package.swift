// swift-tools-version: 6.0
import PackageDescription

let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .unsafeFlags(["-warnings-as-errors"])]

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
    ],
    targets: [
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CMicroHTTPD", pkgConfig: "libmicrohttpd", providers: [.apt(["libmicrohttpd-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CNGHTTP2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .systemLibrary(name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .target(name: "CLinux", path: "Sources/CLinux", cSettings: [.define("_GNU_SOURCE")]),

        library("Manifests", ["CYAML"]),
        library("Planner", ["Manifests"], path: "Sources/Reconciler/Planner"),
        library("Reconciler", ["Planner", "Manifests", "CLinux"], path: "Sources/Reconciler", exclude: ["Planner"]),
        library("Storage", ["Reconciler", "Planner", "Manifests", "CSQLite", "CCrypto", "CLinux"]),
        library("Messaging", ["Reconciler", "Planner", "Manifests", "CLinux"]),
        library(
            "Drivers", ["Reconciler", "Planner", "Manifests", "CNGHTTP2", "CSeccomp", "CCrypto", "CArchive", "CLinux"],
            // Asynchronous functions stay on the thread of the driver that calls them.
            settings: [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]),
        library("GitOps", ["Drivers", "Reconciler", "Planner", "Manifests", "CLinux"]),
        library("API", ["Reconciler", "Planner", "Manifests", "CMicroHTTPD", "CLinux"]),
        .executableTarget(
            name: "agentos-apply",
            dependencies: [
                "API", "Reconciler", "Planner", "Storage", "Messaging", "Drivers", "GitOps", "Manifests", "CCurl",
                "CLinux",
            ],
            path: "Sources/agentos-apply", swiftSettings: strict),
        // One tiny static process per agent: no Swift runtime in it (-nostartfiles drops Swift's start file only).
        .executableTarget(
            name: "agentos-supervise", path: "Sources/agentos-supervise", cSettings: [.define("_GNU_SOURCE")],
            linkerSettings: [.unsafeFlags(["-static-executable", "-nostartfiles", "-Xlinker", "--gc-sections"])]),

        library("Simulation", ["Reconciler", "Planner", "Manifests"], path: "Tests/Simulation"),
        .executableTarget(
            name: "simulate", dependencies: ["Simulation"], path: "Tests/simulate", swiftSettings: strict),

        tests("ManifestsTests", ["Manifests"]),
        tests("PlannerTests", ["Planner", "Manifests", "Reconciler", "Simulation"]),
        tests("StorageTests", ["Storage", "Reconciler", "Planner", "Manifests", "Messaging", "Simulation"]),
        tests("DriversTests", ["Drivers", "Reconciler"], exclude: ["grpc-server.py"]),
        tests("GitOpsTests", ["GitOps", "Manifests"]),
        tests("TidyTests", ["Manifests"]),
        tests("EndToEndTests", ["Manifests"]),
        tests("DriverConformance", ["Manifests"]),
    ]
)
