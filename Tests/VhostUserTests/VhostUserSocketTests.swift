import CHost
import Glibc
import Testing

@testable import VhostUser

@Suite struct VhostUserSocketTests {
  private func write(_ bytes: [UInt8], to socket: VhostUserSocket) throws {
    // SAFETY: the array holds for the call and its size goes along.
    let written = unsafe Glibc.write(socket.rawValue, bytes, bytes.count)
    try #require(written == bytes.count)
  }

  private func header(request: UInt32 = 1, flags: UInt32 = 1, size: UInt32) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(number: request)
    bytes.append(number: flags)
    bytes.append(number: size)
    return bytes
  }

  @Test func aMessageThatIsSentArrivesWithItsPayloadAndDescriptors() throws {
    let (one, other) = try VhostUserSocket.pair()
    let lent = try #require(VhostUserDescriptor(owning: dup(0)) as VhostUserDescriptor?)

    try one.send(VhostUserMessage(.setVringCall, [1, 0, 0, 0, 0, 0, 0, 0], descriptors: [lent]))
    let message = try #require(try other.receive())

    #expect(message.request == VhostUserRequest.setVringCall.rawValue)
    #expect(message.flags == VhostUserWire.version)
    #expect(message.payload == [1, 0, 0, 0, 0, 0, 0, 0])
    #expect(message.descriptors.count == 1)
    #expect(fcntl(message.descriptors[0].rawValue, F_GETFD) == FD_CLOEXEC)
  }

  @Test func aMessageInPiecesIsTakenWhenTheLastIsHere() throws {
    let (one, other) = try VhostUserSocket.pair()
    let bytes = VhostUserMessage(.setFeatures, [1, 2, 3, 4, 5, 6, 7, 8]).bytes

    for byte in bytes.dropLast() {
      try write([byte], to: one)
      #expect(try other.receive() == nil)
    }
    #expect(other.isAmidMessage)
    try write([bytes[bytes.count - 1]], to: one)

    #expect(try other.receive()?.payload == [1, 2, 3, 4, 5, 6, 7, 8])
    #expect(!other.isAmidMessage)
  }

  @Test func twoMessagesInOnePieceAreTwo() throws {
    let (one, other) = try VhostUserSocket.pair()
    try write(VhostUserMessage(.setOwner).bytes + VhostUserMessage(.getFeatures).bytes, to: one)

    #expect(try other.receive()?.request == VhostUserRequest.setOwner.rawValue)
    #expect(try other.receive()?.request == VhostUserRequest.getFeatures.rawValue)
    #expect(try other.receive() == nil)
  }

  @Test(arguments: [UInt32(4097), .max]) func aHeaderThatNamesTooMuchIsMalformedBeforeAnyOfItIsTaken(size: UInt32)
    throws
  {
    let (one, other) = try VhostUserSocket.pair()
    try write(header(size: size), to: one)

    #expect(throws: VhostUserError.malformed("a message of \(size) bytes")) { try other.receive() }
  }

  @Test func aHeaderOfAnotherVersionIsMalformed() throws {
    let (one, other) = try VhostUserSocket.pair()
    try write(header(flags: 2, size: 0), to: one)

    #expect(throws: VhostUserError.malformed("a message of version 2")) { try other.receive() }
  }

  @Test func case8DescriptorsThatNobodyTakesAreClosed() throws {
    let (one, other) = try VhostUserSocket.pair()
    let lent = (0..<8).map { _ in VhostUserDescriptor(owning: dup(0)) }
    let before = openDescriptors()

    for _ in 0..<100 {
      try one.send(VhostUserMessage(.getFeatures, descriptors: lent))
      _ = try other.receive()
    }

    // Other tests open and close some meanwhile.
    #expect(openDescriptors() < before + 400)
  }

  private func openDescriptors() -> Int { (0..<65_536).count { fcntl(Int32($0), F_GETFD) != -1 } }

  @Test func aPeerThatIsGoneAndOneThatIsSilentAreToldApart() throws {
    let (one, other) = try VhostUserSocket.pair()

    #expect(throws: VhostUserError.timedOut("GET_FEATURES")) {
      try one.receive("GET_FEATURES", by: chost_clock(CLOCK_MONOTONIC) + 10_000_000)
    }
    #expect(shutdown(other.rawValue, Int32(SHUT_RDWR)) == 0)
    #expect(throws: VhostUserError.disconnected) {
      try one.receive("GET_FEATURES", by: chost_clock(CLOCK_MONOTONIC) + 1_000_000_000)
    }
  }

  @Test func aPeerThatReadsNothingIsNotWaitedForBeyondTheDeadline() throws {
    let (one, other) = try VhostUserSocket.pair()
    let message = VhostUserMessage(.setConfig, [UInt8](repeating: 7, count: VhostUserWire.payloadLimit))

    #expect(throws: VhostUserError.timedOut("what it was sent")) {
      for _ in 0..<10_000 { try one.send(message, by: chost_clock(CLOCK_MONOTONIC) + 10_000_000) }
    }
    #expect(other.rawValue >= 0)
  }
}
