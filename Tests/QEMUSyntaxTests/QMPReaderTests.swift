import QEMUSyntax
import Testing

@Suite struct QMPReaderTests {
  private func read(_ pieces: String...) -> [Result<QMPRequest, QMPMistake>] {
    var reader = QMPReader()
    var results: [Result<QMPRequest, QMPMistake>] = []
    for piece in pieces {
      reader.append(Array(piece.utf8))
      while let next = reader.next() { results.append(next) }
    }
    return results
  }

  private func commands(_ results: [Result<QMPRequest, QMPMistake>]) -> [String?] {
    results.map { result in if case .success(let request) = result { request.command } else { nil } }
  }

  @Test func requestsFollowEachOtherWithLineFeedsAndWithoutAndInPieces() {
    let results = read(
      "{\"execute\":\"stop\"}{\"execute\": \"co",
      "nt\", \"id\": {\"}\": \"\\\"{\"}}\n\n",
      " {\"execute\":\"quit\"}"
    )

    #expect(commands(results) == ["stop", "cont", "quit"])
  }

  @Test(arguments: [
    "hello\n", "}\n", "[1]\n", "{\"execute\": 1}", "{\"arguments\": {}}", "{\"execute\": \"a\nb\"}\n", "{]",
  ])
  func aMistakeIsToldAndTheNextRequestIsRead(text: String) {
    let results = commands(read(text + "\n{\"execute\":\"stop\"}"))

    #expect(results.first == .some(nil))
    #expect(results.last == "stop")
  }

  @Test func aRequestWithoutAnEndEndsTheConversationAtItsLimit() {
    var reader = QMPReader()
    reader.append(Array("{\"execute\": \"".utf8) + Array(repeating: 0x61, count: QMPReader.maximumSize))

    guard case .failure(let mistake)? = reader.next() else {
      Issue.record("expected a mistake")
      return
    }
    #expect(mistake.isLast)
    reader.append(Array("\"}{\"execute\":\"stop\"}".utf8))
    #expect(reader.next() == nil)
  }

  @Test func answersAreOneLineOfJSONAndRepeatTheIdentifier() throws {
    guard case .success(let request)? = read("{\"execute\":\"x\",\"id\":[1e3,\"ä\\n\",null,true]}").first else {
      Issue.record("expected a request")
      return
    }

    let answer = QMPMessage.success(.object([.init("a", .string("\"\\\u{7f}\n"))]), to: request.identifier)

    #expect(
      answer.text
        == "{\"return\": {\"a\": \"\\\"\\\\\\u007f\\u000a\"}, \"id\": [1e3, \"ä\\u000a\", null, true]}"
    )
  }

  @Test func anEventHasItsTimeInSecondsAndMicroseconds() {
    let event = QMPMessage.event("STOP", time: 1_700_000_000_123_456_789)

    #expect(
      event.text == "{\"timestamp\": {\"seconds\": 1700000000, \"microseconds\": 123456}, \"event\": \"STOP\"}"
    )
  }
}
