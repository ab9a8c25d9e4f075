/// A driver's way through a device's registers (virtio 1.3, 3.1 and 4.2.3).
public struct Driver<Machine: DriverMachine> {
  public let machine: Machine

  public init(_ machine: Machine) {
    self.machine = machine
  }

  public func read(_ register: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: machine.readRegister(register, width: 4))
  }

  public func write(_ value: UInt32, to register: UInt64) { machine.writeRegister(register, width: 4, UInt64(value)) }

  public var status: UInt32 { read(Register.status) }

  public var interruptStatus: UInt32 { read(Register.interruptStatus) }

  public func reset() { write(0, to: Register.status) }

  public func addStatus(_ bits: UInt32) { write(status | bits, to: Register.status) }

  public var offeredFeatures: UInt64 {
    write(0, to: Register.deviceFeaturesSel)
    let low = read(Register.deviceFeatures)
    write(1, to: Register.deviceFeaturesSel)
    return UInt64(low) | UInt64(read(Register.deviceFeatures)) << 32
  }

  public func writeFeatures(_ features: UInt64) {
    write(0, to: Register.driverFeaturesSel)
    write(UInt32(truncatingIfNeeded: features), to: Register.driverFeatures)
    write(1, to: Register.driverFeaturesSel)
    write(UInt32(truncatingIfNeeded: features >> 32), to: Register.driverFeatures)
  }

  /// From reset to the end of feature negotiation.
  ///
  /// - Returns: whether the device agreed.
  public func negotiate(_ features: UInt64) -> Bool {
    reset()
    addStatus(Status.acknowledge)
    addStatus(Status.driver)
    writeFeatures(features)
    addStatus(Status.featuresOK)
    return status & Status.featuresOK != 0
  }

  /// Writes a queue's numbers, without making it ready.
  public func describe(_ queue: DriverQueue<Machine>) {
    write(UInt32(queue.index), to: Register.queueSel)
    write(UInt32(queue.size), to: Register.queueSize)
    write(UInt32(truncatingIfNeeded: queue.descriptorTable), to: Register.queueDescLow)
    write(UInt32(truncatingIfNeeded: queue.descriptorTable >> 32), to: Register.queueDescHigh)
    write(UInt32(truncatingIfNeeded: queue.driverArea), to: Register.queueDriverLow)
    write(UInt32(truncatingIfNeeded: queue.driverArea >> 32), to: Register.queueDriverHigh)
    write(UInt32(truncatingIfNeeded: queue.deviceArea), to: Register.queueDeviceLow)
    write(UInt32(truncatingIfNeeded: queue.deviceArea >> 32), to: Register.queueDeviceHigh)
  }

  /// Sets a queue up and makes it ready.
  ///
  /// - Returns: whether the device took it.
  public func enable(_ queue: DriverQueue<Machine>) -> Bool {
    describe(queue)
    write(1, to: Register.queueReady)
    return read(Register.queueReady) == 1
  }

  public func start() { addStatus(Status.driverOK) }

  public func notify(_ queue: Int) { write(UInt32(queue), to: Register.queueNotify) }
}
