import Apus
import ApusTesting
import CPUModel
import GuestABI
import KVM
import Testing

@Suite("Registers of a vCPU", .requiresKVM, .ownThread)
struct RegisterTests {
  @Test("what is written to a register is read back")
  func roundTrip() throws {
    let machine = try System().createVirtualMachine(ipaSize: 40)
    let vcpu = try machine.createVirtualCPU(index: 0)
    try vcpu.initialize(features: .psci02, machine: machine)
    let registers =
      (0...30).map(RegisterID.general) + [
        .programCounter, .stackPointer, .stackPointerEL1, .exceptionLinkEL1, .faultAddressEL1, .vectorBaseEL1,
      ]

    for (number, id) in registers.enumerated() {
      try vcpu.setRegister(id, 0x1234_5678_9ABC_0000 + UInt64(number) << 11)
    }

    for (number, id) in registers.enumerated() {
      #expect(try vcpu.register(id) == 0x1234_5678_9ABC_0000 + UInt64(number) << 11, "\(id)")
    }
  }

  @Test("a vCPU starts at EL1 with interrupts masked and the MMU off")
  func reset() throws {
    let machine = try System().createVirtualMachine(ipaSize: 40)
    let vcpu = try machine.createVirtualCPU(index: 0)

    try vcpu.initialize(features: .psci02, machine: machine)

    // EL1 with its own stack pointer, and D, A, I and F set.
    #expect(try vcpu.register(.processorState) == 0x3C5)
    #expect(try vcpu.register(.systemControlEL1) & 1 == 0)
  }

  @Test("a register that does not exist is refused by KVM_GET_ONE_REG and KVM_SET_ONE_REG")
  func unknownRegister() throws {
    let machine = try System().createVirtualMachine(ipaSize: 40)
    let vcpu = try machine.createVirtualCPU(index: 0)
    try vcpu.initialize(features: .psci02, machine: machine)

    let read = #expect(throws: KVMError.self) { _ = try vcpu.register(.firmware(.bitmap, 0xFF)) }
    let write = #expect(throws: KVMError.self) { try vcpu.setRegister(.firmware(.bitmap, 0xFF), 0) }

    #expect(read?.errno == 2)
    #expect(write?.errno == 2)
  }

  @Test("the list of registers has those that Apus uses, each once")
  func list() throws {
    let machine = try System().createVirtualMachine(ipaSize: 40)
    let vcpu = try machine.createVirtualCPU(index: 0)
    try vcpu.initialize(features: .psci02, machine: machine)

    let list = try vcpu.registerList()

    #expect(Set(list).count == list.count)
    for id in [.programCounter, .general(0), .vectorBaseEL1, FirmwareRegisters.psciVersion] {
      #expect(list.contains(id), "\(id)")
    }
  }

  @Test("a vCPU's affinity is the one that the device tree tells")
  func affinity() throws {
    let system = try System()
    let machine = try system.createVirtualMachine(ipaSize: 40)
    // A host with a GICv2 has eight vCPUs at most.
    let maximum = system.checkExtension(.maximumVCPUs)

    for index in [0, 1, 7, 15, 16, 17, 31, 255, 256, 300] where index < maximum {
      let vcpu = try machine.createVirtualCPU(index: index)
      try vcpu.initialize(features: .psci02, machine: machine)
      let fields = try vcpu.register(.multiprocessorAffinity) & 0xFF_00FF_FFFF
      #expect(fields == UInt64(MachineTree.affinity(of: index)), "vCPU \(index)")
    }
  }

  @Test("a kick set before the run brings KVM_RUN back at once")
  func immediateExit() throws {
    let machine = try System().createVirtualMachine(ipaSize: 40)
    let vcpu = try machine.createVirtualCPU(index: 0)
    try vcpu.initialize(features: .psci02, machine: machine)

    vcpu.kick.setImmediateExit(true)

    guard case .interrupted = vcpu.run() else {
      Issue.record("the guest ran")
      return
    }
    #expect(try vcpu.register(.programCounter) == 0)
  }
}
