internal import Synchronization
import Testing

@testable import HostBackends

@Suite(.timeLimit(.minutes(10))) struct ConsoleStreamTests {
  /// All lines of a stream to which the chunks are written and which has then ended.
  private func lines(_ chunks: [String]) async -> [String] {
    let stream = ConsoleStream()
    for chunk in chunks { stream.append(Array(chunk.utf8)) }
    stream.end()
    var lines: [String] = []
    for await line in stream.lines { lines.append(line) }
    return lines
  }

  @Test func linesEndAtALineFeedWithOrWithoutACarriageReturn() async {
    #expect(await lines(["one\ntwo\r\n\nfour\r\n"]) == ["one", "two", "", "four"])
  }

  @Test func aLastLineWithoutAnEndCounts() async {
    #expect(await lines(["login: "]) == ["login: "])
    #expect(await lines(["a\nb\r"]) == ["a", "b"])
  }

  @Test func aLineMayComeInPieces() async {
    #expect(await lines(["he", "llo\r", "\nwor", "ld\n"]) == ["hello", "world"])
  }

  @Test func aCarriageReturnWithinALineStays() async {
    #expect(await lines(["50%\r100%\n"]) == ["50%\r100%"])
  }

  @Test func noOutputIsNoLine() async {
    #expect(await lines([]).isEmpty)
  }

  @Test func aReaderThatWaitsGetsWhatComesLater() async {
    let stream = ConsoleStream()
    let reader = Task { () -> [String] in
      var lines: [String] = []
      for await line in stream.lines { lines.append(line) }
      return lines
    }

    for number in 0..<100 {
      stream.append(Array("line \(number)\n".utf8))
      await Task.yield()
    }
    stream.end()

    #expect(await reader.value == (0..<100).map { "line \($0)" })
  }

  @Test func theOldestOutputGoesWhenNobodyReadsAndIsCounted() async {
    let stream = ConsoleStream()
    stream.append([UInt8](repeating: 1, count: 4 << 20))
    stream.append([2, 3, 4])
    stream.end()

    var output = stream.output.makeAsyncIterator()
    let kept = await output.next()

    #expect(stream.droppedByteCount == 3)
    #expect(kept?.count == 4 << 20)
    #expect(kept?.suffix(4) == [1, 2, 3, 4])
    #expect(await output.next() == nil)
  }

  @Test func aReaderThatIsCancelledStopsWaiting() async {
    let stream = ConsoleStream()
    let reader = Task {
      var output = stream.output.makeAsyncIterator()
      return await output.next()
    }
    await Task.yield()

    reader.cancel()

    #expect(await reader.value == nil)
  }

  @Test func whatIsSentBeforeTheMachineStartsWaitsForIt() {
    let stream = ConsoleStream()

    stream.send("root\n")
    stream.send([0x03])

    #expect(Array(stream.takeInput(limit: 3)) == Array("roo".utf8))
    #expect(Array(stream.takeInput(limit: 100)) == Array("t\n".utf8) + [0x03])
    #expect(stream.takeInput(limit: 100).isEmpty)
  }

  @Test func sendingWakesTheMachineThatIsConnectedUntilItEnds() {
    let stream = ConsoleStream()
    let wakes = Counter()
    stream.send("early")
    stream.connect { wakes.add() }

    stream.send("a")
    stream.send("b")
    stream.end()
    stream.send("late")

    #expect(wakes.value == 2)
  }
}

/// A count that closures of any thread raise.
private final class Counter: Sendable {
  private let count = Atomic(0)

  func add() {
    count.add(1, ordering: .relaxed)
  }

  var value: Int { count.load(ordering: .relaxed) }
}
