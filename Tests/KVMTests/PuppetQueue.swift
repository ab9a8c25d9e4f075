import GuestABI
import GuestMemory
import GunyahSupport
import Testing
import VirtioDriver

/// The first device's first virtqueue, of one buffer at a time, that a puppet drives from this side.
struct PuppetQueue {
  /// What came of a buffer.
  enum Answer: Equatable {
    /// The device has written as many bytes.
    case used(UInt64)
    /// The device wants a reset, and has used nothing.
    case needsReset
  }

  private static let size: UInt64 = 8
  /// VIRTQ_DESC_F_WRITE (virtio 1.3, 2.7.5).
  private static let writeFlag: UInt64 = 2
  private static let registers = MemoryMap.virtio.start.rawValue
  /// The buffer's length in bytes.
  static let length: UInt64 = 64

  private let puppet: Puppet
  private let start: UInt64
  private var next: UInt64 = 0

  private var driverArea: UInt64 { start + 16 * Self.size }
  private var deviceArea: UInt64 { start + 0x100 }
  /// Memory that the device reaches, for one buffer.
  var reachable: UInt64 { start + 0x200 }

  /// Takes the device from its reset to the end of its setup.
  ///
  /// - Parameter start: of memory that the device reaches.
  init(_ puppet: Puppet, at start: UInt64) async throws {
    self.puppet = puppet
    self.start = start
    _ = try await puppet.fill(start, 0x200, with: 0)
    try await write(0, Register.status)
    try await write(Status.acknowledge | Status.driver, Register.status)
    try await write(1, Register.driverFeaturesSel)
    try await write(UInt32((Feature.version1 | Feature.accessPlatform) >> 32), Register.driverFeatures)
    let agreed = Status.acknowledge | Status.driver | Status.featuresOK
    try await write(agreed, Register.status)
    try await write(UInt32(Self.size), Register.queueSize)
    let areas = [
      (start, Register.queueDescLow, Register.queueDescHigh),
      (driverArea, Register.queueDriverLow, Register.queueDriverHigh),
      (deviceArea, Register.queueDeviceLow, Register.queueDeviceHigh),
    ]
    for (area, low, high) in areas {
      try await write(UInt32(truncatingIfNeeded: area), low)
      try await write(UInt32(truncatingIfNeeded: area >> 32), high)
    }
    try await write(1, Register.queueReady)
    try await write(agreed | Status.driverOK, Register.status)
  }

  /// Has the device write to a buffer, and waits for what comes of it.
  mutating func fill(_ address: UInt64) async throws -> Answer {
    _ = try await puppet.store(address, at: start)
    _ = try await puppet.store(Self.writeFlag << 32 | Self.length, at: start + 8)
    let place = next % Self.size
    _ = try await puppet.store(0, at: driverArea + 4 + 2 * place, bytes: 2)
    next += 1
    _ = try await puppet.store(next, at: driverArea + 2, bytes: 2)
    try await write(0, Register.queueNotify)
    while true {
      let status = try await number(Self.registers + Register.status, bytes: 4)
      if try await number(deviceArea + 2, bytes: 2) == next {
        return .used(try await number(deviceArea + 4 + 8 * place + 4, bytes: 4))
      }
      if status & UInt64(Status.deviceNeedsReset) != 0 { return .needsReset }
    }
  }

  private func write(_ value: UInt32, _ register: UInt64) async throws {
    let access = try await puppet.store(UInt64(value), at: Self.registers + register, bytes: 4)
    #expect(access.exceptionClass == nil, "register \(String(register, radix: 16))")
  }

  private func number(_ address: UInt64, bytes: UInt64) async throws -> UInt64 {
    let access = try await puppet.load(address, bytes: bytes)
    guard case .done(let value) = access else { throw Abort(access: access) }
    return value
  }

  /// A load that has to work was an abort.
  private struct Abort: Error {
    let access: Puppet.Access
  }
}
