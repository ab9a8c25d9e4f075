internal import Gunyah

/// A doorbell and a model of it, flag by flag.
struct ExerciseDoorbell {
  private var bell: Doorbell
  private var flags: Set<Int> = []
  private var enabled = Set(0..<64)
  private var acknowledged: Set<Int> = []

  init(trigger: Doorbell.Trigger) {
    bell = Doorbell(trigger: trigger)
  }

  private static func set(_ word: UInt64) -> Set<Int> { Set((0..<64).filter { word >> UInt64($0) & 1 != 0 }) }

  private var isAsserted: Bool { !flags.isDisjoint(with: enabled) }

  mutating func step(_ operation: UInt8, _ input: inout InputBytes) {
    let isLevel = bell.trigger == .level
    switch operation % 4 {
    case 0, 1:
      let word = operation % 8 < 4 ? UInt64(input.byte()) : input.word()
      let old = flags
      guard operation % 4 == 0 else {
        flags.subtract(Self.set(word))
        let result = Result { () throws(GunyahError) in try bell.receive(clearing: word) }
        precondition(result.map(Self.set) == (word == 0 ? .failure(.argumentInvalid) : .success(old)), "a receive")
        break
      }
      let result = Result { () throws(GunyahError) in try bell.send(word) }
      guard word != 0 else {
        precondition(result == .failure(.argumentInvalid), "no flags are no send")
        break
      }
      flags.formUnion(Self.set(word))
      let line: Doorbell.Line = isLevel ? isAsserted ? .raise : .unchanged : .pulse
      if isAsserted { flags.subtract(acknowledged) }
      precondition(result.map(\.line) == .success(line), "a send's interrupt")
      precondition(result.map { Self.set($0.oldFlags) } == .success(old), "a send tells what was set")
    case 2:
      let was = isAsserted
      let (enable, acknowledge) = (input.word(), input.word())
      (enabled, acknowledged) = (Self.set(enable), Self.set(acknowledge))
      let line: Doorbell.Line =
        switch (was, isAsserted) {
        case (true, false): isLevel ? .lower : .unchanged
        case (false, true): isLevel ? .raise : .pulse
        default: .unchanged
        }
      if isAsserted { flags.subtract(acknowledged) }
      precondition(bell.mask(enable: enable, acknowledge: acknowledge) == line, "a mask's interrupt")
    default:
      (flags, enabled, acknowledged) = ([], Set(0..<64), [])
      precondition(bell.reset() == (isLevel ? .lower : .unchanged), "a reset takes the line down")
    }
    precondition(Self.set(bell.flags) == flags && bell.isAsserted == isAsserted, "the flags are the model's")
  }
}
