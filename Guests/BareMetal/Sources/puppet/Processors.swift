internal import Support
internal import Synchronization

/// One bit for each vCPU: it has a line to do.
private let posted = Atomic<UInt64>(0)
/// One bit for each vCPU: it has done its line.
private let finished = Atomic<UInt64>(0)

/// Further vCPUs, which do the lines that the first one posts.
enum Processors {
  /// Starts the vCPU `index` of the device tree: PSCI's status, or `nil` where there is none.
  static func start(_ index: UInt64) -> UInt64? {
    guard 1..<Memory.processors ~= index else { return nil }
    var left = index
    let node = DeviceTree.current.firstNode { node in
      guard node["device_type"]?.contains(text: "cpu") ?? false, let processor = node.address(),
        processor != Processor.affinity
      else { return false }
      left -= 1
      return left == 0
    }
    return node?.address().map { UInt64(bitPattern: Firmware().cpuOn($0, index: index)) }
  }

  private static func length(_ index: UInt64) -> DeviceRegister { DeviceRegister(Memory.lengths + 8 * UInt(index)) }

  /// Gives a line to a vCPU that has none.
  static func post(_ line: Line, to index: UInt64) -> Bool {
    guard 1..<Memory.processors ~= index, posted.load(ordering: .acquiring) >> index & 1 == 0 else { return false }
    for offset in 0..<UInt(line.count) {
      let character = DeviceRegister(line.address + offset).read8()
      DeviceRegister(Memory.line(of: index) + offset).write8(character)
    }
    length(index).write64(UInt64(line.count))
    _ = finished.bitwiseAnd(~(1 << index), ordering: .relaxed)
    _ = posted.bitwiseOr(1 << index, ordering: .releasing)
    Processor.sendEvent()
    return true
  }

  /// Waits until the line is done that a vCPU was given.
  static func answer(of index: UInt64) -> Answer? {
    guard 1..<Memory.processors ~= index else { return nil }
    let bit = UInt64(1) << index
    guard (posted.load(ordering: .acquiring) | finished.load(ordering: .acquiring)) & bit != 0 else { return nil }
    while finished.load(ordering: .acquiring) & bit == 0 { Interrupts.wait(milliseconds: 10) }
    return Answer(at: Memory.answer(of: index), count: Int(length(index).read64()))
  }

  /// Does line after line on the vCPU that calls.
  static func serve(_ index: UInt64) -> Never {
    let bit = UInt64(1) << index
    var commands = Commands()
    while true {
      while posted.load(ordering: .acquiring) & bit == 0 { Interrupts.wait(milliseconds: 10) }
      let line = Line(at: Memory.line(of: index), count: Int(length(index).read64()))
      var answer = Answer(at: Memory.answer(of: index))
      commands.execute(line, &answer)
      length(index).write64(UInt64(answer.count))
      _ = posted.bitwiseAnd(~bit, ordering: .relaxed)
      _ = finished.bitwiseOr(bit, ordering: .releasing)
    }
  }
}

@_cdecl("guest_secondary")
func secondary(index: UInt64) {
  Interrupts.startOther()
  Processors.serve(index)
}
