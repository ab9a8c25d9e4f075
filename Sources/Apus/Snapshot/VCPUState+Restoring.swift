import Host
import KVM

extension ProcessorsState {
  /// The registers that only the host decides or that are written apart.
  private enum Apart {
    /// Written last, on one vCPU for all.
    static let counters: Set<RegisterID> = [.virtualCounter, .physicalCounter]
    /// PMCNTENCLR_EL0, PMOVSCLR_EL0 and PMINTENCLR_EL1: each shows what another one sets, and Linux 6.12 takes a write
    /// as one of the guest's, which clears.
    static let clearing: Set<RegisterID> = [
      .system(3, 3, 9, 12, 2), .system(3, 3, 9, 12, 3), .system(3, 0, 9, 14, 2),
    ]
    /// Written before the vCPU is finalised.
    static let early: Set<RegisterID> = [.vectorLengths]
  }

  /// Restricts the vector lengths to those that the vCPU had. Before ``VirtualCPU/finalizeSVE()``.
  ///
  /// - Returns: why that is refused, or nil.
  func restoreVectorLengths(_ vcpu: borrowing VirtualCPU) -> String? {
    for register in SavedRegisters(processors[vcpu.index].registers) where register.id == .vectorLengths {
      do {
        try vcpu.setRegister(register.id, bytes: [UInt8](register.bytes).span)
      } catch {
        return "needs SVE lengths \(Self.lengths(register.bytes)) bits, which this host's SVE does not have all"
      }
    }
    return nil
  }

  /// The lengths of a set of vector lengths, in bits.
  private static func lengths(_ set: ArraySlice<UInt8>) -> String {
    var lengths: [String] = []
    for (index, byte) in set.enumerated() {
      for bit in 0..<8 where byte & 1 << UInt8(bit) != 0 { lengths.append("\(128 * (8 * index + bit + 1))") }
    }
    return lengths.joined(separator: ", ")
  }

  /// Gives a vCPU its registers. Of one that never ran, after the interrupt controller was initialised.
  ///
  /// - Returns: what the host refuses.
  func restoreRegisters(_ vcpu: borrowing VirtualCPU) throws(KVMError) -> [String] {
    let list = Set(try vcpu.registerList())
    var refusals: [String] = []
    for register in SavedRegisters(processors[vcpu.index].registers) {
      let id = register.id
      if Apart.counters.contains(id) || Apart.clearing.contains(id) || Apart.early.contains(id) { continue }
      guard list.contains(id) else {
        if !register.isZero { refusals.append("needs register \(id), which this host's KVM does not have") }
        continue
      }
      do throws(KVMError) {
        try vcpu.setRegister(id, bytes: [UInt8](register.bytes).span)
      } catch {
        // What has this value already is no matter of setting it.
        let present = id.size <= 8 ? try vcpu.register(id) : nil
        guard present != register.value || present == nil else { continue }
        let values = (register.value.map(hexadecimalNumber), present.map(hexadecimalNumber))
        refusals.append("register \(id) must be \(values.0 ?? "as it was"); this host fixes \(values.1 ?? "another")")
      }
    }
    return refusals
  }

  /// What is left for when all registers and the interrupt controller are there.
  func restoreEvents(_ vcpu: borrowing VirtualCPU) throws(KVMError) {
    let state = processors[vcpu.index]
    // What pends with a vCPU that has none is what it begins with.
    if state.hasSError || state.isExternalAbortPending { try vcpu.setEvents(state.events) }
    try vcpu.setMultiprocessorState(MultiprocessorState(rawValue: state.multiprocessorState))
  }

  /// Has the physical counter go on from where it was, where KVM lets it.
  func restorePhysicalCounter(_ vcpu: borrowing VirtualCPU) throws(KVMError) {
    guard let physicalCounter, try vcpu.registerList(where: { $0 == .physicalCounter }) != [] else { return }
    try vcpu.setRegister(.physicalCounter, physicalCounter)
  }
}
