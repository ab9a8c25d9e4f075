public import ApusGuest

/// The bare-metal guest `puppet`: makes each call and each access that a test asks for, and tells what came of it.
///
/// Guests/BareMetal/README.md has its lines. One at a time asks.
public struct Puppet: Sendable {
  private let wire: any PuppetWire

  /// A puppet at the other end of a wire, which has said that it is there, or will.
  public init(over wire: any PuppetWire) { self.wire = wire }

  /// The puppet of a machine that has just been started; waits until it says that it is there.
  ///
  /// - Throws: ``Failure`` where it does not.
  public init(_ console: ConsoleTranscript) async throws {
    wire = ConsoleWire(console)
    try await hello()
  }

  /// Waits until it says that it is there.
  public func hello() async throws {
    let line = try await wire.line(within: .seconds(120))
    guard line == "puppet" else { throw Failure(line: "its start", answer: line) }
  }

  /// An answer that is none, or one to a line that means nothing.
  public struct Failure: Error, CustomStringConvertible {
    /// What it was told.
    public let line: String
    /// What it said.
    public let answer: String

    public var description: String { "the puppet answered '\(answer)' to '\(line.prefix(200))'" }
  }

  /// What came of an access.
  public enum Access: Equatable, Sendable {
    /// It gave this.
    case done(UInt64)
    /// It was an exception with this ESR_EL1 and FAR_EL1.
    case abort(syndrome: UInt64, address: UInt64)

    /// The class of the exception, ESR_ELx.EC; nil where there was none.
    public var exceptionClass: UInt64? {
      if case .abort(let syndrome, _) = self { syndrome >> 26 & 0x3F } else { nil }
    }

    /// Where it went wrong; nil where it did not.
    public var faultAddress: UInt64? {
      if case .abort(_, let address) = self { address } else { nil }
    }
  }

  // MARK: Lines

  /// Has it do a line.
  ///
  /// - Parameter limit: on a machine that has nothing else to do.
  /// - Returns: the answer's words.
  public func ask(_ line: String, within limit: Duration = .seconds(60)) async throws -> [String] {
    try await wire.send(line)
    let answer = try await wire.line(within: limit)
    return answer.utf8.split(separator: 0x20, omittingEmptySubsequences: false).map { String(Substring($0)) }
  }

  /// The numbers of an answer that has to be `ok`.
  public func numbers(_ line: String, within limit: Duration = .seconds(60)) async throws -> [UInt64] {
    let words = try await ask(line, within: limit)
    let numbers = words.dropFirst().compactMap { UInt64($0, radix: 16) }
    guard words.first == "ok", numbers.count == words.count - 1 else {
      throw Failure(line: line, answer: words.joined(separator: " "))
    }
    return numbers
  }

  /// What came of a line that is one access.
  public func access(_ line: String, within limit: Duration = .seconds(60)) async throws -> Access {
    let words = try await ask(line, within: limit)
    let numbers = words.dropFirst().compactMap { UInt64($0, radix: 16) }
    switch (words.first, numbers.count) {
    case ("ok", _): return .done(numbers.first ?? 0)
    case ("abort", 2): return .abort(syndrome: numbers[0], address: numbers[1])
    default: throw Failure(line: line, answer: words.joined(separator: " "))
    }
  }

  /// Its next answer's words, to a line of ``end(_:)`` that it can answer after all.
  public func answer(within limit: Duration = .seconds(60)) async throws -> [String] {
    try await wire.line(within: limit).utf8.split(separator: 0x20).map { String(Substring($0)) }
  }

  /// Tells it a line that it does not answer before something else happens, or never: one that ends its machine.
  public func end(_ line: String = "o") async throws { try await wire.send(line) }

  // MARK: Calls

  /// HVC, or SMC.
  ///
  /// - Returns: x0 to x4.
  public func call(_ number: UInt64, _ arguments: UInt64..., smc: Bool = false) async throws -> [UInt64] {
    try await numbers(Self.text(smc ? "s" : "h", [number] + arguments))
  }

  static func text(_ command: String, _ numbers: [UInt64]) -> String {
    ([command] + numbers.map { String($0, radix: 16) }).joined(separator: " ")
  }

  // MARK: Memory

  /// A load of 1, 2, 4 or 8 bytes.
  public func load(_ address: UInt64, bytes: UInt64 = 8) async throws -> Access {
    try await access(Self.text("l", [bytes, address]))
  }

  /// A store of 1, 2, 4 or 8 bytes.
  public func store(_ value: UInt64, at address: UInt64, bytes: UInt64 = 8) async throws -> Access {
    try await access(Self.text("t", [bytes, address, value]))
  }

  /// How many bytes fit a line, or an answer.
  private static let chunk = 0x1C00

  /// Copies bytes into its memory.
  public func write(_ bytes: [UInt8], at address: UInt64) async throws {
    for start in stride(from: 0, to: bytes.count, by: Self.chunk) {
      let part = bytes[start..<min(start + Self.chunk, bytes.count)]
      let line = Self.text("c", [address + UInt64(start)]) + " " + Self.hexadecimal(part)
      guard try await numbers(line) == [UInt64(part.count)] else { throw Failure(line: line, answer: "another count") }
    }
  }

