/// What a debugger looks into and steers: a machine with one thread for each vCPU, counted from 0.
///
/// The session calls it from one thread. Registers, memory and breakpoints are asked for only while the machine is
/// stopped; whoever implements it says so with ``DebugSession/machineStopped(_:)``.
public protocol DebugTarget: AnyObject {
  /// How many vCPUs there are: at least 1.
  var threadCount: Int { get }
  /// What a person sees beside a thread's number.
  func describe(thread: Int) -> String
  /// Whether there is such a thread that could run.
  func isAlive(thread: Int) -> Bool

  /// Has all vCPUs stop; ``DebugSession/machineStopped(_:)`` follows, also where they are stopped already.
  func stop()
  /// Lets vCPUs go on, each as its element says. Afterwards the machine stops again by itself or by ``stop()``.
  func resume(_ actions: [DebugAction])

  /// A register, or nil where it does not exist or cannot be read.
  func register(_ register: DebugRegister, thread: Int) -> RegisterValue?
  /// Writes a register.
  ///
  /// - Returns: false where it cannot be written.
  func setRegister(_ register: DebugRegister, _ value: RegisterValue, thread: Int) -> Bool

  /// Reads memory by a vCPU's own translation.
  ///
  /// - Returns: as many bytes as there are without a gap, at most `count`; none where the first is nowhere.
  func read(at address: UInt64, count: Int, thread: Int) -> [UInt8]
  /// Writes memory by a vCPU's own translation.
  ///
  /// - Returns: whether all was written.
  func write(_ bytes: [UInt8], at address: UInt64, thread: Int) -> Bool

  /// Puts in a breakpoint. One that is there already stays.
  func insert(_ breakpoint: Breakpoint, thread: Int) -> BreakpointAnswer
  /// Takes out a breakpoint. One that is not there is no mistake.
  func remove(_ breakpoint: Breakpoint) -> BreakpointAnswer

  /// Does what a person has given to gdb's command `monitor`.
  ///
  /// - Returns: the text for that person.
  func monitor(_ words: [String]) -> String
}

/// What a vCPU does when the machine goes on.
public enum DebugAction: Equatable, Sendable {
  /// It stays where it is.
  case stay
  /// It executes until something stops it.
  case run
  /// It executes one instruction.
  case step
}

/// A register's value, in the lowest of its 128 bits.
public struct RegisterValue: Equatable, Sendable {
  /// Bits 63 to 0.
  public var low: UInt64
  /// Bits 127 to 64.
  public var high: UInt64

  /// A value of 64 bits, or of 128.
  public init(_ low: UInt64, high: UInt64 = 0) {
    self.low = low
    self.high = high
  }

  /// All sixteen bytes, the lowest first.
  public var littleEndian: [UInt8] { bytes(16) }

  /// The lowest bytes, the lowest first.
  func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: ($0 < 8 ? low : high) >> UInt64($0 % 8 * 8)) }
  }

  /// A value from its bytes, the lowest first: at most 16.
  public init(littleEndian bytes: some Sequence<UInt8>) {
    self.init(0)
    for (index, byte) in bytes.prefix(16).enumerated() {
      let part = UInt64(byte) << UInt64(index % 8 * 8)
      if index < 8 { low |= part } else { high |= part }
    }
  }
}

/// A place at which the machine is to stop.
public struct Breakpoint: Hashable, Sendable {
  /// How it is done: the numbers are the protocol's.
  public enum Kind: UInt8, CaseIterable, Sendable {
    /// An instruction is replaced.
    case software = 0
    /// The processor compares the address of each instruction.
    case hardware = 1
    /// The processor compares the addresses of stores.
    case writeWatch = 2
    /// The processor compares the addresses of loads.
    case readWatch = 3
    /// The processor compares the addresses of both.
    case accessWatch = 4
  }

  /// How it is done.
  public let kind: Kind
  /// Virtual.
  public let address: UInt64
  /// In bytes: of a watchpoint what is watched, of the others the length of the instruction.
  public let length: UInt64

  /// Names a breakpoint.
  public init(_ kind: Kind, address: UInt64, length: UInt64) {
    self.kind = kind
    self.address = address
    self.length = length
  }
}

/// What becomes of a wish for a breakpoint.
public enum BreakpointAnswer: Equatable, Sendable {
  /// From the next instruction on it is as was wished.
  case done
  /// There is no memory at the address.
  case unmapped
  /// There are as many as there can be.
  case full
  /// The processor cannot watch this.
  case unsupported
}

/// Why the machine stopped.
public struct StopEvent: Equatable, Sendable {
  /// Whose doing it is.
  public enum Reason: Equatable, Sendable {
    /// Somebody asked for it.
    case interrupt
    /// The instruction was executed.
    case step
    /// The next instruction has a breakpoint of ``Breakpoint/Kind/software``.
    case softwareBreakpoint
    /// The next instruction has a breakpoint of ``Breakpoint/Kind/hardware``.
    case hardwareBreakpoint
    /// The next instruction accesses what is watched.
    case watchpoint(Breakpoint)
  }

  /// The vCPU, counted from 0.
  public var thread: Int
  /// Why.
  public var reason: Reason

  /// Names an event.
  public init(thread: Int, reason: Reason) {
    self.thread = thread
    self.reason = reason
  }
}
