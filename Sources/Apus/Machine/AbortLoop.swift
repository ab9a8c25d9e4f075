import Host
import KVM

/// A guest that jumped into nothing.
///
/// KVM gives an instruction abort where there is no memory back to the guest, and where the guest's vectors are not
/// memory either it takes that abort for ever, without an exit. Only a look at the registers tells.
struct AbortLoop {
  /// PC.
  var counter: UInt64
  /// SCTLR_EL1.
  var control: UInt64
  /// ELR_EL1.
  var link: UInt64
  /// ESR_EL1.
  var syndrome: UInt64
  /// VBAR_EL1.
  var vectors: UInt64

  /// ESR_ELx.EC of an instruction abort from a lower or from the same level (Arm ARM, D24.2.40).
  private static let instructionAborts: ClosedRange<UInt64> = 0x20...0x21
  private static let vectorTableSize: UInt64 = 0x800

  /// What the guest does, where it is caught.
  ///
  /// - Parameter isExecutable: whether there may be code at an address while the guest's MMU is off.
  func reason(executableAt isExecutable: (UInt64) -> Bool) -> String? {
    // With the MMU off an address is a physical one.
    if control & 1 == 0, !isExecutable(counter) {
      let isVector = counter >= vectors && counter - vectors < Self.vectorTableSize
      return isVector ? withoutVectors : "executes at \(hexadecimalNumber(counter)), where there is no memory"
    }
    let isInVectors = counter >= vectors && counter - vectors < Self.vectorTableSize
    if isInVectors, link == counter, Self.instructionAborts.contains(syndrome >> 26 & 0x3F) { return withoutVectors }
    return nil
  }

  /// The exception that came first has left nothing but the general registers: ELR, ESR and FAR tell of the fetch.
  private var withoutVectors: String {
    "takes an exception whose vector at \(hexadecimalNumber(counter)) it cannot fetch (of the exception itself only X0 to X30 "
      + "and SP are left)"
  }
}

extension AbortLoop {
  /// Takes a look at a vCPU that is stopped; nil where it is powered off or its registers cannot be read.
  init?(_ vcpu: borrowing VirtualCPU) {
    guard
      (try? vcpu.isPoweredOff()) == false,
      let counter = try? vcpu.register(.programCounter),
      let control = try? vcpu.register(.systemControlEL1),
      let link = try? vcpu.register(.exceptionLinkEL1),
      let syndrome = try? vcpu.register(.exceptionSyndromeEL1),
      let vectors = try? vcpu.register(.vectorBaseEL1)
    else { return nil }
    self.init(counter: counter, control: control, link: link, syndrome: syndrome, vectors: vectors)
  }
}
