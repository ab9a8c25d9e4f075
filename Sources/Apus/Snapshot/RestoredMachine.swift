import CPUModel
import GuestABI
import GuestMemory
import Host
import KVM
import Snapshot
import Virtio

/// What the first boot of a machine goes on from. On the device thread, once.
final class RestoredMachine {
  let snapshot: MachineSnapshot
  private let options: MachineSnapshot.Options
  private var processors: ProcessorsState { snapshot.processors }
  /// The registers of each vCPU; nil for bytes that are none.
  private let registers: [RegisterSet?]
  /// What does not match on this host, as far as it has been looked at: all of it is told at once.
  private(set) var problems: [String] = []
  /// Parts of the processor that were told to be missing: their registers are missing by that.
  private var missing: [Contract.Feature] = []

  init(_ snapshot: MachineSnapshot, _ options: MachineSnapshot.Options) {
    self.snapshot = snapshot
    self.options = options
    registers = snapshot.processors.processors.map { RegisterSet(saved: $0.registers) }
  }

  /// What of devices is to be otherwise.
  var wishes: RestoreWishes {
    RestoreWishes(acceptsOtherDisks: options.acceptsOtherDisks, restoresSharedPlatform: options.restoresPlatform)
  }

  // MARK: In the order in which a machine is assembled

  /// The version of the interrupt controller that the machine is made with: the guest's, or whatever there is where
  /// the host does not have that.
  ///
  /// - Parameter machine: for what the host has.
  func gic(_ machine: borrowing VirtualMachine) -> Configuration.GIC {
    let version = processors.interrupts.version
    guard machine.supports(version == 2 ? .vgicV2 : .vgicV3) else {
      note("the guest was given a GICv\(version), which this host's KVM does not have; restore it on one that has")
      return .automatic
    }
    return version == 2 ? .v2 : .v3
  }

  /// The features that the vCPUs had. What is missing is noted, and left out: the registers are compared without it.
  ///
  /// - Parameter available: what the host has.
  func features(available: VirtualCPUFeatures) -> VirtualCPUFeatures {
    let features = VirtualCPUFeatures(rawValue: processors.features)
    let names: [(VirtualCPUFeatures, Contract.Feature, String)] = [
      (.sve, .vectors, "SVE"), (.pmuV3, .monitors, "PMUv3"),
      (.pointerAuthenticationAddress, .authentication, "pointer authentication"),
    ]
    for (feature, part, name) in names where features.contains(feature) && !available.contains(feature) {
      note("the guest was given \(name), which this host's KVM does not have; restore it on one that has")
      missing.append(part)
    }
    let frequency = System.counterFrequency
    if processors.counterFrequency != frequency {
      note(
        "the guest's counters count at \(processors.counterFrequency) Hz, and this host's at \(frequency); restore it on "
          + "a host of the same frequency"
      )
    }
    return features.subtracting(features.subtracting(available).intersection(Self.parts))
  }

  /// What a host's KVM may not have, and a vCPU cannot be made with then.
  private static let parts: VirtualCPUFeatures = [
    .sve, .pmuV3, .pointerAuthenticationAddress, .pointerAuthenticationGeneric,
  ]

  private func memory(_ name: String, size: UInt64) throws(MachineStateError) -> ChainedMemory {
    guard let memory = snapshot.chain.memory(name), memory.description.size == size else {
      throw MachineStateError(["the snapshot has no memory '\(name)' of \(size) bytes; it is another machine's"])
    }
    return memory
  }

  /// The guest's RAM, whose pages come from the snapshot as they are touched.
  func makeRAM(_ range: GuestRange) throws -> PrivateRAM {
    let memory = try memory(MachineSnapshot.MemoryName.ram, size: range.size)
    let overlays = memory.overlays.map { PrivateRAM.Overlay(descriptor: $0.file?.descriptor, bytes: $0.bytes) }
    return try PrivateRAM(range: range, mapping: memory.base.descriptor, overlays: overlays)
  }

  /// Copies what is in windows and plugged memory.
  func fill(_ pieces: [CopiedMemory]) throws {
    for piece in pieces {
      let memory = try memory(piece.name, size: piece.range.size)
      // SAFETY: the piece lies in memory of the boot that is being assembled, which nobody else touches yet.
      try unsafe memory.read(
        into: UnsafeMutableRawBufferPointer(start: piece.hostAddress, count: Int(piece.range.size))
      )
    }
  }

  /// Gives a vCPU the vector lengths that it had. Before it is finalised.
  func restoreVectorLengths(_ vcpu: borrowing VirtualCPU) throws(KVMError) {
    guard let saved = registers[vcpu.index] else { return }
    if let problem = try VCPUState.restoreVectorLengths(saved, vcpu) { note(problem) }
  }

