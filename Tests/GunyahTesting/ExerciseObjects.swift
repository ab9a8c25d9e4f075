internal import Gunyah

/// Does with the hypervisor's objects what some bytes say, and looks at each step that they do as simple models of
/// them do.
public enum ExerciseObjects {
  /// How many kinds of objects there are, which the first byte chooses among.
  public static var kindCount: UInt8 { 4 }

  /// - Parameter bytes: the first one chooses the object; those behind it are its shape, and the steps.
  public static func run(_ bytes: [UInt8]) {
    var input = InputBytes(bytes)
    switch input.byte() % kindCount {
    case 0:
      var exercise = ExerciseQueue(&input)
      while !input.isAtEnd { exercise.step(input.byte(), &input) }
    case 1:
      var exercise = ExerciseDoorbell(trigger: input.byte() % 2 == 0 ? .edge : .level)
      while !input.isAtEnd { exercise.step(input.byte(), &input) }
    case 2:
      var exercise = ExerciseCapabilities(&input)
      while !input.isAtEnd { exercise.step(input.byte(), &input) }
    default:
      var exercise = ExerciseRendezvous(isOn: input.byte() % 2 == 0)
      while !input.isAtEnd { exercise.step(input.byte(), &input) }
    }
  }

  /// A queue that is filled, emptied and configured; a doorbell of each kind; a table that is filled; a vCPU that reads
  /// and ends.
  public static var seeds: [[UInt8]] {
    [seed(of: queue), seed(of: bell(0)), seed(of: bell(1)), seed(of: table), seed(of: rendezvous)]
  }

  private static func seed(of steps: [[UInt8]]) -> [UInt8] { steps.flatMap(\.self) }

  /// Of room for 4 messages of 241 bytes: the thresholds that there are, and a bad delay.
  private static var queue: [[UInt8]] {
    let configure: [[UInt8]] = [[6, 0, 2, 255], [6, 1, 4, 255], [6, 1, 254, 255], [6, 1, 0, 5]]
    var steps: [[UInt8]] = [[0, 3, 60]]
    steps += configure
    for _ in 0..<5 { steps.append([0, 0, 9, 1]) }
    for _ in 0..<5 { steps.append([3, 0, 99]) }
    steps.append([7])
    return steps
  }

  private static func bell(_ trigger: UInt8) -> [[UInt8]] {
    [[1, trigger], [0, 1], [2], [UInt8](repeating: 1, count: 16), [0, 3], [1, 1], [3]]
  }

  private static var table: [[UInt8]] {
    var steps: [[UInt8]] = [[2, 3], [UInt8](repeating: 1, count: 16)]
    for _ in 0..<2 { steps.append([0, 3, 1]) }
    steps += [[6, 3, 0, 1], [3, 0, 0], [6, 3, 0, 1], [4, 0, 1], [5, 0, 200]]
    for _ in 0..<4 { steps.append([0, 3, 1]) }
    return steps
  }

  private static var rendezvous: [[UInt8]] {
    let run: [UInt8] = [0, 3, 3, 3, 3, 3, 3, 3, 3]
    let read: [UInt8] = [4, 2, 2, 2, 2, 2, 2, 2, 2, 4]
    return [[3, 0], read, run, run, run, [6, 0], run, [7], run, [6, 255], run]
  }
}
