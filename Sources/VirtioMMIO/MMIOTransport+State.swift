internal import Synchronization
public import Virtio

/// All that a guest can see of a virtio-mmio device, and what the device needs to go on.
public struct MMIOTransportState: Equatable, Sendable {
  public struct Queue: Equatable, Sendable {
    public var size: UInt32
    public var isReady: Bool
    public var descriptorTable: UInt64
    public var driverArea: UInt64
    public var deviceArea: UInt64
  }

  public var status: VirtioDeviceStatus
  public var interruptStatus: UInt32
  public var driverFeatures: VirtioFeatures
  public var deviceFeaturesSelect: UInt32
  public var driverFeaturesSelect: UInt32
  public var queueSelect: UInt32
  public var sharedMemorySelect: UInt32
  public var queues: [Queue]
  public var configuration: [UInt8]
  public var configurationGeneration: UInt32
  public var device: DeviceState
}

// Called with the guest's vCPUs at rest, on any thread but the device thread.
extension MMIOTransport {
  /// Takes no new work; returns when nothing is in flight.
  public func suspend() {
    thread.perform { [self] finish in
      connection.setSuspended(true)
      device.suspend(finish)
    }
  }

  /// Goes on after ``suspend()`` or ``restore(_:)``.
  public func resume() {
    thread.perform { [self] finish in
      connection.setSuspended(false)
      if !connection.hasFailed {
        device.resume()
        postKicks(connection.running)
      }
      finish()
    }
  }

  /// The state of a suspended device.
  public func state() -> MMIOTransportState {
    let device = device
    let deviceState = Answer(DeviceState(queues: []))
    thread.perform { finish in
      deviceState.value = device.state()
      finish()
    }
    return registers.withLock { registers in
      MMIOTransportState(
        status: status,
        interruptStatus: connection.interruptStatus.load(ordering: .acquiring),
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
        },
        configuration: device.configuration.bytes,
        configurationGeneration: device.configuration.generation,
        device: deviceState.value
      )
    }
  }

  /// Puts a state into a transport that no driver has touched yet. The device stays suspended until ``resume()``.
  ///
  /// - Throws: ``DeviceStateError`` for a state that is not one of such a device; then nothing has changed that a reset
  ///   would not undo.
  public func restore(_ state: MMIOTransportState) throws(DeviceStateError) {
    try check(state)
    let device = device
    let failure = Answer<DeviceStateError?>(nil)
    thread.perform { [self] finish in
      connection.setSuspended(true)
      do throws(DeviceStateError) {
        try device.restore(state.device)
      } catch {
        failure.value = error
      }
      finish()
    }
    if let error = failure.value { throw error }
    device.configuration.restore(state.configuration, generation: state.configurationGeneration)
    registers.withLock { registers in
      registers.deviceFeaturesSelect = state.deviceFeaturesSelect
      registers.driverFeaturesSelect = state.driverFeaturesSelect
      registers.driverFeatures = state.driverFeatures
      registers.queueSelect = state.queueSelect
      registers.sharedMemorySelect = state.sharedMemorySelect
      registers.queues = state.queues.map {
        QueueRegisters(
          size: $0.size,
          isReady: $0.isReady,
          descriptorTable: $0.descriptorTable,
          driverArea: $0.driverArea,
          deviceArea: $0.deviceArea
        )
      }
      connection.deviceStatus.store(state.status.rawValue, ordering: .releasing)
      connection.interruptStatus.store(state.interruptStatus, ordering: .releasing)
    }
    guard state.status.contains(.driverOK) else { return }
    let queues = zip(state.queues, state.device.queues).map { queue, position -> QueueConfiguration? in
      guard queue.isReady else { return nil }
      return QueueConfiguration(
        size: UInt16(queue.size),
        descriptorTable: queue.descriptorTable,
        driverArea: queue.driverArea,
        deviceArea: queue.deviceArea,
        position: position ?? QueuePosition()
      )
    }
    let features = state.driverFeatures
    let hasFailed = state.status.contains(.deviceNeedsReset)
    thread.perform { [self] finish in
      connection.begin(queues: queues)
      if hasFailed {
        connection.markFailed()
      } else {
        device.start(features, queues: queues)
      }
      finish()
    }
  }

  private func isReached(_ queue: MMIOTransportState.Queue) -> Bool {
    let configuration = QueueConfiguration(
      size: UInt16(queue.size),
      descriptorTable: queue.descriptorTable,
      driverArea: queue.driverArea,
      deviceArea: queue.deviceArea
    )
    let connection = connection
    let answer = Answer(false)
    thread.perform { finish in
      answer.value = configuration.isReached(in: connection.view)
      finish()
    }
    return answer.value
  }

  private func check(_ state: MMIOTransportState) throws(DeviceStateError) {
    func invalid(_ field: String) -> DeviceStateError { .invalid(device: device.name, field: field) }
    guard state.queues.count == device.queueSizes.count, state.device.queues.count == state.queues.count else {
      throw invalid("number of queues")
    }
    guard state.configuration.count == device.configuration.size else { throw invalid("configuration space") }
    if !state.status.isDisjoint(with: [.featuresOK, .driverOK]) {
      guard fault(in: state.driverFeatures) == nil else { throw invalid("features") }
    }
    for (queue, maximum) in zip(state.queues, device.queueSizes) where queue.isReady {
      let fault = QueueConfiguration.fault(
        requestedSize: queue.size,
        maximumSize: maximum,
        descriptorTable: queue.descriptorTable,
        driverArea: queue.driverArea,
        deviceArea: queue.deviceArea
      )
      guard fault == nil, isReached(queue) else { throw invalid("queue") }
    }
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
