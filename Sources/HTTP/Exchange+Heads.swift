import CMicroHTTPD

/// The head of a request, and of its answer.
extension Exchange {
    /// The first value of a header, which is written as it stands: texts that are handed to C are copied first.
    public func header(_ name: StaticString) -> String? {
        switch origin {
        case .connection(let handle):
            name.withUTF8Buffer { name in
                name.withMemoryRebound(to: CChar.self) { agentos_mhd_header(handle, $0.baseAddress) }
            }.map { String(cString: $0) }
        case .message: message(name.description)
        }
    }

    /// The values of all lines of the head with this name.
    public func headers(_ name: String) -> [String] {
        guard case .connection(let handle) = origin else { return message(name).map { [$0] } ?? [] }
        var values: [String] = []
        withUnsafeMutablePointer(to: &values) { values in
            agentos_mhd_each_header(
                handle, name,
                { user, value in
                    user!.assumingMemoryBound(to: [String].self).pointee.append(String(cString: value!))
                }, values)
        }
        return values
    }

    private func message(_ name: String) -> String? {
        guard case .message(let message, _) = origin else { return nil }
        return message.header(name)
    }

    /// Texts that are handed to C as arguments are copied first; these are not.
    static func add(_ name: String, _ value: String, to response: OpaquePointer) {
        name.withCString { name in value.withCString { agentos_mhd_add_header(response, name, $0) } }
    }
}
