internal import Synchronization
public import Virtio

/// All that a guest can see of a virtio-mmio device. The device's own state is apart from it, since its type is the
/// device's: ``MMIOTransport/savedDeviceState()``.
public struct MMIOTransportState: VersionedState, Equatable {
  public static var kind: String { "virtio-mmio" }
  public static var version: UInt32 { 1 }

  /// A queue's registers, whether or not it is ready.
  public struct Queue: Codable, Equatable, Sendable {
    /// QueueSize, in descriptors.
    public var size: UInt32
    /// QueueReady.
    public var isReady: Bool
    /// QueueDesc, a guest address.
    public var descriptorTable: UInt64
    /// QueueDriver, a guest address: the available ring.
    public var driverArea: UInt64
    /// QueueDevice, a guest address: the used ring.
    public var deviceArea: UInt64
  }

  /// What every transport has of a device.
  public var connection: DeviceConnectionState
  /// DriverFeatures, both words.
  public var driverFeatures: VirtioFeatures
  /// DeviceFeaturesSel: which 32 bits DeviceFeatures shows.
  public var deviceFeaturesSelect: UInt32
  /// DriverFeaturesSel: which 32 bits DriverFeatures takes.
  public var driverFeaturesSelect: UInt32
  /// QueueSel, which may name a queue that the device hasn't.
  public var queueSelect: UInt32
  /// SHMSel, which may name a region that the device hasn't.
  public var sharedMemorySelect: UInt32
  /// One for each queue of the device.
  public var queues: [Queue]
}

// Called with the guest's vCPUs at rest, so that none holds the registers. On the device thread, which waits for
// nothing.
extension MMIOTransport {
  /// Takes no new work.
  ///
  /// - Parameter finished: called once, on the device thread, when nothing is in flight; also after
  ///   ``endSuspension()``.
  public func beginSuspension(_ finished: @escaping @Sendable () -> Void) { side.suspend(finished) }

  /// Goes on after ``beginSuspension(_:)``, whether or not that has finished.
  public func endSuspension() { side.resume() }

  /// The state of a suspended device: what the transport has, and the device's own, of the type that its kind has.
  public func takeState() -> (transport: MMIOTransportState, device: any VersionedState) {
    (state(with: side.savedState()), side.savedDeviceState())
  }

  /// Puts a state into a transport that no driver has touched yet. The device stays suspended until
  /// ``endSuspension()``.
  ///
  /// - Parameters:
  ///   - own: the device's own.
  ///   - finished: called once, on the device thread, when the state is in place; not where this throws.
  /// - Throws: ``DeviceStateError`` for a state that is not one of such a device; then nothing has changed that a reset
  ///   would not undo.
  public func putState(
    _ saved: MMIOTransportState,
    _ own: any VersionedState,
    _ finished: @escaping @Sendable () -> Void
  ) throws(DeviceStateError) {
    let queues = try queues(of: saved)
    try side.restore(saved.connection, own, features: saved.driverFeatures, queues: queues, finished)
    setRegisters(saved)
  }

  private func state(with connection: DeviceConnectionState) -> MMIOTransportState {
    registers.withLock { registers in
      MMIOTransportState(
        connection: connection,
        driverFeatures: registers.driverFeatures,
        deviceFeaturesSelect: registers.deviceFeaturesSelect,
        driverFeaturesSelect: registers.driverFeaturesSelect,
        queueSelect: registers.queueSelect,
        sharedMemorySelect: registers.sharedMemorySelect,
        queues: registers.queues.map {
          MMIOTransportState.Queue(
            size: $0.size,
            isReady: $0.isReady,
            descriptorTable: $0.descriptorTable,
            driverArea: $0.driverArea,
            deviceArea: $0.deviceArea
          )
        }
      )
    }
  }

