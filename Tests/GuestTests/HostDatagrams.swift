import Glibc
import TestLimits

/// UDP on the host's loopback interface.
struct HostDatagrams: ~Copyable {
  private let descriptor: Int32

  /// A client's socket, whose datagrams go to a port.
  init(to port: UInt16) {
    // With SOCK_CLOEXEC and SOCK_NONBLOCK.
    descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | 0x80800, 0)
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_port = port.bigEndian
    place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    // SAFETY: the address holds for the call and its size goes along.
    unsafe withUnsafePointer(to: &place) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  deinit {
    close(descriptor)
  }

  /// Sends a datagram, again every half second, until one comes back or the time is over.
  func ask(_ text: String, until limit: TestLimit) async throws -> String {
    let bytes = Array(text.utf8)
    var answer = [UInt8](repeating: 0, count: 1500)
    while !limit.hasPassed {
      // SAFETY: the buffers hold for the calls and their sizes go along.
      _ = unsafe send(descriptor, bytes, bytes.count, 0)
      for _ in 0..<50 {
        let count = unsafe recv(descriptor, &answer, answer.count, 0)
        if count > 0 { return String(decoding: answer[..<count], as: UTF8.self) }
        try await Task.sleep(for: .milliseconds(10))
      }
    }
    throw HostSocket.Late(what: "an answer to a datagram")
  }
}
