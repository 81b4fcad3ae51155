import Testing
import Values
import agentos_apply

/// What a person sees of an explanation.
@Suite struct WhyTextTests {
    private static let crash = """
        {"object":{"kind":"Agent","namespace":"team-a","name":"web","ordinal":1},"state":"BackingOff",
         "since":"1970-01-01T01:00:00Z","sentence":"its last run has failed, and the next attempt waits",
         "message":"0 of 2 replicas are ready; replica 1 exited with code 3, attempt 7",
         "waits":["the next attempt of replica 1, until 1970-01-01T02:00:12Z (in 12 s)"],
         "causes":[
          {"at":"1970-01-01T01:59:50Z","sentence":"replica 1: it failed: it ended by itself, with an error, exit code 3",
           "by":"system:reconciler","verb":"failed","count":7,"first":"1970-01-01T01:00:00Z"},
          {"at":"1970-01-01T00:30:00Z","sentence":"what is declared of it was changed","by":"source:default/fleet",
           "verb":"updated","declaredAt":"web.yaml:4","sourceRevision":"4f1c2a9"},
          {"at":"1970-01-01T00:00:00Z","sentence":"it was declared","by":"uid:1000","verb":"created",
           "manager":"agentos-apply","declaredAt":"/home/me/web.yaml:1"}],
         "next":"it is started again at 1970-01-01T02:00:12Z (in 12 s), as attempt 8",
         "can":["read what it has written: agentos-apply logs web --previous; then apply a corrected manifest"],
         "output":["Traceback \\u001b[31m(most recent call last):","KeyError: 'MODEL'"]}
        """

    private func text(_ columns: Int?, hasColor: Bool = false) throws -> String {
        WhyText(columns: columns, hasColor: hasColor, nowMs: 7_200_000).text(
            try #require(JSONReader.read(Self.crash)))
    }

    @Test(arguments: [200, nil]) func aWideTerminalHasOneLineForEachCause(_ columns: Int?) throws {
        #expect(
            try text(columns) == """
                agent team-a/web/1 is BackingOff, for 60m: its last run has failed, and the next attempt waits
                  0 of 2 replicas are ready; replica 1 exited with code 3, attempt 7

                Because, newest first:
                    10s  replica 1: it failed: it ended by itself, with an error, exit code 3 (7 times in 60m)
                    90m  what is declared of it was changed, by source:default/fleet, from web.yaml:4 at 4f1c2a9
                     2h  it was declared, by uid:1000 with agentos-apply, from /home/me/web.yaml:1

                It waits for:
                  the next attempt of replica 1, until 1970-01-01T02:00:12Z (in 12 s)

                What follows by itself:
                  it is started again at 1970-01-01T02:00:12Z (in 12 s), as attempt 8

                You can:
                  read what it has written: agentos-apply logs web --previous; then apply a corrected manifest

                Its last output:
                  | Traceback \u{fffd}[31m(most recent call last):
                  | KeyError: 'MODEL'

                """)
    }

    @Test func aNarrowTerminalWraps() throws {
        let lines = try text(60).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.allSatisfy { $0.count <= 60 })
        #expect(
            lines.prefix(9).joined(separator: "\n") == """
                agent team-a/web/1 is BackingOff, for 60m: its last run has
                  failed, and the next attempt waits
                  0 of 2 replicas are ready; replica 1 exited with code 3,
                  attempt 7

                Because, newest first:
                    10s replica 1: it failed: it ended by itself, with an
                         error, exit code 3 (7 times in 60m)
                    90m what is declared of it was changed, by
                """)
    }

    /// However many commands somebody has run beside it, they are one line.
    @Test func commandsAreToldTogether() throws {
        func entry(_ at: String, _ by: String, _ verb: String, _ more: String = "") -> String {
            #"{"at":"1970-01-01T0\#(at):00Z","by":"\#(by)","verb":"\#(verb)","sentence":"a command was run beside it"\#(more)}"#
        }
        let causes = [
            entry("1:50", "uid:0", "exec"), entry("1:40", "ada", "exec"), entry("1:30", "uid:0", "exec"),
            entry("1:20", "uid:0", "updated"),
            entry("1:10", "uid:0", "exec", #","count":3,"first":"1970-01-01T01:00:00Z""#),
        ]
        let text = WhyText(columns: nil, hasColor: false, nowMs: 7_200_000).text(
            try #require(JSONReader.read(#"{"causes":[\#(causes.joined(separator: ","))]}"#)))
        #expect(
            text.hasSuffix(
                """
                Because, newest first:
                    10m  5 commands were run beside it by uid:0 between 1970-01-01T01:00:00Z and 1970-01-01T01:50:00Z
                    20m  a command was run beside it, by ada
                    40m  a command was run beside it, by uid:0

                """), "\(text)")
    }

    @Test func partsAreColouredOnATerminal() throws {
        for columns in [60, 200] {
            let text = try text(columns, hasColor: true)
            for part in ["\u{1b}[1mBecause, newest first:\u{1b}[0m\n", "\u{1b}[1mYou can:\u{1b}[0m\n\u{1b}[32m  read "]
            {
                #expect(text.contains(part), "\(part)")
            }
            #expect(text.contains("\u{1b}[2m  | KeyError: 'MODEL'\u{1b}[0m\n"))
        }
    }
}
