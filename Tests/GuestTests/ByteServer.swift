import TestLimits

/// A server that gives each of its clients the same bytes, for as long as somebody runs it.
final class ByteServer: Sendable {
  private let socket = HostSocket.listening()
  private let bytes: [UInt8]
  let port: UInt16

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    port = socket.port
  }

  func serve(until limit: TestLimit) async throws {
    while !Task.isCancelled { try await socket.accepted(until: limit).send(bytes, until: limit) }
  }
}
