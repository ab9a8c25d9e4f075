import Gunyah
import KVM

extension GunyahGuest {
  /// Answers a call as ``answer(_:number:)`` does, and writes it down. On the vCPU's thread.
  ///
  /// - Throws: where KVM does not give or take a register.
  func recordAnswer(_ vcpu: borrowing VirtualCPU, number: UInt32) throws(KVMError) {
    let call = CallNumber(x0: UInt64(number))
    let arguments = try registers(vcpu, call?.argumentNames.count ?? 0)
    let moved = MovedMessage()
    try answer(vcpu, number: number, moved)
    let result = Int64(bitPattern: try vcpu.register(.general(0)))
    var record = GunyahRecord.Call(number: UInt64(number), arguments: arguments, result: result, outputs: [])
    if let call, result == 0 || call.givesValue { record.outputs = try registers(vcpu, call.outputNames.count) }
    // A copy into the guest's memory that failed half-way has moved nothing.
    if result == 0 { record.bytes = moved.bytes }
    record.peer = arguments.first.flatMap { peer(of: CapabilityID(rawValue: $0)) }?.rawValue
    self.record?.record(.call(record), of: vmid, vcpu: vcpu.index)
  }

  /// x1 and those behind it.
  private func registers(_ vcpu: borrowing VirtualCPU, _ count: Int) throws(KVMError) -> [UInt64] {
    var values: [UInt64] = []
    for index in 0..<count { values.append(try vcpu.register(.general(1 + index))) }
    return values
  }
}
