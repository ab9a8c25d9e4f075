public import Debugger

/// A machine of plain values: some memory, registers that are what was written, and breakpoints that are only noted.
public final class FakeTarget: DebugTarget {
  /// Where its memory begins.
  public static let memoryStart: UInt64 = 0xFFFF_8000_0000_0000

  public let threadCount: Int
  /// What stands in memory.
  public var memory: [UInt8]
  /// What was written to registers, and what a test has put there.
  public var registers: [DebugRegister: RegisterValue] = [:]
  /// The last order to go on.
  public private(set) var resumed: [DebugAction]?
  /// How often it was to stop.
  public private(set) var stopCount = 0
  /// The breakpoints that are in.
  public private(set) var breakpoints: Set<Breakpoint> = []
  /// What `monitor` was asked.
  public private(set) var words: [String] = []
  private var table = BreakpointTable(breakpoints: 4, watchpoints: 2)

  /// A machine that is stopped.
  public init(threadCount: Int = 2, memorySize: Int = 256) {
    self.threadCount = threadCount
    memory = (0..<memorySize).map { UInt8(truncatingIfNeeded: $0) }
  }

  public func describe(thread: Int) -> String { "vCPU \(thread) <&>" }
  public func isAlive(thread: Int) -> Bool { thread < threadCount }
  public func stop() { stopCount += 1 }
  public func resume(_ actions: [DebugAction]) {
    precondition(actions.count == threadCount, "each thread has its action")
    resumed = actions
  }

  public func register(_ register: DebugRegister, thread: Int) -> RegisterValue? {
    precondition(0..<threadCount ~= thread, "threads are counted from 0")
    // As a host without this register.
    return register == .vector(31) ? nil : registers[register] ?? RegisterValue(UInt64(thread) + 0x10)
  }

  public func setRegister(_ register: DebugRegister, _ value: RegisterValue, thread: Int) -> Bool {
    guard register != .vector(31) else { return false }
    registers[register] = value
    return true
  }

  public func read(at address: UInt64, count: Int, thread: Int) -> [UInt8] {
    let offset = address &- Self.memoryStart
    guard offset < UInt64(memory.count) else { return [] }
    return Array(memory[Int(offset)...].prefix(count))
  }

  public func write(_ bytes: [UInt8], at address: UInt64, thread: Int) -> Bool {
    let offset = address &- Self.memoryStart
    guard offset < UInt64(memory.count), UInt64(bytes.count) <= UInt64(memory.count) - offset else { return false }
    memory.replaceSubrange(Int(offset)..<Int(offset) + bytes.count, with: bytes)
    return true
  }

  public func insert(_ breakpoint: Breakpoint, thread: Int) -> BreakpointAnswer {
    guard breakpoint.kind == .software else {
      let answer = table.insertHardware(breakpoint)
      if answer == .done { breakpoints.insert(breakpoint) }
      return answer
    }
    guard breakpoint.address &- Self.memoryStart < UInt64(memory.count) else { return .unmapped }
    guard table.software[breakpoint.address] == nil else { return .done }
    guard table.hasRoomForSoftware else { return .full }
    table.note(.init(physicalAddress: breakpoint.address, original: 0), at: breakpoint.address)
    breakpoints.insert(breakpoint)
    return .done
  }

  public func remove(_ breakpoint: Breakpoint) -> BreakpointAnswer {
    breakpoints.remove(breakpoint)
    table.removeHardware(breakpoint)
    _ = table.forgetSoftware(at: breakpoint.address)
    return .done
  }

  public func monitor(_ words: [String]) -> String {
    self.words = words
    return "heard \(words.count)\n"
  }
}

/// A debugger's end of a session, as far as tests need one.
public enum FakeDebugger {
  /// A packet around a text that needs no escapes.
  public static func packet(_ text: String) -> [UInt8] { PacketWriter.packet(text.utf8) }

  /// A packet around any bytes.
  public static func packet(_ bytes: some Sequence<UInt8>) -> [UInt8] { PacketWriter.packet(bytes) }

  /// The texts of the packets in what a session has sent, in their order.
  public static func texts(_ bytes: [UInt8]) -> [String] {
    var reader = PacketReader()
    var texts: [String] = []
    for byte in bytes {
      if case .packet(let text)? = reader.next(byte) { texts.append(String(decoding: text, as: UTF8.self)) }
    }
    return texts
  }
}

/// Gives a session any bytes, as a debugger's that means no good, and looks that what has to hold does.
public enum ExerciseDebugger {
  /// - Returns: how many packets were answered.
  @discardableResult
  public static func run(_ bytes: some Collection<UInt8>) -> Int {
    let target = FakeTarget(threadCount: 3)
    var session = DebugSession(target: target)
    var answers = 0
    var stops = 0
    for piece in bytes.chunks(of: 7) {
      session.receive(piece)
      // The machine does as it is told; where it goes on, it comes back by itself.
      while session.end == nil, target.stopCount > stops {
        stops = target.stopCount
        session.machineStopped(StopEvent(thread: stops % 3, reason: .interrupt))
      }
      if target.takeResumed() != nil { session.machineStopped(StopEvent(thread: 1, reason: .step)) }
      let output = session.takeOutput()
      precondition(output.count <= bytes.count * 3 * PacketReader.limit, "answers are bounded")
      for text in FakeDebugger.texts(output) {
        precondition(text.utf8.count <= PacketReader.limit, "an answer fits a packet")
        answers += 1
      }
      if session.end != nil { break }
    }
    return answers
  }
}

extension FakeTarget {
  /// The last order to go on, once.
  public func takeResumed() -> [DebugAction]? {
    defer { resumed = nil }
    return resumed
  }
}

extension Collection {
  /// Pieces of so many elements, the last one shorter.
  func chunks(of count: Int) -> [SubSequence] {
    var rest = self[...]
    var chunks: [SubSequence] = []
    while !rest.isEmpty {
      chunks.append(rest.prefix(count))
      rest = rest.dropFirst(count)
    }
    return chunks
  }
}
