internal import GuestMemory
internal import Host
internal import Virtio

// What takes its time, one after the other, and how rings begin.
extension VhostUserDevice {
  // MARK: One operation after the other

  func indices(_ queues: UInt64) -> [Int] { queueSizes.indices.filter { queues & 1 << UInt64($0) != 0 } }

  func enqueue(_ operation: Operation) {
    state.value.operations.append(operation)
    next()
  }

  func next() {
    guard !state.value.isBusy, !state.value.operations.isEmpty else { return }
    state.value.isBusy = true
    switch state.value.operations.removeFirst() {
    case .start(let queues, let finished):
      begin(queues) { [self] in
        state.value.isBusy = false
        finished()
        next()
      }
    case .stop(let queues, let finished):
      end(queues) { [self] in
        state.value.isBusy = false
        finished()
        next()
      }
    }
  }

  // MARK: Start

  /// Edge-triggered, and never read: no flag that the back-end changes makes this process wait.
  static let callEvents = EventLoop.readable | EventLoop.edgeTriggered

  /// Has the back-end work on those of the queues that the driver wants and that do not run.
  private func begin(_ queues: UInt64, _ finished: @escaping @Sendable () -> Void) {
    let queues = queues & state.value.wanted & ~state.value.running
    guard let connection = state.value.connection, queues != 0 else {
      cameBack()
      return finished()
    }
    if mode != .direct { for index in indices(queues) { takeOver(index, connection) } }
    guard state.value.isConnected, !connection.hasFailed else { return finished() }
    let usesEventIndex = features(of: VhostUserMode.ringFeatures).contains(.eventIndex)
    var (rings, regions): ([LentRing], [LentRegion]) = ([], [])
    for index in indices(queues) {
      guard
        mode == .direct
          || state.value.queues[index].shadow.beginAnew(usesEventIndex: usesEventIndex, connection)
      else { return finished() }
      do throws(HostError) {
        rings.append(try makeRing(index, connection))
        // The first rings bring the memory along.
        if state.value.running == 0 { regions = try makeRegions(connection) }
      } catch {
        tell("\(error)")
        connection.needsReset()
        return finished()
      }
    }
    state.value.starting = queues
    state.value.hasBegun = true
    let ringFeatures =
      mode == .direct
      ? state.value.features.intersection(.splitVirtqueue) : features(of: VhostUserMode.ringFeatures)
    let features = state.value.features.intersection(remoteFeatures).union(ringFeatures).union(.version1).rawValue
    link.run(
      state.value.generation,
      { [rings, regions, isDirect = mode == .direct] (channel) throws(VhostUserError) in
        if !regions.isEmpty { try channel.lend(features: features, regions) }
        for ring in rings { try channel.start(ring, isKicked: !isDirect) }
      },
      { [weak self] error in
        guard let self else { return }
        self.thread.post { [weak self] in
          guard let self else { return }
          self.state.value.starting = 0
          if error == nil {
            self.state.value.running |= queues
            self.cameBack()
            for index in self.indices(queues) {
              self.state.value.queues[index].kick?.signal()
              self.kickLater(index)
              self.called(index)
            }
          }
          finished()
        }
      }
    )
  }

  /// A queue that the driver has set up anew begins with nothing of the one before it.
  private func takeOver(_ index: Int, _ connection: DeviceConnection) {
    let shadow = state.value.queues[index].shadow
    guard shadow.guest == nil, let configuration = state.value.queues[index].configuration else { return }
    shadow.forget()
    shadow.inherit(state.value.inherited.removeValue(forKey: index) ?? [])
    shadow.guest = SplitVirtqueue(
      configuration,
      index: index,
      view: connection.view,
      features: state.value.features
    )
  }

  func features(of ring: VirtioFeatures) -> VirtioFeatures {
    VirtioFeatures(rawValue: state.value.offered).intersection(ring)
  }

  private func makeRing(_ index: Int, _ connection: DeviceConnection) throws(HostError) -> LentRing {
    forgetRing(index)
    if mode == .direct { return try makeDirectRing(index, connection) }
    let (kick, call) = (try KickPipe(), try makeCall(index))
    // A worker that waits for kicks alone looks at the ring for this one.
    kick.signal()
    state.value.queues[index].kick = kick
    let ring = state.value.queues[index].shadow.ring
    return LentRing(
      index: index,
      size: ring.size,
      base: 0,
      descriptorTable: ShadowMemory.address + UInt64(ring.descriptorTable),
      driverArea: ShadowMemory.address + UInt64(ring.driverArea),
      deviceArea: ShadowMemory.address + UInt64(ring.deviceArea),
      kick: try VhostUserDescriptor(copying: kick.descriptor),
      call: try VhostUserDescriptor(copying: call.value.rawValue)
    )
  }

  private func makeCall(_ index: Int) throws(HostError) -> SharedEventDescriptor {
    let call = SharedEventDescriptor(try EventDescriptor())
    _ = try loop.add(
      call.value.rawValue,
      Self.callEvents,
      ClosureHandler { [unowned self] _ in called(index) }
    )
    state.value.queues[index].call = call
    return call
  }

  /// The guest's own ring, where it stands.
  private func makeDirectRing(_ index: Int, _ connection: DeviceConnection) throws(HostError) -> LentRing {
    guard let configuration = state.value.queues[index].configuration, connection.descriptors.indices.contains(index),
      let kick = connection.descriptors[index].kick
    else { preconditionFailure("a queue that the driver wants is set up, and has a descriptor") }
    state.value.queues[index].usedRing = configuration.deviceArea
    state.value.queues[index].seenUsed = configuration.position.nextUsed
    return LentRing(
      index: index,
      size: configuration.size,
      base: configuration.position.nextAvailable,
      descriptorTable: configuration.descriptorTable,
      driverArea: configuration.driverArea,
      deviceArea: configuration.deviceArea,
      kick: try VhostUserDescriptor(copying: kick),
      call: try VhostUserDescriptor(copying: try makeCall(index).value.rawValue)
    )
  }

  func forgetRing(_ index: Int) {
    if let call = state.value.queues[index].call { loop.remove(call.value.rawValue) }
    state.value.queues[index].kick = nil
    state.value.queues[index].call = nil
    state.value.queues[index].usedRing = nil
    state.value.queues[index].idleCalls = IdleCalls()
    state.value.queues[index].isMuted = false
  }

  private func makeRegions(_ connection: DeviceConnection) throws(HostError) -> [LentRegion] {
    var regions: [LentRegion] = []
    if mode != .direct {
      let descriptor = try VhostUserDescriptor(copying: memory.descriptor)
      regions.append(LentRegion(address: ShadowMemory.address, size: memory.size, descriptor: descriptor))
    }
    guard mode != .bounced else { return regions }
    for part in connection.space.parts {
      guard let descriptor = part.fileDescriptor else {
        preconditionFailure("a device that works in place has a confined window")
      }
      regions.append(
        LentRegion(
          address: part.range.start.rawValue,
          size: part.range.size,
          descriptor: try VhostUserDescriptor(copying: descriptor)
        )
      )
    }
    // In ascending order, without which some back-ends refuse them.
    return regions.sorted { $0.address < $1.address }
  }
}

extension VhostUserMode {
  /// What the rings that a back-end sees may have.
  static var ringFeatures: VirtioFeatures { .eventIndex }
}
