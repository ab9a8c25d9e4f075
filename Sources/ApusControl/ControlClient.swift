internal import CHost
internal import Glibc
package import Host
internal import PositionedJSON

/// A connection to a running machine's control socket. For one thread at a time.
///
/// Each call waits for its answer, for ``timeout`` at most. Notices of subscriptions that come meanwhile are kept for
/// ``nextNotice(within:)``, up to 8 MiB of them; what is lost by that is told as what the server loses.
public final class ControlClient {
  /// A notice as it came.
  public struct Notice: Sendable {
    /// As the catalogue has it.
    public let name: String
    let parameters: JSONValue

    /// The notice's content, where it is one of that kind.
    ///
    /// - Throws: ``ControlError`` for content that is no such kind's.
    public func content<Kind: ControlNotice>(as kind: Kind.Type) throws(ControlError) -> Kind.Content? {
      guard name == Kind.name else { return nil }
      return try Kind.Content(parameters, at: .answer)
    }

    /// All that it tells, as it came.
    public var json: ControlJSON {
      (try? ControlJSON(parameters, at: .answer)) ?? ControlJSON(text: "{}")
    }

    /// Whether it tells of the machine's end, and not of a boot's alone.
    public var isEnd: Bool {
      guard let event = try? content(as: Control.Event.self), event.outcome != nil else { return false }
      return event.isLast ?? false
    }

    /// For which subscription it is, and how many of that were lost before.
    public var envelope: ControlEnvelope { (try? ControlEnvelope(parameters, at: .answer)) ?? ControlEnvelope() }
  }

  /// How long an answer may take.
  public var timeout: Duration
  private let socket: OwnedDescriptor
  private var lines = ControlLines(limit: ControlClient.maximumLine)
  private var notices = ControlNotices()
  private var number: UInt64 = 0

  /// A longer line of a server's is refused, in bytes.
  private static let maximumLine = 4 << 20

  /// Connects, and makes sure that both sides speak the same version.
  ///
  /// - Parameters:
  ///   - machine: a machine's name, as it is registered, or the path of its socket, which has a `/` in it.
  ///   - timeout: how long each answer may take.
  /// - Throws: ``ControlError`` with what to do about it.
  public convenience init(_ machine: String, timeout: Duration = .seconds(10)) throws(ControlError) {
    let path = try Self.path(of: machine)
    // SAFETY: the path holds for the call.
    let number = unsafe path.withHostPath { unsafe chost_socket_connect($0, timeout.milliseconds) }
    guard number >= 0 else {
      let reason =
        switch -number {
        case ECONNREFUSED: "no machine listens there any more"
        case ENOENT: "there is no such socket; 'apus list' shows the machines that run"
        case EACCES: "it is another user's"
        case EAGAIN: "it does not take clients"
        case ENAMETOOLONG: "a socket's path has at most \(HostPath.socketLimit) bytes"
        default: errorText(-number)
        }
      throw ControlError(.disconnected, "cannot reach '\(machine)': \(reason)")
    }
    try self.init(connected: OwnedDescriptor(owning: number), timeout: timeout)
  }

  /// Begins on a connection that is there.
  ///
  /// - Throws: ``ControlError`` where the other side does not speak the same version, or does not answer.
  package init(connected socket: consuming OwnedDescriptor, timeout: Duration) throws(ControlError) {
    self.socket = socket
    self.timeout = timeout
    _ = try call(Control.Hello.self, .init(version: ControlProtocol.version))
  }

  /// The machines of this user that run, by the names that they are registered by, with the paths of their sockets.
  ///
  /// - Throws: ``ControlError`` where the folder in which they are registered cannot be used.
  public static var machines: [(name: String, path: String)] {
    get throws(ControlError) {
      do throws(ListeningError) {
        return try ControlDirectory.find()?.machines().map { ($0.name, $0.path) } ?? []
      } catch {
        throw ControlError(.unusableFolder, "\(error)")
      }
    }
  }

  private static func path(of machine: String) throws(ControlError) -> String {
    if machine.contains("/") { return machine }
    let known = try machines
    if let found = known.first(where: { $0.name == machine }) { return found.path }
    let hint =
      known.isEmpty
      ? "none is running that has a control socket"
      : "there are \(known.map(\.name).joined(separator: ", "))"
    throw ControlError(.disconnected, "no machine '\(machine)' is running; \(hint)")
  }

  /// Asks something, and waits for the answer.
  ///
  /// - Throws: ``ControlError``: the machine's, or why there is no answer.
  public func call<Method: ControlMethod>(
    _ method: Method.Type,
    _ parameters: Method.Parameters = Method.Parameters()
  ) throws(ControlError) -> Method.Answer {
    number += 1
    try send(ControlMessage.request(Method.name, parameters, number: number))
    return try Method.Answer(try answer(), at: .answer)
  }

  /// Asks something by its name.
  ///
  /// - Parameters:
  ///   - method: the method's name.
  ///   - parameters: an object.
  /// - Throws: ``ControlError``: the machine's, or why there is no answer.
  public func call(named method: String, _ parameters: ControlJSON) throws(ControlError) -> ControlJSON {
    number += 1
    try send(ControlMessage.request(method, parameters, number: number))
    return try ControlJSON(try answer(), at: .answer)
  }

