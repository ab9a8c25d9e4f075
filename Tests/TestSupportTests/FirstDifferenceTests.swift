import TestSupport
import Testing

@Suite("The first difference")
struct FirstDifferenceTests {
  @Test("sequences that are the same have none")
  func same() {
    #expect(firstDifference([Int](), []) == nil)
    #expect(firstDifference(1...100_000, Array(1...100_000)) == nil)
  }

  @Test(
    "a difference is told with its place in one line, however long the sequences are",
    arguments: [
      ([1, 2, 3], [1, 5, 3], "at 1: 2 in place of 5"), ([1, 2], [1, 2, 9], "the end at 2, where 9 was expected"),
      ([1, 2, 8], [1, 2], "at 2: 8, where the end was expected"), ([], [7], "the end at 0, where 7 was expected"),
    ]
  )
  func different(seen: [Int], expected: [Int], message: String) {
    #expect(firstDifference(seen, expected) == message)
  }

  @Test("a long element is shown by its beginning")
  func longElement() throws {
    let message = try #require(firstDifference([String(repeating: "a", count: 5000)], ["b"]))

    #expect(message.count < 250)
  }
}
