public import Debugger
import DebuggerTesting
internal import Glibc
internal import TestLimits

/// A debugger that is connected to a machine's UNIX socket, packet by packet.
public final class RemoteDebugger {
  private let descriptor: Int32
  private var reader = PacketReader()
  private var waiting: [UInt8] = []

  /// What went wrong between test and machine.
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }

  /// Connects to a socket that is there, or that comes soon, and does without acknowledgements.
  public init(connectingTo path: String) throws {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // SAFETY: the path is shorter than the field, which is a part of the structure.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
      for (index, byte) in path.utf8.enumerated() where index < field.count - 1 { unsafe field[index] = byte }
    }
    let limit = TestLimit(.seconds(60))
    while true {
      guard !limit.hasPassed else { throw Failure(description: "nobody listens at \(path)") }
      let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      // SAFETY: the structure holds for the call and its size goes along.
      let result = unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      if result == 0 {
        descriptor = number
        break
      }
      Glibc.close(number)
      usleep(20_000)
    }
    let answer = try ask("QStartNoAckMode")
    guard answer == "OK" else { throw Failure(description: "the session began with '\(answer)'") }
  }

  deinit {
    Glibc.close(descriptor)
  }

  /// Sends bytes as they are.
  public func send(_ bytes: [UInt8]) {
    // SAFETY: the buffer holds for the call and its size goes along.
    _ = unsafe Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }

  /// Sends a packet and waits for the next one that comes.
  public func ask(_ text: String) throws -> String {
    send(FakeDebugger.packet(text))
    return try answer()
  }

  /// Waits for a packet.
  ///
  /// - Returns: its text.
  public func answer() throws -> String {
    let limit = TestLimit(.seconds(120))
    while true {
      while !waiting.isEmpty {
        if case .packet(let text)? = reader.next(waiting.removeFirst()) { return String(decoding: text, as: UTF8.self) }
      }
      guard !limit.hasPassed else { throw Failure(description: "no packet came") }
      var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      var chunk = [UInt8](repeating: 0, count: 4096)
      // SAFETY: the structure and the buffer hold for the calls, and the buffer's size goes along.
      guard unsafe poll(&request, 1, 100) > 0 else { continue }
      let count = unsafe recv(descriptor, &chunk, chunk.count, 0)
      guard count > 0 else { throw Failure(description: "the machine has closed the connection") }
      waiting += chunk[..<count]
    }
  }

  /// Whether a packet comes within a time that is long for a machine that has something to say.
  public func isSilent(for milliseconds: Int32) -> Bool {
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    // SAFETY: the structure holds for the call.
    let count = unsafe poll(&request, 1, milliseconds)
    return waiting.isEmpty && count == 0
  }

  /// Asks the machine to stop, as Ctrl-C does.
  public func interrupt() throws -> String {
    send([0x03])
    return try answer()
  }

  /// A register of 64 bits by its number.
  public func register(_ register: DebugRegister) throws -> UInt64 {
    guard let number = DebugRegister.all.firstIndex(of: register) else { throw Failure(description: "no register") }
    let text = try ask("p\(String(number, radix: 16))")
    guard let value = UInt64(text, radix: 16) else { throw Failure(description: "a register was '\(text)'") }
    return register.size == 4 ? UInt64(UInt32(truncatingIfNeeded: value).byteSwapped) : value.byteSwapped
  }
}
