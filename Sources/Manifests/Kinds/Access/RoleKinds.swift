import Values

/// Kubernetes' roles: what may be done, without saying by whom.
enum RoleKinds {
    static let group = "rbac.authorization.k8s.io"

    static let role = KindDescription(
        "Role", group: group, resource: "roles",
        text: "What may be done in a namespace.", nameRule: .pathPart, fields: [rules], columns: [.name, .age],
        rules: { object, validator in check(object, isNamespaced: true, &validator) })

    static let clusterRole = KindDescription(
        "ClusterRole", group: group, resource: "clusterroles",
        text: "What may be done everywhere, or where a binding gives it.", isNamespaced: false, nameRule: .pathPart,
        fields: [
            rules,
            Field(
                "aggregationRule", .anything,
                text: "Refused: what a role allows stands in it; write the rules of the other roles out."),
        ],
        columns: [.name, .age],
        rules: { object, validator in check(object, isNamespaced: false, &validator) })

    private static let rules = Field(
        "rules",
        .list(
            .object([
                words("verbs", required: true, "What may be done, such as get, list or watch; * for everything."),
                words("apiGroups", "Groups of the resources; \"\" is the core group, * all of them."),
                words("resources", "Resources in the plural; agents/log, */scale and agents/* name subresources."),
                words("resourceNames", "Names of single objects; nothing: all of them."),
                words("nonResourceURLs", "Paths that are no resources; a * at the end takes what begins with it."),
            ]), max: 1024, nonEmpty: false),
        text: "What the role allows.")

    private static func words(_ name: String, required: Bool = false, _ text: String) -> Field {
        Field(name, .list(.string(.any), max: 256, nonEmpty: false), required: required, text: text)
    }

    private static func check(_ object: Node, isNamespaced: Bool, _ validator: inout Validator) {
        if let rule = object["aggregationRule"], !rule.isNull {
            validator.report(
                rule.mark, "aggregationRule", "is not supported; write the rules of the other roles out")
        }
        for (index, rule) in (object["rules"]?.list ?? []).enumerated() {
            let place = "rules[\(index)]"
            func has(_ name: String) -> Bool { rule[name]?.list?.isEmpty == false }
            if !has("verbs") { validator.report(rule.mark, "\(place).verbs", "must name at least one verb") }
            if has("nonResourceURLs") {
                if isNamespaced {
                    validator.report(
                        rule.mark, "\(place).nonResourceURLs", "namespaced roles cannot allow paths; use a ClusterRole")
                }
                if ["apiGroups", "resources", "resourceNames"].contains(where: has) {
                    validator.report(
                        rule.mark, "\(place).nonResourceURLs", "rules speak of resources or of paths, not of both")
                }
                continue
            }
            if !has("apiGroups") {
                validator.report(
                    rule.mark, "\(place).apiGroups", "must name at least one group; \"\" is the core group")
            }
            if !has("resources") {
                validator.report(rule.mark, "\(place).resources", "must name at least one resource")
            }
        }
    }
}
