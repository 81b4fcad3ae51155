extension Supervisor {
    /// What the supervisor is asked for; it reads this from its standard input as format 3 of `specification.h`.
    package struct Specification {
        package var boot: String
        /// The store whose run this is.
        package var store = ""
        /// Nil: as the daemon.
        package var user: UInt32?
        package var group: UInt32?
        package var directory: String
        /// Open files: what a program may have, and what it may raise that to; nil: as the daemon.
        package var openFiles: Int64?
        package var openFilesMost: Int64?
        /// The filter of system calls as hexadecimal digits, or empty.
        package var systemCalls = ""
        /// Nil: not confined.
        package var readable: [String]?
        package var writable: [String] = []
        package var logBytes = 0
        package var logFiles = 0
        /// What is left of the tree when the main process has ended gets this signal, and so long to end.
        package var stopSignal: Int32 = 0
        package var graceMs: Int64 = 0
        package var cgroups: [String] = []
        package var arguments: [String]
        package var environment: [String]

        package init(boot: String, directory: String, arguments: [String], environment: [String]) {
            self.boot = boot
            self.directory = directory
            self.arguments = arguments
            self.environment = environment
        }

        /// What cannot be handed over, in words: strings end at their zero byte.
        package var problem: String? {
            for (index, argument) in arguments.enumerated() where argument.utf8.contains(0) {
                return "argument \(index) holds a NUL byte, which no argument can"
            }
            for variable in environment where variable.utf8.contains(0) {
                let name = variable.prefix { $0 != "=" }
                return "the variable \(name) holds a NUL byte, which no variable can"
            }
            return nil
        }

        package var bytes: [UInt8] {
            func number(_ value: (some BinaryInteger)?) -> String { value.map { String($0) } ?? "-1" }
            func list(_ items: [String]) -> [String] { [String(items.count)] + items }
            var strings = ["3", boot, store, number(user), number(group)]
            strings.append("18")  // umask 022
            strings += [directory, number(openFiles), number(openFilesMost), systemCalls, readable == nil ? "0" : "1"]
            strings += list(readable ?? []) + list(readable == nil ? [] : writable)
            strings += [String(logBytes), String(logFiles), String(stopSignal), String(graceMs)]
            strings += list(cgroups) + list(arguments) + list(environment) + ["end"]
            var bytes: [UInt8] = []
            for text in strings {
                bytes.append(contentsOf: text.utf8)
                bytes.append(0)
            }
            return bytes
        }
    }
}
