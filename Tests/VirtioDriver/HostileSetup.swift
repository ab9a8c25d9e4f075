/// Register accesses that no driver may make.
public enum HostileSetup: UInt8, CaseIterable, Sendable {
  case descriptorTableMisaligned
  case driverAreaMisaligned
  case deviceAreaMisaligned
  case ringOutsideWindow
  case ringCrossesWindowEnd
  case queueSizeZero
  case queueSizeNotPowerOfTwo
  case queueSizeTooLarge
  case readyTwice
  case setUpWhileReady
  case readyBeforeFeaturesOK
  case kickBeforeReady
  case kickBeforeDriverOK
  case kickOfUnknownQueue
  case unknownQueueSetUp
  case statusBackwards
  case statusUnknownBits
  case driverOKBeforeFeaturesOK
  case driverOKWithoutFeatures
  case driverOKCleared
  case featuresOKBeforeDriver
  case featuresChangedAfterOK
  case featureNotOffered
  case version1Missing
  case ringResetNotNegotiated
  case configurationWriteBeyondEnd
  case configurationReadBeyondEnd
  case configurationReadOnly
  case registerWidth
  case registerMisaligned
  case registerUnknown
  case registerReadOnly
  case registerWriteOnly

  /// The name of the fault that the device reports.
  public var fault: StaticString {
    switch self {
    case .descriptorTableMisaligned, .driverAreaMisaligned, .deviceAreaMisaligned: "ringMisaligned"
    case .ringOutsideWindow, .ringCrossesWindowEnd: "ringOutsideWindow"
    case .queueSizeZero: "queueSizeZero"
    case .queueSizeNotPowerOfTwo: "queueSizeNotPowerOfTwo"
    case .queueSizeTooLarge: "queueSizeTooLarge"
    case .readyTwice: "queueAlreadyReady"
    case .setUpWhileReady: "queueChangedWhileReady"
    case .readyBeforeFeaturesOK: "queueSetUpTooEarly"
    case .kickBeforeReady: "kickBeforeReady"
    case .kickBeforeDriverOK: "kickBeforeDriverOK"
    case .kickOfUnknownQueue, .unknownQueueSetUp: "queueUnknown"
    case .statusBackwards, .driverOKCleared: "statusCleared"
    case .statusUnknownBits: "statusUnknownBits"
    case .driverOKBeforeFeaturesOK, .featuresOKBeforeDriver: "statusOutOfOrder"
    case .featuresChangedAfterOK: "featuresChangedAfterOK"
    case .featureNotOffered: "featureNotOffered"
    case .version1Missing, .driverOKWithoutFeatures: "version1Missing"
    case .ringResetNotNegotiated: "ringResetNotNegotiated"
    case .configurationWriteBeyondEnd, .configurationReadBeyondEnd: "configurationOutOfRange"
    case .configurationReadOnly: "configurationReadOnly"
    case .registerWidth, .registerMisaligned: "registerWidth"
    case .registerUnknown: "registerUnknown"
    case .registerReadOnly: "registerReadOnly"
    case .registerWriteOnly: "registerWriteOnly"
    }
  }

  /// Whether the device sets DEVICE_NEEDS_RESET: it does where a queue can't be used as it was set up. All else has no
  /// effect, or its own in spite of the order: ``statusAfter``.
  public var needsReset: Bool {
    switch self {
    case .descriptorTableMisaligned, .driverAreaMisaligned, .deviceAreaMisaligned, .ringOutsideWindow,
      .ringCrossesWindowEnd, .queueSizeZero, .queueSizeNotPowerOfTwo, .queueSizeTooLarge:
      true
    default: false
    }
  }

  /// Which status bits are set afterwards, and which of the others are not. DEVICE_NEEDS_RESET is another matter.
  public var statusAfter: (set: UInt32, clear: UInt32) {
    switch self {
    case .featureNotOffered, .version1Missing, .readyBeforeFeaturesOK:
      (Status.acknowledge | Status.driver, Status.featuresOK | Status.driverOK)
    case .driverOKWithoutFeatures: (Status.acknowledge | Status.driver, Status.featuresOK | Status.driverOK)
    case .driverOKBeforeFeaturesOK: (Status.acknowledge | Status.driver | Status.driverOK, Status.featuresOK)
    case .driverOKCleared: (Status.acknowledge | Status.driver | Status.featuresOK, Status.driverOK)
    case .featuresOKBeforeDriver: (Status.featuresOK, Status.acknowledge | Status.driver | Status.driverOK)
    case .statusBackwards: (Status.acknowledge, Status.driver | Status.featuresOK | Status.driverOK)
    case .statusUnknownBits: (Status.acknowledge | Status.driver | Status.featuresOK, 0x100)
    case .kickBeforeReady: (Status.featuresOK | Status.driverOK, 0)
    default: (Status.acknowledge | Status.driver | Status.featuresOK, Status.driverOK)
    }
  }

