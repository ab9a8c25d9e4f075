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
  /// What does not match on this host, as far as it has been looked at: all of it is told at once.
  private(set) var problems: [String] = []

  init(_ snapshot: MachineSnapshot, _ options: MachineSnapshot.Options) {
    self.snapshot = snapshot
    self.options = options
  }

  /// What of devices is to be otherwise.
  var wishes: RestoreWishes {
    RestoreWishes(acceptsOtherDisks: options.acceptsOtherDisks, restoresSharedPlatform: options.restoresPlatform)
  }

  // MARK: In the order in which a machine is assembled

  /// The version of the interrupt controller.
  var gic: Configuration.GIC { processors.interrupts.version == 2 ? .v2 : .v3 }

  /// The features that the vCPUs had.
  ///
  /// - Parameters:
  ///   - available: what the host has.
  ///   - machine: for what else it has.
  /// - Throws: ``MachineStateError`` for what is missing: without it nothing else can be looked at.
  func features(
    available: VirtualCPUFeatures,
    _ machine: borrowing VirtualMachine
  ) throws(MachineStateError) -> VirtualCPUFeatures {
    let features = VirtualCPUFeatures(rawValue: processors.features)
    var missing: [String] = []
    if !machine.supports(gic == .v2 ? .vgicV2 : .vgicV3) {
      missing.append(
        "the guest was given a GIC\(gic.rawValue), which this host's KVM does not have; restore it on one that has"
      )
    }
    let names: [(VirtualCPUFeatures, String)] = [
      (.sve, "SVE"), (.pmuV3, "PMUv3"), (.pointerAuthenticationAddress, "pointer authentication"),
    ]
    for (feature, name) in names where features.contains(feature) && !available.contains(feature) {
      missing.append("the guest was given \(name), which this host's KVM does not have; restore it on one that has")
    }
    let frequency = System.counterFrequency
    if processors.counterFrequency != frequency {
      missing.append(
        "the guest's counters count at \(processors.counterFrequency) Hz, and this host's at \(frequency); restore it on "
          + "a host of the same frequency"
      )
    }
    guard missing.isEmpty else { throw MachineStateError(missing) }
    return features
  }

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
    if let problem = try processors.processors[vcpu.index].restoreVectorLengths(vcpu) { note(problem) }
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
    for (runner, state) in zip(runners, processors.processors) {
      guard let saved = state.registerSet else {
        return note("the registers of vCPU \(runner.vcpu.index) are none; the snapshot is damaged")
      }
      let target = try RestorePlan.Target(runner.vcpu, masks: masks)
      let plan = RestorePlan(saved: saved, target: target, accepting: tolerance)
      for refusal in plan.refusals { note(refusal.message) }
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
    // Linux before 6.4 has no way to set it: the guest then sees the host's.
    let canBeSet = try !runners[0].vcpu.registerList { $0 == .physicalCounter }.isEmpty
    if canBeSet, let counter = plans[0].plan.physicalCounter {
      try runners[0].vcpu.setRegister(.physicalCounter, counter)
    }
  }

  /// A model that shows what a kernel fixes where its machine starts does so where it goes on.
  private var tolerance: RestorePlan.Tolerance {
    snapshot.configuration.knownModel?.showsFixedFields == true ? .fixedFields : []
  }

  /// The same of several vCPUs is said once.
  private func note(_ problem: String) {
    if !problems.contains(problem) { problems.append(problem) }
  }

  /// Interrupts whose lines are driven anew, by peripherals and by KVM's timers and performance monitors.
  private var driven: Set<UInt32> {
    var driven: Set<UInt32> = [32 + MemoryMap.SharedInterrupt.pl011, 32 + MemoryMap.SharedInterrupt.pl031]
    // Every private interrupt that KVM drives.
    driven.formUnion(16..<32)
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
