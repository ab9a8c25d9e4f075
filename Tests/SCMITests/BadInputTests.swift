import SCMI
import SCMIFile
import SCMITesting
import Testing

@Suite struct BadInputTests {
  /// Bytes in, reply out.
  private func judge(_ bytes: [UInt8]) throws -> (Disposition, SCMIMessage) {
    var platform = try SCMIPlatform(Bench.definition())
    var reply = SCMIMessage(header: MessageHeader(rawValue: 0))
    let disposition = platform.handle(bytes: bytes.span, from: 0, at: 0, reply: &reply)
    return (disposition, reply)
  }

  @Test(arguments: 0...3) func lessThanAHeaderGetsAnEmptyBuffer(count: Int) throws {
    #expect(try judge([UInt8](repeating: 0xFF, count: count)).0 == .empty)
  }

  @Test func tooManyBytesAreAProtocolError() throws {
    let header = MessageHeader(ClockProtocol.Message.rateGet, token: 9)
    let (disposition, reply) = try judge(SCMIMessage(header: header).bytes + [UInt8](repeating: 0, count: 200))

    #expect(disposition == .reply)
    #expect(reply.header == header)
    #expect(reply.payload == [word(.protocolError)])
  }

  @Test(arguments: ProtocolIdentifier.allCases) func everyMessageJudgesItsLength(identifier: ProtocolIdentifier) throws
  {
    var bench = try Bench.pair()

    for message in UInt8(0)...0xF {
      let found = bench.ask(identifier, 2, UInt32(message))[0] == 0
      for length in [31, 32] where found {
        let words = [UInt32](repeating: 0, count: length)
        #expect(bench.send(identifier.rawValue, message, words) == [word(.protocolError)], "\(identifier) \(message)")
      }
    }
  }

  @Test func anIncompleteWordIsAProtocolError() throws {
    let (_, reply) = try judge(SCMIMessage(header: MessageHeader(ClockProtocol.Message.rateGet)).bytes + [0, 0, 0])

    #expect(reply.payload == [word(.protocolError)])
  }

  @Test(arguments: [0x0000_0100, 0x0000_0200, 0x0000_0300, 0x1000_0000, 0x8000_0000] as [UInt32])
  func wrongTypesAndReservedBitsAreEchoedAndRefused(bits: UInt32) throws {
    let header = MessageHeader(rawValue: MessageHeader(.base, .version, token: 3).rawValue | bits)
    let (_, reply) = try judge(SCMIMessage(header: header).bytes)

    #expect(reply.header == header)
    #expect(reply.payload == [word(.protocolError)])
  }

  @Test func unknownProtocolsAreNotSupportedAndUnknownMessagesNotFound() throws {
    var bench = try Bench()

    for identifier in [0x00, 0x0F, 0x1A, 0x7F, 0xFF] as [UInt8] {
      #expect(bench.send(identifier, 0, []) == [word(.notSupported)])
    }
    for message in [0x11, 0x20, 0x7F, 0xFF] as [UInt8] {
      #expect(bench.send(0x14, message, []) == [word(.notFound)])
      #expect(bench.ask(.messageAttributes(.clock, UInt32(message))) == [word(.notFound)])
    }
    #expect(bench.ask(.messageAttributes(.clock, .max)) == [word(.notFound)])
    #expect(bench.ask(.performance, 0xB, 0, 0) == [word(.notSupported)])
  }

  @Test func tokensMayBeReused() throws {
    var platform = try SCMIPlatform(Bench.definition())
    let request = SCMIMessage(header: MessageHeader(ClockProtocol.Message.rateGet, token: 5), payload: [0])
    var first = SCMIMessage(header: MessageHeader(rawValue: 0))
    var second = first

    _ = platform.handle(request, from: 0, at: 0, reply: &first)
    _ = platform.handle(request, from: 0, at: 0, reply: &second)

    #expect(first == second)
    #expect(first.header == request.header)
  }
}
