/// The breakpoints that a debugger has put into a machine: how many there can be, and what the processor is told.
public struct BreakpointTable: Sendable {
  /// How many there can be of ``Breakpoint/Kind/software``.
  public static let softwareLimit = 4096
  /// BRK #0 (Arm ARM, C6.2.50).
  public static let instruction: UInt32 = 0xD420_0000
  /// How many bytes an instruction has.
  public static let instructionSize: UInt64 = 4

  /// An instruction that was replaced.
  public struct Replaced: Equatable, Sendable {
    /// Where it is in the guest's physical memory.
    public let physicalAddress: UInt64
    /// What was there.
    public var original: UInt32

    /// Notes an instruction.
    public init(physicalAddress: UInt64, original: UInt32) {
      self.physicalAddress = physicalAddress
      self.original = original
    }
  }

  /// The replaced instructions, by their virtual address.
  public private(set) var software: [UInt64: Replaced] = [:]
  /// What the processor's registers hold, in the order of those.
  public private(set) var hardware: [Breakpoint] = []
  private let breakpointLimit: Int
  private let watchpointLimit: Int

  /// An empty table.
  ///
  /// - Parameters:
  ///   - breakpoints: how many instructions the processor compares with.
  ///   - watchpoints: how many places it watches.
  public init(breakpoints: Int, watchpoints: Int) {
    breakpointLimit = breakpoints
    watchpointLimit = watchpoints
  }

  /// Whether there are none.
  public var isEmpty: Bool { software.isEmpty && hardware.isEmpty }

  /// Whether one more instruction can be replaced.
  public var hasRoomForSoftware: Bool { software.count < Self.softwareLimit }

  /// Notes an instruction that was replaced.
  public mutating func note(_ replaced: Replaced, at address: UInt64) {
    software[address] = replaced
  }

  /// Forgets a replaced instruction.
  ///
  /// - Returns: it, where there was one.
  public mutating func forgetSoftware(at address: UInt64) -> Replaced? { software.removeValue(forKey: address) }

  /// Notes one for the processor's registers.
  public mutating func insertHardware(_ breakpoint: Breakpoint) -> BreakpointAnswer {
    guard HardwareBreakpoint(breakpoint) != nil else { return .unsupported }
    guard !hardware.contains(breakpoint) else { return .done }
    let isWatch = breakpoint.isWatch
    let count = hardware.count { $0.isWatch == isWatch }
    guard count < (isWatch ? watchpointLimit : breakpointLimit) else { return .full }
    hardware.append(breakpoint)
    return .done
  }

  /// Forgets one of the processor's.
  public mutating func removeHardware(_ breakpoint: Breakpoint) {
    hardware.removeAll { $0 == breakpoint }
  }

  /// What the processor watches that an access belongs to.
  ///
  /// - Parameter address: FAR: within the access, which may begin before what is watched (D2.10.5).
  public func watchpoint(near address: UInt64) -> Breakpoint? {
    let watched = hardware.filter(\.isWatch)
    return watched.first { address &- $0.address < $0.length }
      ?? watched.min { $0.address &- address < $1.address &- address }
  }

  /// Puts the original bytes over a copy of physical memory that has replaced instructions in it.
  public func hide(in bytes: inout [UInt8], at physicalAddress: UInt64) {
    forEachOverlap(bytes.count, physicalAddress) { index, replaced, byte in
      bytes[index] = UInt8(truncatingIfNeeded: replaced.original >> UInt32(byte * 8))
    }
  }

  /// Keeps what is to be written over replaced instructions for later, and puts the breakpoints into it.
  public mutating func keep(in bytes: inout [UInt8], at physicalAddress: UInt64) {
    var changed: [(UInt64, Int, UInt8)] = []
    for (address, replaced) in software {
      for byte in 0..<Int(Self.instructionSize) {
        let offset = replaced.physicalAddress &+ UInt64(byte) &- physicalAddress
        if offset < UInt64(bytes.count) { changed.append((address, byte, bytes[Int(offset)])) }
      }
    }
    for (address, byte, value) in changed {
      guard var replaced = software[address] else { continue }
      replaced.original = replaced.original & ~(0xFF << UInt32(byte * 8)) | UInt32(value) << UInt32(byte * 8)
      software[address] = replaced
    }
    forEachOverlap(bytes.count, physicalAddress) { index, _, byte in
      bytes[index] = UInt8(truncatingIfNeeded: Self.instruction >> UInt32(byte * 8))
    }
  }

  private func forEachOverlap(_ count: Int, _ physicalAddress: UInt64, _ body: (Int, Replaced, Int) -> Void) {
    for replaced in software.values {
      for byte in 0..<Int(Self.instructionSize) {
        let offset = replaced.physicalAddress &+ UInt64(byte) &- physicalAddress
        if offset < UInt64(count) { body(Int(offset), replaced, byte) }
      }
    }
  }
}

extension Breakpoint {
  /// Whether data is watched.
  public var isWatch: Bool {
    switch kind {
    case .software, .hardware: false
    case .writeWatch, .readWatch, .accessWatch: true
    }
  }
}

/// A breakpoint as the processor's pair of registers has it: DBGBCR and DBGBVR, or DBGWCR and DBGWVR (Arm ARM, D24.3).
public struct HardwareBreakpoint: Equatable, Sendable {
  /// Whether it is the watchpoint's pair.
  public let isWatch: Bool
  /// The control register.
  public let control: UInt64
  /// The value register.
  public let value: UInt64

  /// E: on; PMC or PAC: at EL1 and EL0.
  private static let enabled: UInt64 = 1 | 3 << 1

  /// - Returns: nil where the processor has no such thing: of the kind ``Breakpoint/Kind/software``, an instruction
  ///   that is not aligned, or data that is neither within eight aligned bytes nor an aligned power of two of at most
  ///   2 GiB.
  public init?(_ breakpoint: Breakpoint) {
    let (address, length) = (breakpoint.address, breakpoint.length)
    isWatch = breakpoint.isWatch
    let access: UInt64
    switch breakpoint.kind {
    case .software: return nil
    case .hardware:
      guard address % BreakpointTable.instructionSize == 0 else { return nil }
      // BAS: all four bytes.
      control = Self.enabled | 0xF << 5
      value = address
      return
    case .readWatch: access = 1
    case .writeWatch: access = 2
    case .accessWatch: access = 3
    }
    let common = Self.enabled | access << 3
    if length >= 1, length <= 8, address % 8 + length <= 8 {
      control = common | ((1 << length) - 1) << (address % 8 + 5)
      value = address & ~7
    } else {
      guard length > 8, length <= 1 << 31, length.nonzeroBitCount == 1, address % length == 0 else { return nil }
      // MASK, bits 28 to 24: how many bits of the address are not compared.
      control = common | 0xFF << 5 | UInt64(length.trailingZeroBitCount) << 24
      value = address
    }
  }
}