  /// The next notice.
  ///
  /// - Parameter limit: how long to wait for one; nil is for ever.
  /// - Returns: nil where none came in time.
  /// - Throws: ``ControlError`` where the connection has ended.
  public func nextNotice(within limit: Duration? = nil) throws(ControlError) -> Notice? {
    let deadline = limit.map { Self.deadline($0) }
    while notices.isEmpty {
      guard let (message, size) = try receive(deadline) else { return nil }
      keep(message, size)
      // Who sends something else all the time holds nobody up.
      if let deadline, notices.isEmpty, HostClock.monotonic >= deadline { return nil }
    }
    return notices.removeFirst()
  }

  /// What to watch for notices that come, open as long as the client.
  public var descriptor: Int32 { socket.rawValue }

  /// Whether something is here already: then ``nextNotice(within:)`` comes first, and ``descriptor`` is watched when
  /// that has given nil.
  public var hasNotice: Bool { !notices.isEmpty || lines.hasLine }

  // MARK: The wire

  private static func deadline(_ limit: Duration) -> UInt64 {
    HostClock.monotonic.addingReportingOverflow(limit.nanoseconds).partialValue
  }

  private func send(_ message: [UInt8]) throws(ControlError) {
    // SAFETY: the buffer holds for the call.
    let result = unsafe (message + [0x0A]).withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return 0 as Int32 }
      return unsafe chost_socket_send_all(socket.rawValue, base, bytes.count)
    }
    if result == -EAGAIN { throw ControlError(.timedOut, "the machine takes no requests") }
    guard result == 0 else { throw lastWord() }
  }

  /// Why nothing can be sent any more. A machine that takes no client says so and closes, and who writes hears of the
  /// end before he reads why.
  private func lastWord() -> ControlError {
    do throws(ControlError) {
      while let (message, size) = try receive(HostClock.monotonic) {
        if message["method"] != nil {
          keep(message, size)
        } else if try isAnswer(message) {
          _ = try Self.result(of: message)
        }
      }
    } catch {
      return error
    }
    return Self.lost
  }

  private static var lost: ControlError {
    ControlError(.disconnected, "the machine has ended, or has dropped the connection; 'apus list' shows what runs")
  }

  private func answer() throws(ControlError) -> JSONValue {
    let deadline = Self.deadline(timeout)
    // Who sends something else all the time holds nobody up.
    repeat {
      guard let (message, size) = try receive(deadline) else { break }
      if message["method"] != nil {
        keep(message, size)
      } else if try isAnswer(message) {
        return try Self.result(of: message)
      }
    } while HostClock.monotonic < deadline
    throw ControlError(.timedOut, "no answer came in \(timeout)")
  }

  /// Whether a message that is no notice answers what was asked last.
  private func isAnswer(_ message: JSONValue) throws(ControlError) -> Bool {
    switch message["id"]?.content {
    case nil, .null?:
      // An error without an identifier is for everything.
      guard message["error"] != nil else {
        throw ControlError(.protocolViolation, "what came is neither an answer nor a notice")
      }
      return true
    // What comes late for a request whose time was over is nobody's.
    default: return message["id"]?.integer(UInt64.self) == number
    }
  }

  private static func result(of answer: JSONValue) throws(ControlError) -> JSONValue {
    if let error = answer["error"] {
      let code = error["code"]?.integer(Int.self) ?? ControlError.Code.protocolViolation.rawValue
      let message = error["message"]?.string ?? ""
      throw ControlError(.init(rawValue: code), message.isEmpty ? "an error without a message" : message)
    }
    guard let result = answer["result"] else {
      throw ControlError(.protocolViolation, "an answer has neither a result nor an error")
    }
    return result
  }

  private func keep(_ message: JSONValue, _ size: Int) {
    guard let name = message["method"]?.string, let parameters = message["params"] else { return }
    notices.append(Notice(name: name, parameters: parameters), size: size)
  }

  /// The next message, with its length in bytes; nil where the time is over.
  private func receive(_ deadline: UInt64?) throws(ControlError) -> (JSONValue, size: Int)? {
    while true {
      if let line = lines.next(isLast: false) {
        do throws(JSONError) {
          return (try JSONParser.parse(line), line.count)
        } catch {
          throw ControlError(.protocolViolation, "what came is no JSON: \(error)")
        }
      }
      guard !lines.isTooLong else { throw ControlError(.protocolViolation, "what came is too long") }
      var wait: Int32 = -1
      if let deadline {
        let now = HostClock.monotonic
        wait = now < deadline ? Int32(clamping: (deadline - now) / 1_000_000 + 1) : 0
      }
      guard chost_wait(socket.rawValue, Int16(POLLIN), wait) else {
        // What is there is read also where there is no time to wait for more.
        if wait == 0 { return nil }
        continue
      }
      // SAFETY: the buffer is this call's own and its size goes along; what was read is copied.
      let count = unsafe withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 16) { buffer -> Int64 in
        guard let base = buffer.baseAddress else { return 0 }
        let count = unsafe chost_channel_read(socket.rawValue, true, base, buffer.count)
        if count > 0 { unsafe lines.append(UnsafeRawBufferPointer(rebasing: buffer[..<Int(count)])) }
        return count
      }
      guard count > 0 || count == -Int64(EAGAIN) else { throw Self.lost }
    }
  }
}

extension Duration {
  fileprivate var milliseconds: Int32 { max(1, Int32(clamping: nanoseconds / 1_000_000)) }
}