  /// Puts the registers of all vCPUs and the interrupt controller where they stood; where anything is refused, that is
  /// noted and nothing is written.
  ///
  /// - Throws: ``KVMError`` for what the host refuses without a reason of the snapshot's.
  func restoreProcessors(
    _ machine: borrowing VirtualMachine,
    _ runners: [VCPURunner],
    _ controller: borrowing InterruptController
  ) throws {
    let masks = WritableMasks(try machine.writableMasks())
    var plans: [(plan: RestorePlan, saved: RegisterSet)] = []
    // Linux before 6.4 has no way to set it: the guest then sees the host's.
    var canSetPhysicalCounter = false
    for (runner, saved) in zip(runners, registers) {
      guard let saved else {
        return note("the registers of vCPU \(runner.vcpu.index) are none; the snapshot is damaged")
      }
      let target = try RestorePlan.Target(runner.vcpu, masks: masks)
      canSetPhysicalCounter = target.ids.contains(.physicalCounter)
      let plan = RestorePlan(saved: saved, target: target, accepting: tolerance)
      for refusal in plan.refusals {
        if let part = Contract.row(refusal.id)?.feature, missing.contains(part) { continue }
        note(refusal.message)
      }
      plans.append((plan, saved))
    }
    guard problems.isEmpty else { return }
    for (runner, (plan, saved)) in zip(runners, plans) {
      for refusal in try plan.carryOut(on: runner.vcpu, saved: saved) { note(refusal.message) }
    }
    guard problems.isEmpty else { return }
    var affinities: [UInt64] = []
    for runner in runners { affinities.append(try runner.vcpu.register(.multiprocessorAffinity)) }
    guard try controller.restore(processors.interrupts, affinities: affinities, driven: driven) else {
      return note("the interrupt controller of the snapshot has another shape; it is damaged")
    }
    for (runner, state) in zip(runners, processors.processors) { try state.restoreEvents(runner.vcpu) }
    if canSetPhysicalCounter, let counter = plans[0].plan.physicalCounter {
      try runners[0].vcpu.setRegister(.physicalCounter, counter)
    }
  }

  /// A model that shows what a kernel fixes where its machine starts does so where it goes on.
  private var tolerance: RestorePlan.Tolerance {
    // No empty literal: of another module's set it is made by a search through all conformances.
    snapshot.configuration.knownModel?.showsFixedFields == true ? .fixedFields : RestorePlan.Tolerance(rawValue: 0)
  }

  /// The same of several vCPUs is said once.
  private func note(_ problem: String) {
    if !problems.contains(problem) { problems.append(problem) }
  }

  /// Interrupts whose lines are driven anew, by peripherals and by KVM's timers and performance monitors.
  private var driven: Set<UInt32> {
    var driven: Set<UInt32> = [32 + MemoryMap.SharedInterrupt.pl011, 32 + MemoryMap.SharedInterrupt.pl031]
    // The private ones that KVM drives. What a guest made pending of the others pends on.
    let ofKVM: [UInt32] = [
      MemoryMap.PrivateInterrupt.performanceMonitors, MemoryMap.PrivateInterrupt.hypervisorTimer,
      MemoryMap.PrivateInterrupt.virtualTimer, MemoryMap.PrivateInterrupt.physicalTimer,
    ]
    driven.formUnion(ofKVM.map { 16 + $0 })
    return driven
  }

  /// CNTVCT_EL0, from where the guest's time goes on.
  var virtualCounter: UInt64 {
    guard options.clock == .host else { return processors.virtualCounter }
    let passed = HostClock.wallNanoseconds - min(HostClock.wallNanoseconds, processors.wallTime)
    let (seconds, rest) = passed.quotientAndRemainder(dividingBy: 1_000_000_000)
    let frequency = processors.counterFrequency
    return processors.virtualCounter &+ seconds &* frequency &+ rest &* frequency / 1_000_000_000
  }

  /// What peripherals and devices were.
  ///
  /// - Throws: ``MachineStateError`` for what is no state of this machine's.
  func deviceParts(_ assembly: Assembly) throws(MachineStateError) -> [StatePart] {
    var parts: [StatePart] = []
    for piece in snapshot.pieces {
      do {
        parts.append(try assembly.decodePart(piece.name, from: StateCoding.decoder(piece.bytes)))
      } catch let error as MachineStateError {
        problems += error.problems
      } catch {
        note("\(piece.name): its state cannot be read: \(error); the snapshot is damaged")
      }
    }
    return parts
  }
}
