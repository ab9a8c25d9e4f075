import Testing

@testable import PositionedJSON

@Suite struct JSONParserTests {
  @Test func valuesKnowWhereTheyBegan() throws {
    let value = try JSONParser.parse("{\n  \"a\": [1,\n   {\"b\": \"x\"}]\n}")

    #expect(value.position == JSONPosition(line: 1, column: 1))
    #expect(value["a"]?.position == JSONPosition(line: 2, column: 8))
    #expect(value.position(of: "/a/1/b") == JSONPosition(line: 3, column: 10))
    #expect(value.members?.first?.position == JSONPosition(line: 2, column: 3))
  }

  @Test func aPointerThatLeadsNowhereEndsAtTheNearestValue() throws {
    let value = try JSONParser.parse("{\"a\": {\"b/c\": 1}}")

    #expect(value.position(of: "/a/none/deeper") == JSONPosition(line: 1, column: 7))
    #expect(value.position(of: "/a/b~1c") == JSONPosition(line: 1, column: 15))
    #expect(JSONPointer.escape("b/c~") == "b~1c~0")
  }

  @Test func numbersKeepTheirDigits() throws {
    let value = try JSONParser.parse("[18446744073709551615, -1, 1.5e3, 0]")

    #expect(value[0]?.integer(UInt64.self) == .max)
    #expect(value[1]?.integer(UInt8.self) == nil)
    #expect(value[1]?.integer(Int8.self) == -1)
    #expect(value[2]?.integer(Int.self) == nil)
    #expect(value[2]?.double == 1_500)
  }

  @Test func integersAreThoseOfTheirTypeToItsEnds() throws {
    let text = "[-9223372036854775808, -9223372036854775809, 18446744073709551616, -0, 127, 128, 1.0, 1e2]"

    let value = try JSONParser.parse(Array(text.utf8))

    #expect(value[0]?.integer(Int64.self) == .min)
    #expect(value[0]?.integer(UInt64.self) == nil)
    #expect(value[1]?.integer(Int64.self) == nil)
    #expect(value[2]?.integer(UInt64.self) == nil)
    #expect(value[3]?.integer(UInt8.self) == 0)
    #expect(value[4]?.integer(Int8.self) == 127)
    #expect(value[5]?.integer(Int8.self) == nil)
    #expect(value[6]?.integer(Int.self) == nil)
    #expect(value[7]?.integer(Int.self) == nil)
  }

  @Test func escapesAreResolved() throws {
    let value = try JSONParser.parse(#""\u0041\n\/\uD83D\uDE00""#)

    #expect(value.string == "A\n/😀")
  }

  @Test(arguments: [
    ("", "1:1: expected a value, found the end of the text"),
    ("[1,]", "1:4: expected a value behind the comma or colon"),
    ("{'a': 1}", "1:2: expected a key in double quotation marks, found a single quotation mark"),
    ("[1, // one\n2]", "1:5: expected a value, found a comment, which JSON does not have"),
    ("\u{FEFF}[]", "1:1: expected a value, found a byte order mark"),
    ("\u{1}", "1:1: expected a value, found the byte 1"),
    ("[0x14]", "1:3: expected a decimal number: JSON has no others"),
    ("{\"a\" 1}", "1:6: expected a colon behind the key"),
    ("[1 2]", "1:4: expected a comma or a closing bracket, found \"2\""),
    ("{\"a\":1,}", "1:8: expected a key behind the comma"),
    ("{\"a\":1,\n\"a\":2}", "2:1: the key \"a\" is there twice"),
    ("[1]x", "1:4: expected the end of the text"),
    ("01", "1:3: a number does not begin with 0"),
    ("-", "1:2: expected a digit"),
    ("\"\\ud800\"", "1:8: half of a surrogate pair"),
    ("\"\\q\"", "1:3: an unknown escape"),
    ("\"a", "1:3: the string has no end"),
    ("nul", "1:1: expected null"),
  ])
  func mistakesAreToldWithTheirPlace(text: String, expected: String) {
    #expect(throws: JSONError.self) { try JSONParser.parse(text) }
    do {
      _ = try JSONParser.parse(text)
    } catch {
      #expect(error.description == expected)
    }
  }

  @Test func nestingIsBounded() {
    let deep = String(repeating: "[", count: 200) + String(repeating: "]", count: 200)

    #expect(throws: JSONError.self) { try JSONParser.parse(deep) }
  }

  /// Any bytes give a value or an error; neither crashes.
  @Test func noiseIsSurvived() {
    let alphabet = Array("{}[]\",:\\u0019aeE+-.tfn \n".utf8) + [0x80, 0xFF, 0]
    var state: UInt64 = 1
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    var accepted = 0
    for _ in 0..<20_000 {
      let bytes = (0..<random(25)).map { _ in alphabet[random(alphabet.count)] }
      if (try? JSONParser.parse(bytes)) != nil { accepted += 1 }
    }
    #expect(accepted > 0 && accepted < 20_000)
  }

  /// Texts of many small things, of which each is `piece`.
  @Test(arguments: [
    ("[", "1,", "1]"), ("[", "\"a\",", "1]"), ("{", "\"KEY\":1,", "\"z\":1}"), ("", " \n", "1"), ("\"", "\\n", "\""),
    ("[", "[[{}]],", "1]"), ("", "1", "1"), ("[", "-1.5e-3,", "1]"),
  ])
  func theWorkGrowsAsTheTextDoes(start: String, piece: String, end: String) throws {
    func steps(_ count: Int) throws -> Int {
      let pieces = (0..<count).map {
        piece.split(separator: "KEY", omittingEmptySubsequences: false).joined(separator: "k\($0)")
      }
      let text = Array((start + pieces.joined() + end).utf8)
      var steps = 0
      _ = try JSONParser.parse(text, steps: &steps)
      #expect(steps <= 3 * text.count + 8)
      return steps
    }

    let (few, many) = (try steps(2_000), try steps(40_000))

    #expect(many <= 25 * few)
  }

  @Test func aTextThatIsTooLongIsRefusedUnread() {
    let text = [UInt8](repeating: 0x20, count: JSONParser.maximumSize + 1)
    var steps = 0

    #expect(throws: JSONError.self) { _ = try JSONParser.parse(text, steps: &steps) }

    #expect(steps == 0)
  }
}
