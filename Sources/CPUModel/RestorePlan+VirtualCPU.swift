internal import Glibc
package import KVM

extension RestorePlan.Target {
  /// Looks at a vCPU after its features were finalised and before anything was written.
  ///
  /// - Parameters:
  ///   - vcpu: the vCPU that is to go on as a saved one.
  ///   - masks: what ``KVM/VirtualMachine/writableMasks()`` told.
  ///   - canChangeImplementation: whether KVM_CAP_ARM_WRITABLE_IMP_ID_REGS was enabled.
  /// - Throws: a ``KVM/KVMError`` where KVM tells of no registers.
  package init(
    _ vcpu: borrowing VirtualCPU,
    masks: WritableMasks,
    canChangeImplementation: Bool = false
  ) throws(KVMError) {
    let ids = try vcpu.registerList()
    var values = RegisterSet()
    var bytes: [UInt8] = []
    for id in ids where RestorePlan.needsValue(id) {
      bytes.removeAll(keepingCapacity: true)
      try vcpu.appendRegister(id, to: &bytes)
      values.append(id, bytes: bytes)
    }
    self.init(ids: ids, values: values, masks: masks, canChangeImplementation: canChangeImplementation)
  }
}

extension RestorePlan {
  /// Writes the plan's registers into the vCPU that it was made of. Counters are left to the caller.
  ///
  /// - Parameters:
  ///   - vcpu: the vCPU, which has not run.
  ///   - saved: the registers that the plan was made of.
  /// - Returns: what the kernel refused, or took and reads back otherwise. None where all is as it was.
  /// - Throws: a ``KVM/KVMError`` where a register cannot be read.
  package func carryOut(on vcpu: borrowing VirtualCPU, saved: RegisterSet) throws(KVMError) -> [Difference] {
    var refused: [Difference] = []
    for write in writes {
      do throws(KVMError) {
        switch write.content {
        case .value(let value): try vcpu.setRegister(write.id, value)
        case .saved(let place): try vcpu.setRegister(write.id, bytes: saved.bytes.span.extracting(place))
        }
      } catch {
        if !write.mayFail { refused.append(try Self.refusal(write, error, on: vcpu, saved: saved)) }
        continue
      }
      // Firmware and identification are taken as they are asked for, or dropped without a word.
      guard case .value(let value) = write.content, !write.mayFail, let row = Contract.row(write.id) else { continue }
      guard row.kind != .ignored else { continue }
      let there = try vcpu.register(write.id)
      if (there ^ value) & row.mask != 0 {
        let name = SystemRegisters.name(write.id)
        let message = "\(name) must be \(value.hexadecimal); this kernel makes it \(there.hexadecimal)"
        refused.append(Difference(id: write.id, message: message))
      }
    }
    return refused
  }

  private static func refusal(
    _ write: Write,
    _ error: KVMError,
    on vcpu: borrowing VirtualCPU,
    saved: RegisterSet
  ) throws(KVMError) -> Difference {
    let name = SystemRegisters.name(write.id)
    guard write.id.size <= 8 else {
      return Difference(id: write.id, message: "\(name) cannot be as it was: \(error)")
    }
    let wanted: UInt64
    switch write.content {
    case .value(let value): wanted = value
    case .saved: wanted = saved.value(of: write.id) ?? 0
    }
    let there = try vcpu.register(write.id)
    return Difference(
      id: write.id,
      message: "\(name) must be \(wanted.hexadecimal); this kernel keeps \(there.hexadecimal)"
    )
  }
}
