import Gunyah
import GunyahFile

/// Lines of a short session for tests: times in nanoseconds.
enum Session {
  static func call(
    _ sequence: UInt64,
    _ time: UInt64,
    _ call: Hypercall,
    _ arguments: [UInt64],
    result: Int64 = 0,
    _ outputs: [UInt64] = [],
    bytes: [UInt8]? = nil,
    peer: UInt16? = nil,
    name: String = "a",
    machine: UInt16 = 3
  ) -> GunyahLine {
    let number = UInt64(CallNumber.firstHypercall) + UInt64(call.rawValue)
    let content = GunyahRecord.Call(
      number: number,
      arguments: arguments,
      result: result,
      outputs: outputs,
      bytes: bytes,
      peer: peer
    )
    let record = GunyahRecord(time: time, machine: machine, vcpu: 0, content: .call(content))
    return GunyahLine(sequence: sequence, name: name, record: record)
  }

  static func message(
    _ sequence: UInt64,
    _ time: UInt64,
    _ kind: GunyahRecord.Message.Kind,
    _ id: MessageID,
    _ payload: [UInt8],
    name: String = "a",
    machine: UInt16 = 3
  ) -> GunyahLine {
    let content = GunyahRecord.Message(
      direction: kind == .request ? .toManager : .fromManager,
      kind: kind,
      identifier: id.rawValue,
      sequence: kind == .notification ? 0 : 7,
      payload: payload
    )
    return GunyahLine(
      sequence: sequence,
      name: name,
      record: GunyahRecord(time: time, machine: machine, content: .message(content))
    )
  }

  /// A machine is made and started, tells its state, and gets a message and a ring.
  static let lines = [
    call(0, 1_500, .messageQueueSend, [0xABC, 12, 0x4400_0000, 1], [1], bytes: Array(0..<12), peer: 0xFF),
    message(1, 2_000, .request, .allocate, [0, 0, 0, 0]),
    message(2, 3_250, .reply, .allocate, [0, 0, 0, 0, 128, 0, 0, 0]),
    call(3, 9_000, .messageQueueReceive, [0xABD, 0x4400_0000, 240], result: 60, peer: 0xFF),
    call(4, 9_100, .messageQueueReceive, [0xABD, 0x4400_0000, 240], result: 60, peer: 0xFF),
    message(5, 12_000, .request, .start, [128, 0, 0, 0]),
    message(6, 12_345, .reply, .start, [20, 0, 0, 0]),
    message(7, 1_000_001, .notification, .machineStatus, [128, 0, 0, 0, 3, 1, 0, 0]),
    call(8, 1_000_100, .messageQueueSend, [0xAC0, 2, 0x4400_0000, 0], [1], bytes: [1, 2], peer: 128),
    call(
      9,
      1_000_200,
      .messageQueueReceive,
      [0xF, 0x4030_0000, 240],
      [2, 0],
      bytes: [1, 2],
      peer: 3,
      name: "a/128",
      machine: 128
    ),
    call(10, 1_000_300, .doorbellSend, [0xAC1, 0x10], [0], peer: 128),
    call(11, 1_000_400, .identify, [], result: 0x4800_0000_0000_8001, [0x866, 0, 0]),
  ]
}
