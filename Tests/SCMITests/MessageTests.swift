import SCMI
import Testing

@Suite struct MessageTests {
  @Test func headerFieldsAreWhereTheSpecificationPutsThem() {
    let header = MessageHeader(0x14, 0x06, type: .delayedResponse, token: 0x3FF)

    #expect(header.rawValue == 0x0FFC_5206)
    #expect(header.message == 6)
    #expect(header.protocolIdentifier == 0x14)
    #expect(header.type == .delayedResponse)
    #expect(header.token == 0x3FF)
  }

  @Test func decodingReadsLittleEndianWordsAndTheRestOfAnIncompleteOne() throws {
    let message = try SCMIMessage(bytes: [6, 0x50, 0, 0, 1, 2, 3, 4, 0xAA, 0xBB])

    #expect(message.header == MessageHeader(0x14, 6))
    #expect(message.count == 6)
    #expect(message.payload == [0x0403_0201, 0x0000_BBAA])
  }

  @Test(arguments: [0, 1, 3]) func decodingRefusesLessThanAHeader(count: Int) {
    #expect(throws: SCMIMessage.DecodingError.self) { try SCMIMessage(bytes: [UInt8](repeating: 0, count: count)) }
  }

  @Test func decodingTellsTheHeaderOfAMessageThatIsTooLong() {
    do {
      _ = try SCMIMessage(bytes: [6, 0x50, 0, 0] + [UInt8](repeating: 0, count: 129))
      Issue.record("133 bytes were decoded")
    } catch {
      guard case .oversized(let header) = error else {
        Issue.record("133 bytes are not truncated")
        return
      }
      #expect(header == MessageHeader(0x14, 6))
    }
  }

  @Test(arguments: 0...140) func writingStopsAtTheEndOfTheBuffer(room: Int) {
    let message = SCMIMessage(header: MessageHeader(rawValue: 0x0102_0304), payload: (0..<32).map { $0 * 0x0101_0101 })
    var buffer = [UInt8](repeating: 0xEE, count: room)

    var span = buffer.mutableSpan
    let written = message.write(to: &span)

    #expect(written == min(room, 132))
    #expect(buffer == Array(message.bytes.prefix(room)) + [UInt8](repeating: 0xEE, count: max(room - 132, 0)))
  }

  @Test func statusesHaveTheNamesOfTheSpecification() {
    #expect(SCMIStatus.denied.description == "DENIED")
    #expect(SCMIStatus(name: "PROTOCOL_ERROR") == .protocolError)
    #expect(SCMIStatus(rawValue: -99).description == "-99")
    #expect(SCMIStatus(name: "NO_SUCH") == nil)
  }
}
