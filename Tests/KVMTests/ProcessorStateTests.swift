import Apus
import ApusTesting
import KVM
import Testing

/// vCPUs and an interrupt controller as a snapshot has them, without anything else of a machine.
private final class Processors {
  static let interruptCount: UInt32 = 96
  let machine: VirtualMachine
  let vcpus: [VCPUBox]
  let controller: InterruptController
  let version: UInt32

  final class VCPUBox {
    let vcpu: VirtualCPU

    init(_ vcpu: consuming VirtualCPU) {
      self.vcpu = vcpu
    }
  }

  init() throws {
    let machine = try System().createVirtualMachine(ipaSize: 40)
    let vcpus = try (0..<3).map { VCPUBox(try machine.createVirtualCPU(index: $0)) }
    let version: UInt32 = machine.supports(.vgicV3) ? 3 : 2
    let controller = try Self.controller(version, machine)
    for box in vcpus {
      try box.vcpu.initialize(features: box.vcpu.index == 0 ? .psci02 : [.psci02, .powerOff], machine: machine)
    }
    try controller.initialize(numberOfInterrupts: Self.interruptCount)
    self.machine = machine
    self.vcpus = vcpus
    self.controller = controller
    self.version = version
  }

  private static func controller(
    _ version: UInt32,
    _ machine: borrowing VirtualMachine
  ) throws -> InterruptController {
    guard version == 3 else {
      return try InterruptController(v2Distributor: 0x800_0000, cpuInterface: 0x801_0000, machine: machine)
    }
    return try InterruptController(
      v3Distributor: 0x800_0000,
      redistributors: [.init(base: 0x80A_0000, count: 3)],
      machine: machine
    )
  }

  var affinities: [UInt64] {
    get throws { try vcpus.map { try $0.vcpu.register(.multiprocessorAffinity) } }
  }

  var interrupts: InterruptControllerState {
    get throws {
      try controller.state(version: version, affinities: affinities, interruptCount: Self.interruptCount)
    }
  }
}

@Suite("The state of vCPUs and interrupt controllers", .requiresKVM, .ownThread)
struct ProcessorStateTests {
  @Test("a level and an edge that pend, and what a guest has set up, are in another controller as they were")
  func controller() throws {
    let first = try Processors()
    let second = try Processors()
    try first.machine.setInterruptLine(sharedPeripheralInterrupt: 3, level: true)
    let saved = try first.interrupts
    let fresh = try second.interrupts

    let fits = try second.controller.restore(saved, affinities: second.affinities, driven: [])

    #expect(fits)
    #expect(saved != fresh)
    #expect(try second.interrupts == saved)
  }

  @Test("the state of a controller with fewer vCPUs is none of this one")
  func otherShape() throws {
    let first = try Processors()
    var saved = try first.interrupts
    saved.values.removeLast()

    let fits = try first.controller.restore(saved, affinities: first.affinities, driven: [])

    #expect(!fits)
  }

  @Test("what a vCPU holds is whole in the list of its registers, and whether it is on is kept")
  func registers() throws {
    let first = try Processors()
    try first.vcpus[1].vcpu.setRegister(.general(7), 0x1234)
    try first.vcpus[1].vcpu.setMultiprocessorState(.runnable)

    let saved = try first.vcpus[1].vcpu.savedRegisters()

    #expect(saved.count >= 200 * 16)
    #expect(try first.vcpus[1].vcpu.multiprocessorState() == .runnable)
    #expect(try first.vcpus[2].vcpu.multiprocessorState() == .stopped)
    #expect(try first.vcpus[1].vcpu.events() == VirtualCPUEvents())
  }

  @Test("a vector register is set and read whole")
  func vectorRegister() throws {
    let first = try Processors()
    let bytes: [UInt8] = (1...16).map { $0 }

    try first.vcpus[0].vcpu.setRegister(.vector(5), bytes: bytes.span)

    var read: [UInt8] = []
    try first.vcpus[0].vcpu.appendRegister(.vector(5), to: &read)
    #expect(read == bytes)
  }

  @Test("writable bits of ID registers are told, or none are where the kernel is older than 6.7")
  func writableMasks() throws {
    let first = try Processors()

    let masks = try first.machine.writableMasks()

    #expect(masks.isEmpty == (first.machine.checkExtension(.armWritableMasks) == 0))
    #expect(masks.keys.allSatisfy { $0.size == 8 })
  }
}
