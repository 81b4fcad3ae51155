import Values

/// Kubernetes' bindings: who has what a role allows.
enum BindingKinds {
    static let roleBinding = KindDescription(
        "RoleBinding", group: RoleKinds.group, resource: "rolebindings",
        text: "Gives a role in its namespace.", nameRule: .pathPart,
        fields: [subjects, roleRef(["Role", "ClusterRole"])], columns: columns, rules: check)

    static let clusterRoleBinding = KindDescription(
        "ClusterRoleBinding", group: RoleKinds.group, resource: "clusterrolebindings",
        text: "Gives a role everywhere.", isNamespaced: false,
        nameRule: .pathPart, fields: [subjects, roleRef(["ClusterRole"])], columns: columns, rules: check)

    private static let subjects = Field(
        "subjects",
        .list(
            .object([
                Field(
                    "kind", .enumeration(["User", "Group", "ServiceAccount"]), required: true,
                    text: "What the name is of."),
                Field("name", .string(.nonEmpty), required: true, text: "Name of the user, group or account."),
                Field("namespace", .string(.label(63)), text: "Of a ServiceAccount: where it is."),
                Field(
                    "apiGroup", .enumeration(["", RoleKinds.group]),
                    text: "rbac.authorization.k8s.io for users and groups, \"\" for accounts."),
            ]), max: 1024, nonEmpty: false),
        text: "Who has what the role allows.")

    private static func roleRef(_ kinds: [String]) -> Field {
        Field(
            "roleRef",
            .object([
                Field(
                    "apiGroup", .enumeration([RoleKinds.group]), fallback: .text(RoleKinds.group),
                    text: "rbac.authorization.k8s.io."),
                Field("kind", .enumeration(kinds), required: true, text: "Kind of the role."),
                Field("name", .string(.pathPart), required: true, text: "Name of the role."),
            ]), required: true, text: "The role; it cannot be changed, only a new binding can name another.")
    }

    private static let columns: [Column] = [
        .name,
        Column("ROLE", text: "What is given.") { object in
            let role = object["roleRef"]
            return .text("\(role?["kind"]?.string ?? "")/\(role?["name"]?.string ?? "")")
        },
        .age, names("USERS", "User"), names("GROUPS", "Group"), names("SERVICEACCOUNTS", "ServiceAccount"),
    ]

    private static func names(_ title: String, _ kind: String) -> Column {
        Column(title, text: "Whom it is given.", isWide: true) { object in
            let subjects = (object["subjects"]?.list ?? []).filter { $0["kind"]?.string == kind }
            let names = subjects.map { subject in
                ((subject["namespace"]?.string).map { "\($0)/" } ?? "") + (subject["name"]?.string ?? "")
            }
            return .text(names.joined(separator: ", "))
        }
    }

    @Sendable private static func check(_ object: Node, _ validator: inout Validator) {
        for (index, subject) in (object["subjects"]?.list ?? []).enumerated() {
            let place = "subjects[\(index)]"
            let isAccount = subject["kind"]?.string == "ServiceAccount"
            if isAccount, subject["namespace"] == nil {
                validator.report(subject.mark, "\(place).namespace", "a ServiceAccount is in a namespace")
            }
            if !isAccount, let namespace = subject["namespace"], namespace.string?.isEmpty == false {
                validator.report(namespace.mark, "\(place).namespace", "users and groups are in no namespace")
            }
            if let group = subject["apiGroup"]?.string, group != (isAccount ? "" : RoleKinds.group) {
                validator.report(
                    subject.mark, "\(place).apiGroup",
                    "of this kind is \(isAccount ? "\"\"" : "\"\(RoleKinds.group)\"")")
            }
        }
    }
}
