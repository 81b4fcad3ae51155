/// What an image says of users and groups: its `/etc/passwd` and `/etc/group`.
package struct Accounts: Sendable {
    /// Who a container runs as.
    package struct Identity: Sendable, Equatable {
        package var user: UInt32
        package var group: UInt32
        /// Groups beside the first.
        package var additional: [UInt32]

        package init(user: UInt32, group: UInt32, additional: [UInt32] = []) {
            self.user = user
            self.group = group
            self.additional = additional
        }
    }

    /// The image asks for somebody whom it does not know.
    package struct Unknown: Error, Equatable { package var message: String }

    private struct User {
        var name: Substring
        var id: UInt32
        var group: UInt32
    }

    private struct Group {
        var name: Substring
        var id: UInt32
        var members: [Substring]
    }

    package let passwd: String
    package let group: String
    private let users: [User]
    private let groups: [Group]

    package init(passwd: String, group: String) {
        self.passwd = passwd
        self.group = group
        func rows(_ text: String, _ count: Int) -> [[Substring]] {
            text.split(whereSeparator: \.isNewline).map { $0.split(separator: ":", omittingEmptySubsequences: false) }
                .filter { $0.count >= count }
        }
        users = rows(passwd, 4).compactMap { row in
            guard let id = UInt32(row[2]), let group = UInt32(row[3]) else { return nil }
            return User(name: row[0], id: id, group: group)
        }
        groups = rows(group, 3).compactMap { row in
            UInt32(row[2]).map {
                Group(name: row[0], id: $0, members: row.count > 3 ? row[3].split(separator: ",") : [])
            }
        }
    }

    package func hasUser(_ id: UInt32) -> Bool { users.contains { $0.id == id } }
    package func hasGroup(_ id: UInt32) -> Bool { groups.contains { $0.id == id } }

    /// Who `USER` of an image is: a name or a number, and after a colon its group likewise.
    ///
    /// Source: `config.User` of the OCI image specification. A number without an entry has the group of the same number.
    package func identity(of text: String) throws(Unknown) -> Identity {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let user = try self.user(parts[0], of: text)
        if parts.count > 1 { return Identity(user: user.id, group: try groupID(parts[1], of: text)) }
        let additional = groups.filter { $0.members.contains(user.name) && $0.id != user.group }.map(\.id)
        return Identity(user: user.id, group: user.group, additional: Set(additional).sorted())
    }

    private func user(_ name: Substring, of text: String) throws(Unknown) -> User {
        if let user = users.first(where: { $0.name == name }) { return user }
        guard let id = Self.number(name) else {
            throw Unknown(message: "the image's USER is \"\(text)\", and its /etc/passwd has no user \"\(name)\"")
        }
        return users.first { $0.id == id } ?? User(name: "", id: id, group: id)
    }

    private func groupID(_ name: Substring, of text: String) throws(Unknown) -> UInt32 {
        if let group = groups.first(where: { $0.name == name }) { return group.id }
        guard let id = Self.number(name) else {
            throw Unknown(message: "the image's USER is \"\(text)\", and its /etc/group has no group \"\(name)\"")
        }
        return id
    }

    /// 4294967295 means nobody to the kernel.
    private static func number(_ text: Substring) -> UInt32? { UInt32(text).flatMap { $0 == .max ? nil : $0 } }

    // MARK: Entries for users that the image does not know

    /// `/etc/passwd` with an entry for a user; nil when it has one.
    package func passwd(adding identity: Identity, home: String) -> String? {
        if hasUser(identity.user) { return nil }
        let name = users.contains { $0.name == "agent" } ? "agent\(identity.user)" : "agent"
        return Self.closed(passwd) + "\(name):x:\(identity.user):\(identity.group):agent:\(home):/bin/sh\n"
    }

    /// `/etc/group` with an entry for a group; nil when it has one.
    package func group(adding identity: Identity) -> String? {
        if hasGroup(identity.group) { return nil }
        let name = groups.contains { $0.name == "agent" } ? "agent\(identity.group)" : "agent"
        return Self.closed(group) + "\(name):x:\(identity.group):\n"
    }

    private static func closed(_ text: String) -> String { text.isEmpty || text.hasSuffix("\n") ? text : text + "\n" }
}
