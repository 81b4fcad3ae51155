import GitOps
import Testing

/// What is left out of a directory.
@Suite struct ReaderTests {
    @Test(arguments: [
        ("*.draft.yaml", "a.draft.yaml", false, true), ("*.draft.yaml", "deep/a.draft.yaml", false, true),
        ("/top.yaml", "top.yaml", false, true), ("/top.yaml", "deep/top.yaml", false, false),
        ("skipped/", "skipped", true, true), ("skipped/", "skipped", false, false),
        ("a/*.yaml", "a/b.yaml", false, true), ("a/*.yaml", "a/b/c.yaml", false, false),
        ("**/tmp", "x/y/tmp", true, true), ("# comment", "# comment", false, false),
        ("*.yaml\n!kept.yaml", "kept.yaml", false, false), ("*.yaml\n!kept.yaml", "other.yaml", false, true),
        ("", "a.yaml", false, false), ("!", "a.yaml", false, false),
    ])
    func patternsMeanWhatGitMeans(_ rules: String, _ path: String, _ isDirectory: Bool, _ expected: Bool) {
        #expect(IgnoreRules(rules).ignores(path, isDirectory: isDirectory) == expected)
    }
}
