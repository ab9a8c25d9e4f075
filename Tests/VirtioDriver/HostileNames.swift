// Names for those who print them: a bare-metal guest has no reflection.

extension HostileChain {
  /// The case's own name.
  public var name: StaticString {
    switch self {
    case .descriptorOutsideWindow: "descriptorOutsideWindow"
    case .descriptorCrossesWindowEnd: "descriptorCrossesWindowEnd"
    case .descriptorAddressOverflow: "descriptorAddressOverflow"
    case .descriptorLengthZero: "descriptorLengthZero"
    case .loop: "loop"
    case .chainLongerThanQueue: "chainLongerThanQueue"
    case .nextOutOfRange: "nextOutOfRange"
    case .headOutOfRange: "headOutOfRange"
    case .indirectNested: "indirectNested"
    case .indirectInsideItself: "indirectInsideItself"
    case .indirectOutsideWindow: "indirectOutsideWindow"
    case .indirectCrossesWindowEnd: "indirectCrossesWindowEnd"
    case .indirectLengthZero: "indirectLengthZero"
    case .indirectLengthNotMultiple: "indirectLengthNotMultiple"
    case .indirectWithNext: "indirectWithNext"
    case .indirectLoop: "indirectLoop"
    case .indirectNextOutOfRange: "indirectNextOutOfRange"
    case .readableAfterWritable: "readableAfterWritable"
    case .availableIndexJumped: "availableIndexJumped"
    }
  }
}

extension HostileSetup {
  /// The case's own name.
  public var name: StaticString {
    switch self {
    case .descriptorTableMisaligned: "descriptorTableMisaligned"
    case .driverAreaMisaligned: "driverAreaMisaligned"
    case .deviceAreaMisaligned: "deviceAreaMisaligned"
    case .ringOutsideWindow: "ringOutsideWindow"
    case .ringCrossesWindowEnd: "ringCrossesWindowEnd"
    case .queueSizeZero: "queueSizeZero"
    case .queueSizeNotPowerOfTwo: "queueSizeNotPowerOfTwo"
    case .queueSizeTooLarge: "queueSizeTooLarge"
    case .readyTwice: "readyTwice"
    case .setUpWhileReady: "setUpWhileReady"
    case .readyBeforeFeaturesOK: "readyBeforeFeaturesOK"
    case .kickBeforeReady: "kickBeforeReady"
    case .kickBeforeDriverOK: "kickBeforeDriverOK"
    case .kickOfUnknownQueue: "kickOfUnknownQueue"
    case .unknownQueueSetUp: "unknownQueueSetUp"
    case .statusBackwards: "statusBackwards"
    case .statusUnknownBits: "statusUnknownBits"
    case .driverOKBeforeFeaturesOK: "driverOKBeforeFeaturesOK"
    case .driverOKWithoutFeatures: "driverOKWithoutFeatures"
    case .driverOKCleared: "driverOKCleared"
    case .featuresOKBeforeDriver: "featuresOKBeforeDriver"
    case .featuresChangedAfterOK: "featuresChangedAfterOK"
    case .featureNotOffered: "featureNotOffered"
    case .version1Missing: "version1Missing"
    case .ringResetNotNegotiated: "ringResetNotNegotiated"
    case .configurationWriteBeyondEnd: "configurationWriteBeyondEnd"
    case .configurationReadBeyondEnd: "configurationReadBeyondEnd"
    case .configurationReadOnly: "configurationReadOnly"
    case .registerWidth: "registerWidth"
    case .registerMisaligned: "registerMisaligned"
    case .registerUnknown: "registerUnknown"
    case .registerReadOnly: "registerReadOnly"
    case .registerWriteOnly: "registerWriteOnly"
    }
  }
}

extension HostileRace {
  /// The case's own name.
  public var name: StaticString {
    switch self {
    case .descriptorAddress: "descriptorAddress"
    case .descriptorLength: "descriptorLength"
    case .descriptorFlags: "descriptorFlags"
    case .descriptorNext: "descriptorNext"
    case .ringEntry: "ringEntry"
    case .availableIndex: "availableIndex"
    case .indirectTableAddress: "indirectTableAddress"
    case .indirectTableLength: "indirectTableLength"
    case .indirectEntryAddress: "indirectEntryAddress"
    case .indirectEntryFlags: "indirectEntryFlags"
    }
  }
}
