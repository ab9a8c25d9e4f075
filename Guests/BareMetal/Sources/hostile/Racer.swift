internal import Support
internal import Synchronization
internal import VirtioDriver

/// The second vCPU, which changes memory while the first one has the device read it. Between races it is off: the
/// host's processors are for the device then.
struct Racer {
  private enum Order {
    static let peace: UInt64 = 0
    static let flip: UInt64 = 1
    static let spoil: UInt64 = 2
  }

  private static let order = Atomic<UInt64>(Order.peace)
  private static let isRunning = Atomic<Bool>(false)
  /// How often it has written.
  private static let turns = Atomic<UInt64>(0)
  private static let address = Atomic<UInt64>(0)
  private static let width = Atomic<UInt64>(0)
  private static let good = Atomic<UInt64>(0)
  private static let bad = Atomic<UInt64>(0)

  private let processor: UInt64
  private let firmware = Firmware()

  /// The second vCPU, or `nil` if there is none.
  init?() {
    let node = DeviceTree.current.firstNode { node in
      (node["device_type"]?.contains(text: "cpu") ?? false) && node.address() != Processor.affinity
    }
    guard let processor = node?.address() else { return nil }
    self.processor = processor
  }

  /// Has it store the two values of `flip` in turn, and waits until it does.
  ///
  /// - Returns: whether it does.
  func begin(_ flip: HostileRace.Flip) -> Bool {
    Self.address.store(flip.address, ordering: .relaxed)
    Self.width.store(UInt64(flip.width), ordering: .relaxed)
    Self.good.store(flip.good, ordering: .relaxed)
    Self.bad.store(flip.bad, ordering: .relaxed)
    return begin(Order.flip)
  }

  /// Has it write anything anywhere in the queue and the requests at `area`, and waits until it does.
  ///
  /// - Returns: whether it does.
  func beginSpoiling(_ area: UInt64) -> Bool {
    Self.address.store(area, ordering: .relaxed)
    return begin(Order.spoil)
  }

  private func begin(_ newOrder: UInt64) -> Bool {
    let before = Self.turns.load(ordering: .relaxed)
    Self.order.store(newOrder, ordering: .relaxed)
    Self.isRunning.store(true, ordering: .releasing)
    // It may not be off yet from the last race.
    return wait(milliseconds: 10_000) { firmware.cpuOn(processor, index: 1) == 0 }
      && wait(milliseconds: 10_000) { Self.turns.load(ordering: .relaxed) != before }
  }

  /// Has it stop; nothing changes any more after that.
  ///
  /// - Returns: whether it did.
  func end() -> Bool {
    Self.order.store(Order.peace, ordering: .releasing)
    return wait(milliseconds: 10_000) { !Self.isRunning.load(ordering: .acquiring) }
  }

  /// What the second vCPU does until there is peace.
  static func run() {
    var random = turns.load(ordering: .relaxed) | 1
    while true {
      switch order.load(ordering: .acquiring) {
      case Order.flip: flipOften()
      case Order.spoil:
        let area = address.load(ordering: .relaxed)
        for _ in 0..<64 { spoil(area, &random) }
      default:
        isRunning.store(false, ordering: .releasing)
        return
      }
      turns.add(1, ordering: .relaxed)
    }
  }

  /// Each value is the last one every other time, which stands a while longer.
  private static func flipOften() {
    let isBadLast = turns.load(ordering: .relaxed) & 1 == 1
    let (good, bad) = (good.load(ordering: .relaxed), bad.load(ordering: .relaxed))
    let flip = HostileRace.Flip(
      address: address.load(ordering: .relaxed),
      width: Int(width.load(ordering: .relaxed)),
      good: isBadLast ? bad : good,
      bad: isBadLast ? good : bad
    )
    let machine = MappedMachine(registers: 0, windowStart: 0, windowSize: 0)
    for _ in 0..<64 { flip.store(on: machine) }
  }

  /// Mostly plausible values, so that the device gets past its first check before something changes.
  private static func spoil(_ area: UInt64, _ random: inout UInt64) {
    random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    let choice = random >> 33
    let descriptor = UInt(area + 16 * (choice & 3))
    let availableRing = UInt(area + 16 * UInt64(Target.queueSize))
    switch choice >> 2 & 7 {
    case 0: DeviceRegister(descriptor).write64(choice & 0x100 == 0 ? area + 0x1000 : random)
    case 1: DeviceRegister(descriptor).write64(area + 0x1000)
    case 2: DeviceRegister(descriptor + 8).write32(choice & 0xF00 == 0 ? .max : 16)
    case 3: DeviceRegister(descriptor + 12).write16(UInt16(choice >> 8 & 7))
    case 4: DeviceRegister(descriptor + 14).write16(UInt16(choice >> 8 & 3))
    case 5: DeviceRegister(UInt(area + 0x1000)).write32(UInt32(choice >> 8 & 15))
    case 6: DeviceRegister(availableRing + 4 + 2 * UInt(choice >> 8 & 15)).write16(UInt16(choice >> 12 & 3))
    default:
      let index = DeviceRegister(availableRing + 2)
      index.write16(index.read16() &+ 1)
    }
  }
}

@_cdecl("guest_secondary")
func secondary(index: UInt64) {
  Racer.run()
  Firmware().cpuOff()
}
