import Manifests
import Planner

/// Roles: nobody writes into one what he does not have.
struct RoleController: KindController {
    func accept(_ candidate: inout Candidate, in work: Work) throws(Refusal) { try work.checkRole(candidate) }
}

/// Bindings of roles: nobody gives away what he does not have.
struct BindingController: KindController {
    func accept(_ candidate: inout Candidate, in work: Work) throws(Refusal) { try work.checkBinding(candidate) }
}

/// Service accounts: only stored.
struct ServiceAccountController: KindController {}