  /// Whether the queue is ready afterwards.
  public var isQueueReadyAfter: Bool {
    switch self {
    case .readyTwice, .setUpWhileReady, .readyBeforeFeaturesOK, .kickBeforeDriverOK: true
    default: false
    }
  }

  /// Does it, beginning with a reset.
  ///
  /// - Parameters:
  ///   - features: what a good driver accepts of the device.
  ///   - queue: a good description of a queue of the device.
  ///   - other: the index of another queue of the device, which is never set up.
  ///   - unknown: the index of a queue that the device does not have.
  ///   - configurationSize: of the device, in bytes: a multiple of 4; the first 4 bytes are read-only.
  public func attempt<Machine>(
    on driver: Driver<Machine>,
    features: UInt64,
    queue: DriverQueue<Machine>,
    other: Int,
    unknown: Int,
    configurationSize: UInt64
  ) {
    let machine = driver.machine
    driver.reset()
    switch self {
    case .readyBeforeFeaturesOK:
      driver.addStatus(Status.acknowledge | Status.driver)
      _ = driver.enable(queue)
      return
    case .driverOKBeforeFeaturesOK:
      driver.writeFeatures(features)
      driver.addStatus(Status.acknowledge | Status.driver | Status.driverOK)
      return
    case .driverOKWithoutFeatures:
      driver.addStatus(Status.acknowledge | Status.driver | Status.driverOK)
      return
    case .featuresOKBeforeDriver:
      driver.writeFeatures(features)
      driver.addStatus(Status.featuresOK)
      return
    case .featureNotOffered:
      _ = driver.negotiate(features | ~driver.offeredFeatures)
      return
    case .version1Missing:
      _ = driver.negotiate(features & ~Feature.version1)
      return
    case .ringResetNotNegotiated:
      _ = driver.negotiate(features & ~Feature.ringReset)
      driver.write(UInt32(queue.index), to: Register.queueSel)
      driver.write(1, to: Register.queueReset)
      return
    default: break
    }
    _ = driver.negotiate(features)
    var bad = queue
    switch self {
    case .descriptorTableMisaligned: bad.descriptorTable += 8
    case .driverAreaMisaligned: bad.driverArea += 1
    case .deviceAreaMisaligned: bad.deviceArea += 2
    case .ringOutsideWindow: bad.driverArea = machine.windowStart + machine.windowSize
    case .ringCrossesWindowEnd: bad.descriptorTable = machine.windowStart + machine.windowSize - 16
    case .queueSizeZero: bad.size = 0
    case .queueSizeNotPowerOfTwo: bad.size = 3
    case .queueSizeTooLarge: bad.size = 0x8000
    case .readyTwice:
      _ = driver.enable(queue)
      driver.write(1, to: Register.queueReady)
    case .setUpWhileReady:
      _ = driver.enable(queue)
      driver.write(0, to: Register.queueDescLow)
    case .kickBeforeReady:
      driver.start()
      driver.notify(other)
    case .kickBeforeDriverOK:
      _ = driver.enable(queue)
      driver.notify(queue.index)
    case .kickOfUnknownQueue: driver.notify(unknown)
    case .unknownQueueSetUp:
      driver.write(UInt32(unknown), to: Register.queueSel)
      driver.write(1, to: Register.queueReady)
    case .statusBackwards: driver.write(Status.acknowledge, to: Register.status)
    case .driverOKCleared:
      driver.start()
      driver.write(driver.status & ~Status.driverOK, to: Register.status)
    case .statusUnknownBits: driver.write(driver.status | 0x100, to: Register.status)
    case .featuresChangedAfterOK: driver.write(0, to: Register.driverFeatures)
    case .configurationWriteBeyondEnd:
      machine.writeRegister(Register.configuration + configurationSize, width: 4, 1)
    case .configurationReadBeyondEnd:
      _ = machine.readRegister(Register.configuration + configurationSize, width: 4)
    case .configurationReadOnly: machine.writeRegister(Register.configuration, width: 4, 1)
    case .registerWidth: _ = machine.readRegister(Register.magicValue, width: 2)
    case .registerMisaligned: _ = machine.readRegister(Register.magicValue + 2, width: 4)
    case .registerUnknown: _ = machine.readRegister(0x0F0, width: 4)
    case .registerReadOnly: driver.write(0, to: Register.magicValue)
    case .registerWriteOnly: _ = driver.read(Register.queueSel)
    default: return
    }
    if needsReset { _ = driver.enable(bad) }
  }
}