  private func setRegisters(_ saved: MMIOTransportState) {
    registers.withLock { registers in
      registers.deviceFeaturesSelect = saved.deviceFeaturesSelect
      registers.driverFeaturesSelect = saved.driverFeaturesSelect
      registers.driverFeatures = saved.driverFeatures
      registers.queueSelect = saved.queueSelect
      registers.sharedMemorySelect = saved.sharedMemorySelect
      registers.queues = saved.queues.map {
        QueueRegisters(
          size: $0.size,
          isReady: $0.isReady,
          descriptorTable: $0.descriptorTable,
          driverArea: $0.driverArea,
          deviceArea: $0.deviceArea
        )
      }
    }
  }
}

// Called with the guest's vCPUs at rest, on any thread but the device thread.
extension MMIOTransport {
  /// Takes no new work; returns when nothing is in flight.
  public func suspend() {
    thread.perform { [side] finish in side.suspend(finish) }
  }

  /// Goes on after ``suspend()`` or ``restore(_:_:)``.
  public func resume() {
    thread.perform { [side] finish in
      side.resume()
      finish()
    }
  }

  /// The state of a suspended device, but for the device's own.
  ///
  /// - Throws: ``DeviceStateError/ended(device:)`` where the machine has ended meanwhile.
  public func savedState() throws(DeviceStateError) -> MMIOTransportState {
    state(with: try onDeviceThread { $0.savedState() })
  }

  /// The suspended device's own state, of the type that its kind has.
  ///
  /// - Throws: as ``savedState()``.
  public func savedDeviceState() throws(DeviceStateError) -> any VersionedState {
    try onDeviceThread { $0.savedDeviceState() }
  }

  /// As ``putState(_:_:_:)``, of which it awaits the end.
  ///
  /// - Parameter own: the device's own.
  /// - Throws: as ``putState(_:_:_:)``.
  public func restore(_ saved: MMIOTransportState, _ own: any VersionedState) throws(DeviceStateError) {
    let failure = Answer<DeviceStateError?>(nil)
    thread.perform { [self] finish in
      do throws(DeviceStateError) {
        try putState(saved, own, finish)
      } catch {
        failure.value = error
        finish()
      }
    }
    if let error = failure.value { throw error }
  }

  private func queues(of saved: MMIOTransportState) throws(DeviceStateError) -> [QueueConfiguration?] {
    func invalid(_ field: String) -> DeviceStateError { .invalid(device: device.name, field: field) }
    guard saved.queues.count == device.queueSizes.count, saved.connection.positions.count == saved.queues.count else {
      throw invalid("number of queues")
    }
    var queues: [QueueConfiguration?] = []
    for (index, queue) in saved.queues.enumerated() {
      guard queue.isReady else {
        queues.append(nil)
        continue
      }
      // The rest of what makes it a queue is checked where every transport's are.
      guard let size = UInt16(exactly: queue.size) else { throw invalid("queue \(index)") }
      queues.append(
        QueueConfiguration(
          size: size,
          descriptorTable: queue.descriptorTable,
          driverArea: queue.driverArea,
          deviceArea: queue.deviceArea,
          position: saved.connection.positions[index] ?? QueuePosition()
        )
      )
    }
    return queues
  }

  /// What `work` returns on the device thread.
  private func onDeviceThread<Value: Sendable>(
    _ work: @escaping @Sendable (DeviceTransportSide) -> Value
  ) throws(DeviceStateError) -> Value {
    let answer = Answer<Value?>(nil)
    thread.perform { [side] finish in
      answer.value = work(side)
      finish()
    }
    guard let value = answer.value else { throw .ended(device: device.name) }
    return value
  }
}

/// Carries a result out of work on the device thread, whose end the caller waits for.
final class Answer<Value: Sendable>: @unchecked Sendable {
  // SAFETY: @unchecked: written before `perform` returns, read after it.
  var value: Value

  /// - Parameter value: what holds where the machine ends and the work is not done any more.
  init(_ value: Value) {
    self.value = value
  }
}
