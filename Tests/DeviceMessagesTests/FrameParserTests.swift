import Testing

@testable import DeviceMessages

/// Writes down what it takes.
private final class Recorder: FrameTaker {
  enum Taken: Equatable {
    case data(FrameHeader, UInt64, Int)
    case frame(FrameHeader, [UInt8])
  }

  var taken: [Taken] = []
  var bytes: [UInt8] = []

  func takeData(_ header: FrameHeader, prefix: UInt64, count: Int) throws(MessageFault) {
    taken.append(.data(header, prefix, count))
  }

  func takeBytes(_ piece: UnsafeRawBufferPointer) throws(MessageFault) {
    // SAFETY: the bytes hold for the call and are copied.
    unsafe bytes.append(contentsOf: piece)
  }

  func takeFrame(_ header: FrameHeader, _ body: [UInt8]) throws(MessageFault) {
    taken.append(.frame(header, body))
  }
}

@Suite struct FrameParserTests {
  private func take(_ bytes: [UInt8], _ parser: inout FrameParser, _ recorder: Recorder) throws(MessageFault) {
    var failure: MessageFault?
    // SAFETY: the bytes hold for the call.
    unsafe bytes.withUnsafeBytes { bytes in
      do throws(MessageFault) {
        try unsafe parser.take(bytes, into: recorder)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }

  private func header(_ kind: UInt16, _ length: UInt32, queue: UInt16 = 0, ticket: UInt64 = 0) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(number: length)
    bytes.append(number: kind)
    bytes.append(number: queue)
    bytes.append(number: ticket)
    return bytes
  }

  @Test func framesInPiecesOfAnySizeAreTheSameFrames() throws {
    var stream = header(MessageKind.ping.rawValue, 0, ticket: 7)
    stream += header(MessageKind.chain.rawValue, 8 + 5, queue: 1, ticket: 9)
    stream.append(number: UInt64(5) | 100 << 32)
    stream += [1, 2, 3, 4, 5]
    stream += header(MessageKind.configuration.rawValue, 3) + [6, 7, 8]
    for size in 1...stream.count {
      var parser = FrameParser()
      let recorder = Recorder()
      var start = 0

      while start < stream.count {
        try take(Array(stream[start..<min(start + size, stream.count)]), &parser, recorder)
        start += size
      }

      let chain = FrameHeader(.chain, length: 13, queue: 1, ticket: 9)
      let expected: [Recorder.Taken] = [
        .frame(FrameHeader(.ping, ticket: 7), []),
        .data(chain, UInt64(5) | 100 << 32, 5),
        .frame(FrameHeader(.configuration, length: 3), [6, 7, 8]),
      ]
      #expect(recorder.taken == expected)
      #expect(recorder.bytes == [1, 2, 3, 4, 5])
      #expect(!parser.isAmidFrame)
    }
  }

  @Test func halfAFrameIsSeen() throws {
    var parser = FrameParser()
    try take(Array(header(MessageKind.state.rawValue, 3).dropLast()), &parser, Recorder())
    #expect(parser.isAmidFrame)
    try take([0, 1, 2], &parser, Recorder())
    #expect(parser.isAmidFrame)
  }

  @Test(arguments: [UInt16(0), 18, .max]) func anUnknownKindIsRefusedWithItsHeader(kind: UInt16) {
    var parser = FrameParser()
    #expect(throws: MessageFault.unknownKind(kind)) { try take(header(kind, 0), &parser, Recorder()) }
  }

  @Test func aFrameThatIsTooLargeIsRefusedBeforeAnyOfItIsKept() {
    for (kind, length) in [(MessageKind.chain, UInt32(1 << 20) + 4097), (.more, .max), (.hello, 4097), (.complete, 7)] {
      var parser = FrameParser()
      #expect(throws: MessageFault.badLength(kind, length)) {
        try take(header(kind.rawValue, length), &parser, Recorder())
      }
    }
  }
}
