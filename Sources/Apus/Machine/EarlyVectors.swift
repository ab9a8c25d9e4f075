import GuestABI
import GuestMemory
import Host
import KVM

/// Exception vectors for a guest that has none yet.
///
/// Without them an exception before a guest has set VBAR_EL1 is lost: the processor cannot fetch the vector, which is
/// an exception of its own, and so on for ever; what a look at the registers finds is the second one. So VBAR_EL1 of
/// the first vCPU starts with a page of Apus's, in each of whose entries one instruction reads an address where nothing
/// is. That comes to user space with the exception's registers as the processor left them. KVM resets VBAR_EL1 of vCPUs
/// that the guest starts; ``AbortLoop`` finds those.
struct EarlyVectors: ~Copyable, Sendable {
  private let page: PrivateRAM

  /// What the entries read. Before the page, where no device is.
  static let trap = MemoryMap.earlyVectors.start.rawValue - 8

  /// VBAR_ELx: 16 entries of 0x80 bytes (Arm ARM, D1.4.1).
  private static let entrySize: UInt64 = 0x80
  private static let entryCount: UInt64 = 16

  /// - Throws: ``GuestMemoryError`` or ``KVMError``.
  init(_ machine: borrowing VirtualMachine) throws {
    let page = try PrivateRAM(range: MemoryMap.earlyVectors)
    var code = [UInt8](repeating: 0, count: Int(Self.entryCount * Self.entrySize))
    for entry in 0..<Self.entryCount {
      // LDR WZR, trap (Arm ARM, C6.2.194): the distance counts in instructions, in bits 23 to 5.
      let offset = entry * Self.entrySize
      let distance = (Self.trap &- (MemoryMap.earlyVectors.start.rawValue + offset)) >> 2
      let instruction = 0x1800_001F | UInt32(truncatingIfNeeded: distance & 0x7_FFFF) << 5
      for byte in 0..<4 { code[Int(offset) + byte] = UInt8(truncatingIfNeeded: instruction >> (8 * UInt32(byte))) }
    }
    try page.write(code.span, at: MemoryMap.earlyVectors.start)
    // SAFETY: the page lives in the running machine, which every thread that runs a vCPU holds.
    try unsafe machine.setUserMemoryRegion(
      slot: Board.MemorySlot.earlyVectors,
      guestAddress: page.range.start.rawValue,
      size: page.range.size,
      hostAddress: page.hostAddress,
      isReadOnly: true
    )
    self.page = page
  }

  /// Writes what is no code into the page, where the guest finds it.
  func write(_ bytes: [UInt8], at address: GuestAddress) {
    do throws(GuestMemoryError) {
      try page.write(bytes.span, at: address)
    } catch {
      preconditionFailure("\(error)")
    }
  }

  /// Reads what was written there.
  func read(at address: GuestAddress, count: Int) -> [UInt8] {
    do throws(GuestMemoryError) {
      return try page.read(at: address, count: count)
    } catch {
      preconditionFailure("\(error)")
    }
  }

  /// The page, for whoever looks into the guest's memory.
  func inspected() -> InspectedMemory { page.inspected(isReadOnly: true) }

  /// What brought a vCPU here that has read ``trap``, or nil where that was no entry's instruction.
  static func reason(_ vcpu: borrowing VirtualCPU) -> String? {
    guard
      let counter = try? vcpu.register(.programCounter),
      let link = try? vcpu.register(.exceptionLinkEL1),
      let syndrome = try? vcpu.register(.exceptionSyndromeEL1),
      let fault = try? vcpu.register(.faultAddressEL1)
    else { return nil }
    return reason(counter: counter, link: link, syndrome: syndrome, fault: fault)
  }

  /// The same for registers: PC, ELR_EL1, ESR_EL1 and FAR_EL1.
  static func reason(counter: UInt64, link: UInt64, syndrome: UInt64, fault: UInt64) -> String? {
    let base = MemoryMap.earlyVectors.start.rawValue
    guard counter >= base, counter - base < entryCount * entrySize, counter % entrySize == 0 else { return nil }
    // In each of four groups: synchronous, IRQ, FIQ, SError.
    let exception =
      switch (counter - base) / entrySize % 4 {
      case 0: ExceptionSyndrome(syndrome).description(at: link, fault: fault)
      case 1: "takes an interrupt at \(hexadecimalNumber(link))"
      case 2: "takes a fast interrupt at \(hexadecimalNumber(link))"
      default: "takes an SError at \(hexadecimalNumber(link))"
      }
    return exception + ", and has set no exception vectors (VBAR_EL1)"
  }
}

/// ESR_ELx of a synchronous exception (Arm ARM, D24.2.40).
struct ExceptionSyndrome {
  private let rawValue: UInt64

  init(_ rawValue: UInt64) {
    self.rawValue = rawValue
  }

  private var exceptionClass: UInt64 { rawValue >> 26 & 0x3F }

  /// What an instruction did that was taken to EL1.
  ///
  /// - Parameters:
  ///   - link: ELR_EL1.
  ///   - fault: FAR_EL1.
  func description(at link: UInt64, fault: UInt64) -> String {
    let place = hexadecimalNumber(link)
    return switch exceptionClass {
    case 0x00: "executes an undefined instruction at \(place)"
    case 0x07: "uses floating-point or SIMD registers at \(place), which CPACR_EL1 does not let it"
    case 0x0E: "is in an illegal execution state at \(place)"
    case 0x15: "calls a supervisor (SVC) before \(place)"
    case 0x18: "accesses a system register at \(place) that it may not"
    case 0x19: "uses SVE at \(place), which CPACR_EL1 does not let it"
    case 0x20, 0x21: "executes at \(hexadecimalNumber(fault)), \(abort)"
    case 0x22: "jumps to \(hexadecimalNumber(fault)), which is no multiple of 4"
    case 0x24, 0x25: "accesses \(hexadecimalNumber(fault)) by the instruction at \(place), \(abort)"
    case 0x26: "uses a stack pointer that is no multiple of 16 at \(place)"
    case 0x3C: "executes a breakpoint (BRK) at \(place)"
    default: "takes an exception of class \(hexadecimalNumber(exceptionClass)) at \(place)"
    }
  }

  /// The status code of an abort.
  private var abort: String {
    switch rawValue & 0x3F {
    case 0x00...0x03: "which is larger than an address can be"
    case 0x04...0x07: "which its page tables do not map"
    case 0x08...0x0F: "which its page tables do not let it"
    case 0x10, 0x14...0x17: "where there is no memory"
    case 0x21: "which is not aligned"
    default: "with fault status \(hexadecimalNumber(rawValue & 0x3F))"
    }
  }
}
