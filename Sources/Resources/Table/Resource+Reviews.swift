extension Resource {
    /// Questions about who one is and what one may, and where else they are asked.
    static let reviews: [Resource] = [
        review("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview", "Who am I?"),
        review("authentication.k8s.io", "tokenreviews", "TokenReview", "Whose token is it?"),
        review(
            "authorization.k8s.io", "localsubjectaccessreviews", "LocalSubjectAccessReview", isNamespaced: true,
            "May somebody, in one namespace?"),
        review("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview", "May I?"),
        review("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview", "What may I?"),
        review("authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview", "May somebody?"),
    ]

    private static func review(
        _ group: String, _ name: String, _ kind: String, isNamespaced: Bool = false, _ text: String
    ) -> Resource {
        Resource(
            group: group, name, singular: kind.lowercased(), kind: kind, isNamespaced: isNamespaced, verbs: [.create],
            home: .reviews, text: text)
    }
}
