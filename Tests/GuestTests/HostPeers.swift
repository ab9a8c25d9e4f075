import Glibc
import TestLimits

/// TCP on the host's loopback interface. Nothing here waits.
struct HostSocket: ~Copyable {
  private let descriptor: Int32

  /// With SOCK_CLOEXEC and SOCK_NONBLOCK.
  private static let streamType = Int32(SOCK_STREAM.rawValue) | 0x80800

  /// A server's socket on a port of the kernel's choice.
  static func listening() -> HostSocket {
    let socket = HostSocket(Glibc.socket(AF_INET, Self.streamType, 0))
    var place = loopback(port: 0)
    // SAFETY: the address holds for the calls.
    unsafe withUnsafePointer(to: &place) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = unsafe bind(socket.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    listen(socket.descriptor, 8)
    return socket
  }

  /// A client's socket.
  static func connecting(to port: UInt16) -> HostSocket {
    let socket = HostSocket(Glibc.socket(AF_INET, Self.streamType, 0))
    var place = loopback(port: port)
    // SAFETY: the address holds for the call.
    unsafe withUnsafePointer(to: &place) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = unsafe connect(socket.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    return socket
  }

  private init(_ descriptor: Int32) {
    self.descriptor = descriptor
  }

  deinit {
    close(descriptor)
  }

  private static func loopback(port: UInt16) -> sockaddr_in {
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_port = port.bigEndian
    place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return place
  }

  var port: UInt16 {
    var place = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    // SAFETY: the address holds for the call and its size goes along.
    unsafe withUnsafeMutablePointer(to: &place) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = unsafe getsockname(descriptor, $0, &size)
      }
    }
    return UInt16(bigEndian: place.sin_port)
  }

  /// The next client, once there is one, until the limit or, without one, until the task is cancelled.
  func accepted(until limit: TestLimit? = nil) async throws -> HostSocket {
    while true {
      let client = accept(descriptor, nil, nil)
      if client >= 0 {
        _ = fcntl(client, F_SETFD, FD_CLOEXEC)
        _ = fcntl(client, F_SETFL, O_NONBLOCK)
        return HostSocket(client)
      }
      try await Self.pause(limit, "a client")
    }
  }

  func send(_ bytes: [UInt8], until limit: TestLimit? = nil) async throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      // SAFETY: the buffer holds for the call and its size goes along.
      let count = unsafe rest.withUnsafeBytes {
        unsafe Glibc.send(descriptor, $0.baseAddress, min($0.count, 1 << 18), Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        try await Self.pause(limit, "a peer that reads")
      } else {
        throw Gone(errno: errno)
      }
    }
    shutdown(descriptor, Int32(SHUT_WR))
  }

  /// Everything up to the peer's end.
  func receive(until limit: TestLimit) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      // SAFETY: the buffer holds for the call and its size goes along.
      let count = unsafe recv(descriptor, &chunk, chunk.count, 0)
      if count == 0 { return bytes }
      if count > 0 { bytes += chunk[..<count] } else { try await Self.pause(limit, "the peer's end") }
    }
  }

  struct Late: Error {
    let what: String
  }

  /// The peer does not take any more.
  struct Gone: Error {
    let errno: Int32
  }

  private static func pause(_ limit: TestLimit?, _ what: String) async throws {
    guard limit?.hasPassed != true else { throw Late(what: what) }
    try await Task.sleep(for: .milliseconds(2))
  }
}
