import Testing
import Values

@Suite struct NumbersTests {
    @Test(
        arguments: [
            ("0", 0...10, 0), ("10", 0...10, 10), ("11", 0...10, nil), ("-1", 0...10, nil), ("-1", -5...5, -1),
            ("", 0...10, nil), ("-", -5...5, nil), ("+1", 0...10, nil), (" 1", 0...10, nil), ("1 ", 0...10, nil),
            ("1.0", 0...10, nil), ("1e1", 0...10, nil), ("٣", 0...10, nil), ("1_0", 0...100, nil), ("007", 0...10, 7),
            ("9223372036854775807", 0 ... .max, .max), ("9223372036854775808", 0 ... .max, nil),
            ("-9223372036854775808", .min ... .max, .min), ("-9223372036854775809", .min ... .max, nil),
        ] as [(String, ClosedRange<Int64>, Int64?)])
    func wholeNumbersAreReadStrictly(_ text: String, _ range: ClosedRange<Int64>, _ number: Int64?) {
        #expect(WholeNumber.read(text, in: range) == number)
    }

    @Test(
        arguments: [
            (0.9, 0), (-0.9, 0), (1e300, .max), (-1e300, .min), (.infinity, .max), (-.infinity, .min), (.nan, .min),
            (0x1p63, .max), (-0x1p63, .min), (9.3e18, .max),
        ] as [(Double, Int64)])
    func theNearestWholeNumberOfAnyDouble(_ number: Double, _ expected: Int64) {
        #expect(WholeNumber.nearest(number, in: .min ... .max) == expected)
        #expect((10...20).contains(WholeNumber.nearest(number, in: 10...20)))
    }

    @Test func sumsAndProductsStopAtTheirBounds() {
        let numbers: [Int64] = [.min, .min + 1, -2, -1, 0, 1, 2, .max - 1, .max]
        for a in numbers {
            for b in numbers {
                #expect(Int128(a.addingSaturated(b)) == clamped(Int128(a) + Int128(b)))
                #expect(Int128(a.subtractingSaturated(b)) == clamped(Int128(a) - Int128(b)))
                #expect(Int128(a.multipliedSaturated(by: b)) == clamped(Int128(a) * Int128(b)))
            }
        }
    }

    private func clamped(_ number: Int128) -> Int128 { min(max(number, Int128(Int64.min)), Int128(Int64.max)) }

    /// Thousandths, and whole units rounded up; nil where a number would not fit.
    @Test(
        arguments: [
            ("250m", 250, 1), ("0.5", 500, 1), ("1e3", 1_000_000, 1000), ("1E3", 1_000_000, 1000), ("+1", 1000, 1),
            ("1n", 1, 1), ("1.5Gi", 1_610_612_736_000, 1_610_612_736), ("1Ei", nil, 1 << 60), ("7Ei", nil, 7 << 60),
            ("8Ei", nil, nil), ("1E", nil, 1_000_000_000_000_000_000), ("9223372036854775807", nil, nil),
            ("9223372036854775808", nil, nil), ("999999999999999999Ei", nil, nil), ("1e19", nil, nil),
            ("1e-10", nil, nil),
            ("-1", nil, nil), ("", nil, nil), ("-", nil, nil), (" 1", nil, nil), (".", nil, nil), ("1.2.3", nil, nil),
            ("1Zi", nil, nil), ("٣", nil, nil), ("0.0000000000000001", nil, nil), ("1e", nil, nil),
        ] as [(String, Int64?, Int64?)])
    func quantitiesAreExactOrRefused(_ text: String, _ milli: Int64?, _ units: Int64?) {
        #expect(Quantity.milli(.text(text)) == milli)
        #expect(Quantity.units(.text(text)) == units)
    }

    @Test func numbersAreQuantitiesToo() {
        #expect(Quantity.units(.number(Int64.max)) == .max && Quantity.milli(.number(Int64.max)) == nil)
        #expect(Quantity.milli(Node(.double(0.25))) == 250 && Quantity.milli(Node(.double(.infinity))) == nil)
        #expect(Quantity.milli(Node(.double(9_223_372_036_854_775_808))) == nil)
    }

    @Test(
        arguments: [
            ("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("999999h", 3_599_996_400_000),
            ("1000000h", nil), ("9223372036854775808s", nil), ("-1s", nil), ("s", nil), ("1", nil), ("1 s", nil),
            ("٣s", nil), ("1.5s", nil), ("", nil),
        ] as [(String, Int64?)])
    func durationsAreReadOrRefused(_ text: String, _ ms: Int64?) {
        #expect(Durations.milliseconds(text) == ms)
    }

    @Test func timesOfAnyNumberAreShown() {
        #expect(Timestamp.milliseconds(1_700_000_000_123) == "2023-11-14T22:13:20.123Z")
        #expect(Timestamp.seconds(-1) == "1969-12-31T23:59:59Z")
        #expect(Timestamp.seconds(.min) == "0000-01-01T00:00:00Z")
        #expect(Timestamp.milliseconds(.max) == "9999-12-31T23:59:59.999Z")
        for ms: Int64 in [0, 1, -1, 951_782_400_000, 1_700_000_000_123, -62_167_219_200_000, 253_402_300_799_999] {
            #expect(Timestamp.parse(Timestamp.milliseconds(ms)) == ms)
        }
    }

    @Test(arguments: [
        "", "2023", "2023-11-14T22:13:20", "2023-13-14T22:13:20Z", "2023-11-14T24:13:20Z", "-023-11-14T22:13:20Z",
        "2023-11-14T22:13:20.Z", "2023-11-14T22:13:20.1234Z", "2023-+1-14T22:13:20Z", "２023-11-14T22:13:20Z",
    ])
    func whatIsNoTimeIsRefused(_ text: String) { #expect(Timestamp.parse(text) == nil) }

    /// Databases and requests name any number as a time.
    @Test func deadlinesSaturate() {
        let now = Moment(wallMs: .max - 5, boot: 1, bootMs: .max - 5)
        #expect(Deadline(now, afterMs: .max).remainingMs(now) == 5)
        let far = Deadline(boot: 2, bootMs: .min, wallMs: .max, lengthMs: .max)
        let past = Moment(wallMs: .min, boot: 1, bootMs: .min)
        #expect(far.remainingMs(past) == .max && far.anchored(now).remainingMs(now) == 5)
        #expect(Deadline(boot: 1, bootMs: .min, wallMs: 0, lengthMs: 0).isDue(now))
    }

    @Test func percentSignsWithoutTwoDigitsStay() {
        #expect(Percent.decode("%41%zz%+1%4") == "A%zz%+1%4")
    }
}
