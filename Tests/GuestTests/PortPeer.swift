import Glibc
import TestLimits

/// The host's end of a port, as a harness holds it.
final class PortPeer: Sendable {
  let descriptor: Int32

  struct Failure: Error {
    let what: String
  }

  init(_ descriptor: Int32) {
    self.descriptor = descriptor
  }

  /// Connects to a socket that is there, or that comes soon.
  convenience init(connectingTo path: String) throws {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // SAFETY: the path is shorter than the field, which is a part of the structure.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
      for (index, byte) in path.utf8.enumerated() where index < field.count - 1 { unsafe field[index] = byte }
    }
    let limit = TestLimit(.seconds(60))
    while !limit.hasPassed {
      let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      // SAFETY: the structure holds for the call and its size goes along.
      let result = unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      if result == 0 {
        self.init(number)
        return
      }
      Glibc.close(number)
      usleep(20_000)
    }
    throw Failure(what: "nobody listens at \(path)")
  }

  /// Two ends of one connection.
  static func pair() throws -> (PortPeer, PortPeer) {
    var numbers: [Int32] = [0, 0]
    // SAFETY: the buffer has room for two.
    guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &numbers) == 0 else {
      throw Failure(what: "no pair of sockets")
    }
    return (PortPeer(numbers[0]), PortPeer(numbers[1]))
  }

  func write(_ text: String) {
    let bytes = Array(text.utf8)
    // SAFETY: the buffer holds for the call and its size goes along.
    _ = unsafe send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }

  /// Reads until the text ends so.
  func read(untilSuffix suffix: String, pausing: Bool = false) throws -> String {
    var bytes: [UInt8] = []
    let wanted = Array(suffix.utf8)
    let limit = TestLimit(.seconds(120))
    while !bytes.suffix(wanted.count).elementsEqual(wanted) {
      guard !limit.hasPassed else {
        throw Failure(what: "\(bytes.count) bytes came, and no '\(suffix)'")
      }
      var chunk = [UInt8](repeating: 0, count: 16384)
      // SAFETY: the buffer holds for the call and its size goes along.
      let count = unsafe recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
      if count > 0 { bytes += chunk[..<count] }
      if count == 0 { throw Failure(what: "the other side closed after \(bytes.count) bytes") }
      if count < 0 || pausing { usleep(2000) }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  func close() {
    Glibc.close(descriptor)
  }
}
