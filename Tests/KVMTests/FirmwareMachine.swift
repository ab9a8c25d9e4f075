import Apus
import GuestMemory
import GuestSupport
import KVM
import Testing

/// The smallest machine that the `firmware` guest runs on: memory, one vCPU and a serial port that only transmits. It
/// has nothing of Apus's machine, so that a test can set the firmware registers that Apus would have set.
final class FirmwareMachine {
  let vcpu: VirtualCPU
  private let machine: VirtualMachine
  private let ram: PrivateRAM

  private static let size: UInt64 = 16 << 20
  private static let entry = MemoryMap.ramStart.rawValue + 512 << 10

  init() throws {
    let machine = try System().createVirtualMachine(ipaSize: 40)
    let ram = try PrivateRAM(range: GuestRange(at: MemoryMap.ramStart.rawValue, size: Self.size))
    // SAFETY: memory and machine are this object's; the machine's vCPU runs in its methods alone.
    try unsafe machine.setUserMemoryRegion(
      slot: 0,
      guestAddress: MemoryMap.ramStart.rawValue,
      size: Self.size,
      hostAddress: ram.hostAddress
    )
    let guest = try TestFile.contents(of: GuestFile.bareMetal("firmware", .bin))
    try ram.write(guest.span, at: GuestAddress(Self.entry))
    var configuration = Configuration(kernel: "")
    configuration.memorySize = Self.size
    let tree = try configuration.deviceTree()
    try ram.write(tree.span, at: MemoryMap.ramStart)
    let vcpu = try machine.createVirtualCPU(index: 0)
    try vcpu.initialize(features: .psci02, machine: machine)
    try vcpu.setRegister(.programCounter, Self.entry)
    try vcpu.setRegister(.general(0), MemoryMap.ramStart.rawValue)
    self.machine = machine
    self.ram = ram
    self.vcpu = vcpu
  }

  /// Runs the guest to its end.
  ///
  /// - Returns: what each call gave, by its name.
  func answers() throws -> [Substring: Substring] {
    var console: [UInt8] = []
    let pl011 = MemoryMap.pl011.start.rawValue
    loop: while true {
      switch vcpu.run() {
      case .mmioRead: vcpu.answerRead(0)
      case .mmioWrite(pl011, let value, _): console.append(UInt8(truncatingIfNeeded: value))
      case .mmioWrite: break
      case .systemEvent(.shutdown): break loop
      case let exit:
        Issue.record("the guest came out with \(exit)")
        break loop
      }
    }
    var answers: [Substring: Substring] = [:]
    for line in String(decoding: console, as: UTF8.self).split(separator: "\n") {
      let parts = line.split(separator: " ", maxSplits: 3)
      if parts.count == 4, parts[2] == "=" { answers[parts[0]] = parts[3] }
    }
    return answers
  }
}
