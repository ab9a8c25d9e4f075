internal import Support
internal import VirtioDriver

// What a target gets to do in races, and how it shows whether the device kept to its window.

extension Target {
  struct RacedRequest {
    var count: UInt16
    /// That with the data; another one follows it.
    var descriptor: UInt16
  }

  /// What the requests write, and the only thing that may stand in the first sector afterwards.
  private static var pattern: UInt32 { 0x600D_600D }
  /// What stands outside the window, and nowhere else ever.
  private static var secret: UInt32 { 0x5EC2_E75E }
  /// In words of 4 bytes.
  private static var outsideSize: UInt64 { 1024 }

  /// RAM that is in no window: 4 MiB before it, where neither the guest nor its device tree is.
  var outside: UInt64 { driver.machine.windowStart - 0x40_0000 }

  /// Fills memory outside the window with the secret, and a disk's first sector with the pattern.
  mutating func prepareOutside() {
    let machine = driver.machine
    for word in 0..<Self.outsideSize { machine.store32(Self.secret, at: outside + 4 * word) }
    if kind == .block, start() { _ = transfer(writing: true, Self.pattern) }
  }

  func isOutsideAsItWas() -> Bool {
    for word in 0..<Self.outsideSize where driver.machine.load32(outside + 4 * word) != Self.secret { return false }
    return true
  }

  /// Whether nothing but the pattern is in a disk's first sector. The device has just been started.
  mutating func hasKeptSecret() -> Bool {
    guard kind == .block else { return true }
    for word in 0..<UInt64(128) { driver.machine.store32(0, at: data + 4 * word) }
    guard transfer(writing: false) else { return false }
    for word in 0..<UInt64(128) where driver.machine.load32(data + 4 * word) != Self.pattern { return false }
    return true
  }

  /// Makes a good request available without notifying: two buffers for random bytes, or the first sector. The device
  /// has just been started.
  mutating func offerRaced(writing: Bool) -> RacedRequest {
    typealias Queue = DriverQueue<MappedMachine>
    switch kind {
    case .entropy:
      queue.writeDescriptor(0, buffer, 32, flags: Queue.nextFlag | Queue.writeFlag, next: 1)
      queue.writeDescriptor(1, buffer + 512, 32, flags: Queue.writeFlag)
      queue.offer(0)
      return RacedRequest(count: 2, descriptor: 0)
    case .block:
      for word in 0..<UInt64(128) { driver.machine.store32(Self.pattern, at: data + 4 * word) }
      writeTransfer(writing: writing)
      queue.offer(0)
      return RacedRequest(count: 3, descriptor: 1)
    }
  }

  /// Whether a request that was answered was answered well.
  var racedRequestSucceeded: Bool { kind == .entropy || driver.machine.load8(buffer + 16) == 0 }
}
