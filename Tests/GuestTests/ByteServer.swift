/// A server that gives each of its clients the same bytes until its task is cancelled. It has no limit of its own: a
/// test waits for its machine's place for as long as others have theirs, and its guest has limits that count from then.
final class ByteServer: Sendable {
  private let socket = HostSocket.listening()
  private let bytes: [UInt8]
  let port: UInt16

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    port = socket.port
  }

  func serve() async throws {
    while true {
      let client = try await socket.accepted()
      do {
        try await client.send(bytes)
      } catch is HostSocket.Gone {
        // A guest that was frozen or killed leaves; the next one comes.
      }
    }
  }
}
