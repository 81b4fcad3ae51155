import Testing
import Values
import agentos_apply

/// What a person reads of sinks that lag, are away or have dead letters.
@Suite struct SinkWordsTests {
    @Test(arguments: [
        (#"{"name":"a","state":"UpToDate"}"#, nil), (#"{"name":"a","state":"NotConfigured","lagEvents":4}"#, nil),
        (#"{"name":"a","state":"Delivering","lagEvents":4,"lagMilliseconds":60000}"#, nil),
        (
            #"{"name":"a","state":"Delivering","lagEvents":4,"lagMilliseconds":180000}"#,
            "sink a is behind; 4 wait for it, the oldest for 3m"
        ),
        (
            #"{"name":"a","state":"Retrying","required":true,"lagEvents":1,"lagMilliseconds":5000,"error":"refused\u001b[2J"}"#,
            "sink a, which starts wait for, takes no events now and is tried again; 1 wait for it, the oldest for 5s: "
                + "refused\u{fffd}[2J"
        ),
        (
            #"{"name":"a","state":"Parked","deadLetters":1}"#,
            "sink a has not taken 1 event, and their objects wait"
        ),
        (
            #"{"name":"a","state":"Blocked","deadLetters":9}"#,
            "sink a has not taken 9 events, and their objects wait; so many that nothing new is tried"
        ),
        (#"{"name":"a","state":"SwitchedOff"}"#, "sink a wants no more events"),
    ]) func aProblemOfASinkIsOneLine(sink: String, expected: String?) throws {
        #expect(SinkView(node: try #require(JSONReader.read(sink))).problem == expected)
    }
}
