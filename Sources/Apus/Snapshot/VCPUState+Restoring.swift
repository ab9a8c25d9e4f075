import CPUModel
import Host
import KVM

extension VCPUState {
  /// Restricts a vCPU's vector lengths to those that it had. Before ``VirtualCPU/finalizeSVE()``.
  ///
  /// - Parameter saved: the vCPU's registers.
  /// - Returns: why that cannot be, or nil.
  static func restoreVectorLengths(_ saved: RegisterSet, _ vcpu: borrowing VirtualCPU) throws(KVMError) -> String? {
    guard let content = saved.content(of: .vectorLengths) else { return nil }
    let lengths = VectorLengths(register: content)
    var offered: [UInt8] = []
    try vcpu.appendRegister(.vectorLengths, to: &offered)
    let host = VectorLengths(register: offered[...])
    guard lengths.canBeGiven(by: host) else { return lengths.refusal(host) }
    try vcpu.setRegister(.vectorLengths, bytes: lengths.register.span)
    return nil
  }

  /// What is left for when all registers and the interrupt controller are there.
  func restoreEvents(_ vcpu: borrowing VirtualCPU) throws(KVMError) {
    // What pends with a vCPU that has none is what it begins with.
    if hasSError || isExternalAbortPending { try vcpu.setEvents(events) }
    try vcpu.setMultiprocessorState(MultiprocessorState(rawValue: multiprocessorState))
  }
}
