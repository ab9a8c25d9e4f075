import ApusControl
import Glibc
import Host
import Synchronization
import TestSupport

/// Methods of the tests' own.
enum Test {
  enum Word: String, ControlEnumeration {
    case one
    case two
  }

  struct Inner: ControlRecord {
    var number: UInt8 = 0

    mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
      try fields.field("number", &number, "A number.")
    }
  }

  struct Parameters: ControlRecord {
    var text = ""
    var count: UInt64?
    var small: Int32?
    var flag: Bool?
    var ratio: Double?
    var word: Word?
    var list: [Inner]?
    var anything: ControlJSON?

    mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
      try fields.field("text", &text, "A text.")
      try fields.field("count", &count, "A count.")
      try fields.field("small", &small, "A small count.")
      try fields.field("flag", &flag, "Yes or no.")
      try fields.field("ratio", &ratio, "A ratio.")
      try fields.field("word", &word, "A word.")
      try fields.field("list", &list, "A list.")
      try fields.field("anything", &anything, "Anything.")
    }
  }

  /// Answers what it was asked with.
  enum Echo: ControlMethod {
    typealias Parameters = Test.Parameters
    typealias Answer = Test.Parameters
    static let name = "test.echo"
    static let summary = "Answers what it was asked with."
  }

  /// Is answered when the test says so.
  enum Later: ControlMethod {
    static let name = "test.later"
    static let summary = "Is answered later."
  }

  /// Subscribes to what the test tells.
  enum Subscribe: ControlMethod {
    typealias Answer = Control.SubscriptionAnswer
    static let name = "test.subscribe"
    static let summary = "Subscribes."
  }
}

/// A server with the tests' methods, in a folder of its own.
final class ControlService: Sendable {
  let folder: TemporaryFolder
  let path: String
  private let server: ControlServer
  private let hasEnded = Mutex(false)
  private let shared: Shared

  private final class Shared: Sendable {
    let waiting = Mutex<[ControlAnswer<Test.Later>]>([])
    let subscriptions = Mutex<[ControlSubscription]>([])
    let ended = Atomic(0)
    let lines = Mutex<[String]>([])
  }

  init(_ limits: ControlServer.Limits = .init()) throws {
    folder = try TemporaryFolder()
    path = folder.path("socket")
    let shared = Shared()
    self.shared = shared
    var table = ControlTable()
    table.on(Control.Hello.self) { _, answer in answer.succeed(.init()) }
    table.on(Test.Echo.self) { parameters, answer in answer.succeed(parameters) }
    table.on(Test.Later.self) { _, answer in shared.waiting.withLock { $0.append(answer) } }
    table.on(Test.Subscribe.self) { _, answer in
      let subscription = answer.subscribe { shared.ended.add(1, ordering: .relaxed) }
      answer.succeed(.init(subscription.number))
      shared.subscriptions.withLock { $0.append(subscription) }
    }
    table.on(Control.Unsubscribe.self) { parameters, answer in
      guard let lost = answer.unsubscribe(parameters.subscription) else { return answer.fail(.notFound, "none") }
      var result = Control.Unsubscribe.Answer()
      result.lost = lost
      answer.succeed(result)
    }
    let listener = try ControlListener(.path(path), machine: "test", folder: folder.path("machines"))
    server = try ControlServer(listener, { [table] in table }, limits: limits) { line in
      shared.lines.withLock { $0.append(line) }
    }
  }

  deinit { end() }

  func end() {
    let isFirst = hasEnded.withLock { hasEnded in
      defer { hasEnded = true }
      return !hasEnded
    }
    if isFirst { server.end() }
  }

  /// What was told of clients.
  var lines: [String] { shared.lines.withLock { $0 } }
  /// How many subscriptions were ended, by whom ever.
  var endedSubscriptions: Int { shared.ended.load(ordering: .relaxed) }
  /// How many requests wait for ``answerAll()``.
  var waiting: Int { shared.waiting.withLock { $0.count } }
  var subscriptionCount: Int { shared.subscriptions.withLock { $0.count } }

  func answerAll() {
    let waiting = shared.waiting.withLock { waiting in
      defer { waiting = [] }
      return waiting
    }
    for answer in waiting { answer.succeed() }
  }

  /// Tells all who have subscribed.
  func tell(_ text: String) {
    for subscription in shared.subscriptions.withLock({ $0 }) {
      subscription.tell(Control.ConsoleOutput.self, .init(data: text))
    }
  }
}

/// A client that keeps to nothing.
final class RawClient {
  let number: Int32
  private var bytes: [UInt8] = []
  private(set) var hasEnded = false

  struct Failure: Error {}

  init(_ path: String) throws {
    number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // SAFETY: the path is copied into the structure, which has room for it and the zero behind.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8.prefix(107))) }
    // SAFETY: the structure holds for the call and its size goes along.
    let result = unsafe withUnsafePointer(to: &address) { address in
      unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result == 0 else {
      close(number)
      throw Failure()
    }
  }

  deinit { close(number) }

  /// Sends all, or as much as is taken: nobody may read any more.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Int {
    var sent = 0
    while sent < bytes.count {
      // SAFETY: the buffer holds for the call and its size goes along.
      let count = unsafe bytes.withUnsafeBytes { buffer in
        unsafe Glibc.send(
          number,
          buffer.baseAddress?.advanced(by: sent),
          buffer.count - sent,
          Int32(MSG_NOSIGNAL)
        )
      }
      guard count > 0 else { return sent }
      sent += count
    }
    return sent
  }

  @discardableResult
  func send(_ line: String) -> Int { send(Array((line + "\n").utf8)) }

  func endInput() { shutdown(number, Int32(SHUT_WR)) }

  /// Whether a line was read already.
  var hasLine: Bool { bytes.contains(0x0A) }

  /// The next line; nil where the connection has ended.
  func line() throws -> String? {
    while true {
      if let end = bytes.firstIndex(of: 0x0A) {
        defer { bytes.removeFirst(end + 1) }
        return String(decoding: bytes[..<end], as: UTF8.self)
      }
      guard !hasEnded else { return nil }
      guard isReadable(number, within: 60_000) else { throw Failure() }
      var chunk = [UInt8](repeating: 0, count: 64 << 10)
      // SAFETY: the buffer holds for the call and its size goes along.
      let count = unsafe read(number, &chunk, chunk.count)
      if count <= 0 { hasEnded = true } else { bytes += chunk[..<count] }
    }
  }

  func ask(_ line: String) throws -> String? {
    send(line)
    return try self.line()
  }
}
