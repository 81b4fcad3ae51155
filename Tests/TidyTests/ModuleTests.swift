import Support
import Testing

/// The borders of the modules: who may import whom.
@Suite struct ModuleTests {
    /// From Documentation/architecture.md. What is not named here is another module's business.
    private static let allowed: [String: Set<String>] = [
        "Values": ["CYAML", "CCrypto"],
        "Machine": ["Values", "Manifests"],
        "HTTP": ["CMicroHTTPD", "CTLS", "CZ", "Machine", "Values", "Manifests"],
        "HTTPClient": ["CCurl", "Machine", "Values"],
        "GRPC": ["CNGHTTP2", "Machine", "Values", "Manifests"],
        "Manifests": ["Values"],
        "Planner": ["Manifests", "Values"],
        "Reconciler": ["Planner", "Manifests", "Values"],
        "Loop": ["Machine", "Reconciler", "Planner", "Manifests", "Values"],
        "Resources": ["Reconciler", "Planner", "Manifests", "Values"],
        "Storage": ["CPages", "CSQLite", "Machine", "Reconciler", "Planner", "Manifests", "Values"],
        "Messaging": ["CNATS", "HTTPClient", "Machine", "Reconciler", "Planner", "Manifests", "Values"],
        "Drivers": [
            "CArchive", "CSeccomp", "GRPC", "Machine", "Reconciler", "Planner", "Manifests", "Values",
        ],
        "GitOps": ["Machine", "Reconciler", "Planner", "Manifests", "Values"],
        "API": ["HTTP", "GRPC", "Loop", "Machine", "Resources", "Reconciler", "Planner", "Manifests", "Values"],
        "agentos-apply": [
            "API", "HTTP", "HTTPClient", "GRPC", "Loop", "Storage", "Messaging", "Drivers", "GitOps", "Machine",
            "Resources", "Reconciler", "Planner", "Manifests", "Values",
        ],
    ]

    /// The modules that may call the kernel and have threads; the others are functions of their arguments.
    private static let impure: Set<String> = [
        "Machine", "HTTP", "HTTPClient", "GRPC", "Storage", "Messaging", "Drivers", "GitOps", "agentos-apply",
    ]
    private static let system: Set<String> = ["Glibc", "CLinux", "Synchronization"]

    /// Where the code is not yet what the architecture says.
    private static let exceptions: [String: String] = [
        "API imports CLinux": "the peer of a connection, and log files, which become streams of the drivers",
        "API imports Glibc": "connections to ports of agents, which drivers hand over as sockets",
        "Loop imports CLinux": "the clock of deadlines",
        "Loop imports Synchronization": "counters that the metrics read",
    ]

    static func module(of path: String) -> String? {
        let parts = path.split(separator: "/").map(String.init)
        guard parts.count >= 3, parts[0] == "Sources" else { return nil }
        return parts[1] == "Reconciler" && parts[2] == "Planner" ? "Planner" : parts[1]
    }

    /// The imports of the modules that the architecture does not allow.
    private static func strangers(_ files: [SwiftCode]) -> [String] {
        files.flatMap { file -> [String] in
            guard let module = module(of: file.path), let allowed = allowed[module] else {
                return ["\(file.path) belongs to no module of the architecture"]
            }
            return file.imports.map(\.module).filter { name in
                !allowed.contains(name) && !(system.contains(name) && impure.contains(module))
            }.map { "\(module) imports \($0)" }
        }
    }

    private static let sources = House.code.filter { $0.path.hasPrefix("Sources/") }

    @Test func modulesImportOnlyWhatTheyMay() {
        let found = offences(Self.strangers(Self.sources), besides: Self.exceptions)
        #expect(found == [])
        let bad = [
            SwiftCode(path: "Sources/Reconciler/Planner/X.swift", text: "import Glibc\n"),
            SwiftCode(path: "Sources/Surplus/X.swift", text: ""),
        ]
        #expect(Self.strangers(bad).count == 2)
    }

    /// A C library is imported by one module, and no type of it appears in what that module shows.
    private static func leaks(_ files: [SwiftCode]) -> [String] {
        var users: [String: Set<String>] = [:]
        var found: [String] = []
        for file in files {
            for (line, access, name) in file.imports where isCLibrary(name) {
                users[name, default: []].insert(module(of: file.path) ?? file.path)
                if !access.isEmpty { found.append("\(file.path):\(line): \(access) import \(name)") }
            }
        }
        return found
            + users.filter { $0.value.count > 1 && $0.key != "CLinux" }.map {
                "\($0.key) is imported by \($0.value.sorted().joined(separator: " and "))"
            }
    }

    private static func isCLibrary(_ name: String) -> Bool {
        name.count > 1 && name.first == "C" && name.dropFirst().first?.isUppercase == true
    }

    /// CLinux is the kernel's own interface, which every module that touches the machine uses.
    private static let shared: [String: String] = [:]

    @Test func cLibrariesStayInsideOneModule() {
        let found = offences(Self.leaks(Self.sources), besides: Self.shared)
        #expect(found == [])
        let bad = [
            SwiftCode(path: "Sources/Storage/X.swift", text: "package import CSQLite\n"),
            SwiftCode(path: "Sources/API/X.swift", text: "public import CSQLite\n"),
        ]
        #expect(Self.leaks(bad).count == 3)
    }

    /// The modules in an order in which each comes after all that it imports; nil when two import each other, over
    /// however many others.
    private static func order(_ imports: [String: Set<String>]) -> [String]? {
        var order: [String] = []
        while order.count < imports.count {
            let next = imports.keys.filter { name in
                !order.contains(name) && imports[name]!.allSatisfy { order.contains($0) || imports[$0] == nil }
            }
            if next.isEmpty { return nil }
            order += next.sorted()
        }
        return order
    }

    /// The allowed imports, too, have no circle: the compiler would only find one that is used.
    @Test func noImportGoesInACircle() {
        #expect(Self.order(Self.allowed) != nil)
        var real: [String: Set<String>] = [:]
        for file in Self.sources {
            real[Self.module(of: file.path) ?? "", default: []].formUnion(file.imports.map(\.module))
        }
        #expect(Self.order(real)?.last == "agentos-apply")
        #expect(Self.order(["A": ["B"], "B": ["C"], "C": ["A"], "D": []]) == nil)
    }

    @Test func thePictureOfTheModulesIsCurrent() {
        inWorld { world in
            let check = world.spawn(["\(House.root)/scripts/modules", "--check"])
            #expect(check.code == 0, "\(check.error)")
        }
    }

    @Test func thePackageHasNoDependencies() {
        let package = House.text("Package.swift")
        #expect(package.contains("let package = Package(") && !package.contains(".package("))
        #expect(World.read("\(House.root)/Package.resolved").isEmpty)
    }
}
