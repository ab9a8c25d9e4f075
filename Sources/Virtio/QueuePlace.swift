public import GuestMemory

/// Where a queue's parts were found. A part in several pieces has no place: each access to it is looked up.
struct QueuePlace: Equatable {
  let configuration: QueueConfiguration
  private let descriptorTable, driverArea, deviceArea: UInt?

  init(_ configuration: QueueConfiguration, _ view: DMAView) {
    self.configuration = configuration
    // SAFETY: the places are compared and never used.
    descriptorTable = unsafe view.place(
      of: configuration.descriptorTable,
      count: configuration.descriptorTableSize,
      for: .read
    ).map { UInt(bitPattern: $0) }
    driverArea = unsafe view.place(
      of: configuration.driverArea,
      count: configuration.driverAreaSize,
      for: .read
    ).map { UInt(bitPattern: $0) }
    deviceArea = unsafe view.place(
      of: configuration.deviceArea,
      count: configuration.deviceAreaSize,
      for: .write
    ).map { UInt(bitPattern: $0) }
  }

  /// Whether they are still there.
  func holds(in view: DMAView) -> Bool { configuration.isReached(in: view) && QueuePlace(configuration, view) == self }
}

extension DMASpace {
  /// Whether a driver has to know that the device does not reach what it likes: VIRTIO_F_ACCESS_PLATFORM.
  var wantsPlatformAccess: Bool { extent == .confined || isTranslated }
}

extension DeviceTransportSide: DMASpaceUser {
  /// A queue whose rings went is one that the driver has taken away while it was in use. For buffers that the device
  /// has looked up, it comes to rest for a moment.
  public func reachBecameLess(_ finished: @escaping @Sendable () -> Void) {
    _ = stopQueues { _ in true }
    whileAtRest(finished)
  }

  /// The same, but the device rests only where it uses something of the run.
  public func reachBecameLess(in run: ClosedRange<UInt64>, _ finished: @escaping @Sendable () -> Void) {
    let hasLost = stopQueues { $0.touches(run) }
    guard hasLost || connection.space.isHeld(run) else { return finished() }
    whileAtRest(finished)
  }

  /// Fails the device for queues that are not where they were.
  ///
  /// - Returns: whether there are any.
  private func stopQueues(_ isConcerned: (QueueConfiguration) -> Bool) -> Bool {
    var hasLost = false
    for (index, place) in places.enumerated() {
      guard let place, isConcerned(place.configuration), !place.holds(in: connection.view) else { continue }
      place.configuration.tellOfRefusal(in: connection.view)
      connection.fail(queue: index, .ringTakenAway)
      stopQueue(index) {}
      hasLost = true
    }
    return hasLost
  }
}
