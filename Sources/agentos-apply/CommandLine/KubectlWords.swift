/// What the fingers of kubectl's users type and is another word here: an answer that leads on, not only "unknown".
enum KubectlWords {
    /// `; …` for a command of kubectl that is none here.
    static func hint(verb: String) -> String? {
        switch verb {
        case "patch", "replace", "set", "autoscale":
            "; 'agentos-apply edit', 'scale', 'label' and 'apply' change objects; \(itself)"
        case "run", "expose", "kustomize": "; write a manifest, see 'agentos-apply explain agent', and apply it"
        case "config": "; --kubeconfig FILE and --context NAME say which daemon is meant; \(itself)"
        case "cluster-info": "; 'agentos-apply version' and 'agentos-apply doctor' tell of the daemon and its machine"
        case "api-versions": "; 'agentos-apply api-resources' names them"
        case "debug", "proxy": "; 'agentos-apply exec', 'attach' and 'port-forward' lead to an agent; \(itself)"
        case "drain", "cordon", "uncordon", "taint":
            "; there is one machine: 'agentos-apply suspend' and 'agentos-apply resume' hold its agents"
        case "stop": "; 'agentos-apply suspend NAME' stops an agent, 'agentos-apply daemon stop' the daemon"
        case "start": "; 'agentos-apply resume NAME' lets an agent go on, 'agentos-apply daemon start' starts a daemon"
        case "ps", "list", "ls": "; 'agentos-apply status' shows what runs, 'agentos-apply get KIND' lists objects"
        case "rm", "remove": "; 'agentos-apply delete KIND NAME' deletes an object"
        default: nil
        }
    }

    /// `; …` for an option of kubectl that is none of the verb's.
    static func hint(option: String, of verb: String) -> String? {
        switch (option, verb) {
        case ("server-side", _), ("field-manager", _): "; every apply is one of the server's side: leave it out"
        case ("force-conflicts", "apply"): "; it takes fields over from other managers without it"
        case ("wait", "delete"): "; it waits without it, and --no-wait returns at once"
        case ("now", "delete"): "; --grace-period 1 is that"
        case ("force", "delete"): "; --grace-period 0 kills at once"
        case ("sort-by", "get"), ("show-labels", "get"), ("no-headers", "get"), ("label-columns", "get"):
            "; -o json shows everything, for a program such as jq; \(itself)"
        case ("kustomize", _): "; make the manifests first: kubectl kustomize DIR | agentos-apply apply -f -"
        case ("container", _): "; an agent is one container: leave it out"
        default: nil
        }
    }

    /// `; …` for a resource of kubectl that is none here.
    static func hint(kind: String) -> String? {
        switch kind {
        case "pod", "pods", "po", "deployment", "deployments", "deploy", "replicaset", "replicasets", "rs":
            "; agents are what runs, and kubectl sees them as pods and deployments, too"
        case "node", "nodes", "no": "; there is one machine: 'agentos-apply doctor' tells of it"
        default: nil
        }
    }

    private static let itself = "kubectl works with the daemon, too: see 'agentos-apply kubeconfig --help'"
}