  /// Bytes of its memory.
  public func read(_ count: Int, at address: UInt64) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let part = min(count - bytes.count, Self.chunk)
      let line = Self.text("d", [address + UInt64(bytes.count), UInt64(part)])
      let words = try await ask(line)
      guard words.count == 2, words[0] == "ok", let read = Self.bytes(words[1]), read.count == part else {
        throw Failure(line: line, answer: words.joined(separator: " "))
      }
      bytes += read
    }
    return bytes
  }

  /// Fills memory with a byte.
  public func fill(_ address: UInt64, _ count: UInt64, with byte: UInt8) async throws -> Access {
    try await access(Self.text("z", [address, count, UInt64(byte)]), within: .seconds(120))
  }

  /// How many bytes of its memory are not this one.
  public func verify(_ address: UInt64, _ count: UInt64, is byte: UInt8) async throws -> Access {
    try await access(Self.text("v", [address, count, UInt64(byte)]), within: .seconds(120))
  }

  static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    var digits: [UInt8] = []
    for byte in bytes {
      for digit in [byte >> 4, byte & 0xF] { digits.append(digit < 10 ? 0x30 + digit : 0x61 + digit - 10) }
    }
    return String(decoding: digits, as: UTF8.self)
  }

  static func bytes(_ text: String) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    for start in stride(from: 0, to: digits.count, by: 2) {
      guard let byte = UInt8(String(decoding: digits[start..<start + 2], as: UTF8.self), radix: 16) else { return nil }
      bytes.append(byte)
    }
    return bytes
  }

  // MARK: Interrupts and messages

  /// Enables an interrupt of the GIC, as an edge.
  public func enable(interrupt: UInt64) async throws { _ = try await numbers(Self.text("e", [interrupt])) }

  /// How often an interrupt came.
  public func interrupts(_ number: UInt64) async throws -> UInt64 {
    try await numbers(Self.text("i", [number]))[0]
  }

  /// Waits until an interrupt came so often, for some time at most.
  ///
  /// - Returns: how often it came.
  public func interrupts(_ number: UInt64, reaching count: UInt64, milliseconds: UInt64) async throws -> UInt64 {
    try await numbers(Self.text("w", [number, count, milliseconds]))[0]
  }

  /// Sends a message.
  ///
  /// - Returns: x0 and x1: the error, and whether there is room for another one.
  public func send(_ message: [UInt8], to queue: UInt64, flags: UInt64 = 0) async throws -> [UInt64] {
    let line = Self.text("qs", [queue, flags]) + (message.isEmpty ? "" : " " + Self.hexadecimal(message))
    return try await numbers(line)
  }

  /// A message that was received.
  public struct Received: Equatable, Sendable {
    /// x0.
    public let error: UInt64
    /// x2.
    public let isNotEmpty: UInt64
    /// What it was.
    public let message: [UInt8]

    /// One of these parts.
    public init(error: UInt64, isNotEmpty: UInt64, message: [UInt8]) {
      self.error = error
      self.isNotEmpty = isNotEmpty
      self.message = message
    }
  }

  /// Receives a message, and waits for it for some time.
  public func receive(from queue: UInt64, milliseconds: UInt64 = 0) async throws -> Received {
    let line = Self.text("qr", [queue, milliseconds])
    let words = try await ask(line, within: .milliseconds(Int64(milliseconds) + 60_000))
    guard
      words.count == 4, words[0] == "ok", let error = UInt64(words[1], radix: 16),
      let isNotEmpty = UInt64(words[2], radix: 16), let message = Self.bytes(words[3])
    else { throw Failure(line: line, answer: words.joined(separator: " ")) }
    return Received(error: error, isNotEmpty: isNotEmpty, message: message)
  }

  // MARK: The machine

  /// What it finds of a node of its device tree.
  public struct Node: Equatable, Sendable {
    /// Of a pair, the sending capability comes first.
    public let capabilities: [UInt64]
    /// As the GIC counts them, 0 for none.
    public let interrupts: [UInt64]
    /// `qcom,label`.
    public let label: UInt64
  }

  /// The node `index` that is compatible with `model`; nil where there is none.
  public func node(_ model: String = "gunyah-resource-manager", _ index: Int = 0) async throws -> Node? {
    let line = "g \(model) \(String(index, radix: 16))"
    guard try await ask(line) != ["error"] else { return nil }
    let numbers = try await numbers(line)
    guard numbers.count == 5 else { throw Failure(line: line, answer: "\(numbers)") }
    return Node(capabilities: Array(numbers[..<2]), interrupts: Array(numbers[2..<4]), label: numbers[4])
  }

  /// Starts a further vCPU, 1 to 7 in the tree's order.
  public func start(processor: UInt64) async throws -> UInt64 { try await numbers(Self.text("on", [processor]))[0] }

  /// Has a further vCPU do a line; ``answer(of:within:)`` waits for it.
  public func post(_ line: String, to processor: UInt64) async throws {
    _ = try await numbers(Self.text("at", [processor]) + " " + line)
  }

  /// Waits until a further vCPU has done its line.
  public func answer(of processor: UInt64, within limit: Duration = .seconds(60)) async throws -> [UInt64] {
    try await numbers(Self.text("of", [processor]), within: limit)
  }
}

/// What carries lines to a puppet, and back.
public protocol PuppetWire: Sendable {
  /// Sends a line, without its end.
  func send(_ line: String) async throws

  /// Waits for a line of the puppet's.
  func line(within limit: Duration) async throws -> String
}

/// A machine's serial port.
private struct ConsoleWire: PuppetWire {
  let console: ConsoleTranscript

  init(_ console: ConsoleTranscript) { self.console = console }

  func send(_ line: String) { console.send(line + "\n") }

  func line(within limit: Duration) async throws -> String {
    try await console.expectLine("an answer of the puppet's", within: limit) { _ in true }
  }
}
