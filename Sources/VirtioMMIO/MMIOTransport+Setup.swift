internal import GuestMemory
internal import Synchronization
internal import Virtio

// What a driver sets up: features, status, queues. Everything here runs with the registers held.
extension MMIOTransport {
  var status: VirtioDeviceStatus { side.status }

  func set(_ register: MMIORegister, to value: UInt32, _ registers: inout Registers) {
    switch register {
    case .deviceFeaturesSel: registers.deviceFeaturesSelect = value
    case .driverFeaturesSel: registers.driverFeaturesSelect = value
    case .driverFeatures: setDriverFeatures(value, &registers)
    case .queueSel: registers.queueSelect = value
    case .shmSel: registers.sharedMemorySelect = value
    default:
      guard let queue = selectedQueue(registers) else {
        report(queue: Int(registers.queueSelect), .queueUnknown)
        return
      }
      switch register {
      case .queueReady: setReady(queue, value != 0, &registers)
      case .queueReset: resetQueue(queue, value, &registers)
      default: setUp(queue, register, to: value, &registers)
      }
    }
  }

  // MARK: Features

  /// Whether the device has agreed to the driver's features, which then no longer change (virtio 1.3, 3.1.1).
  private var areFeaturesSettled: Bool { !status.isDisjoint(with: [.featuresOK, .driverOK]) }

  private func setDriverFeatures(_ value: UInt32, _ registers: inout Registers) {
    guard !areFeaturesSettled else {
      report(.featuresChangedAfterOK)
      return
    }
    let select = registers.driverFeaturesSelect
    guard select < 2 else {
      if value != 0 { report(.featureNotOffered) }
      return
    }
    let shift = 32 * UInt64(select)
    let others = registers.driverFeatures.rawValue & ~(0xFFFF_FFFF << shift)
    registers.driverFeatures = VirtioFeatures(rawValue: others | UInt64(value) << shift)
  }

  // MARK: Status

  /// What a driver writes reads back, but for three bits: FEATURES_OK and DRIVER_OK need features that the device can
  /// work with (virtio 1.3, 2.2.2), and DEVICE_NEEDS_RESET is the device's own.
  ///
  /// That bits come in order and stay is the driver's duty (2.1.1). One that neglects it is noted and served; what the
  /// device does rests on the features and queues as they are, never on the order.
  func writeStatus(_ value: UInt32, _ registers: inout Registers) {
    guard value != 0 else {
      resetDevice(&registers)
      return
    }
    let known = VirtioDeviceStatus.writable.union(.deviceNeedsReset)
    if value & ~UInt32(known.rawValue) != 0 { report(.statusUnknownBits) }
    var written = VirtioDeviceStatus(rawValue: UInt8(truncatingIfNeeded: value)).intersection(.writable)
    // None of the driver's bits: neither a step nor a reset.
    guard !written.isEmpty else { return }
    let current = status.intersection(.writable)
    let agreements = written.subtracting(current).intersection([.featuresOK, .driverOK])
    if !agreements.isEmpty, let fault = side.fault(in: registers.driverFeatures) {
      report(fault)
      written.subtract(agreements)
    } else if !current.isSubset(of: written) {
      report(.statusCleared)
    } else if !written.missingSteps.isSubset(of: current.missingSteps) {
      report(.statusOutOfOrder)
    }
    side.changeStatus(set: written, clear: current.subtracting(written))
    switch (current.contains(.driverOK), written.contains(.driverOK)) {
    case (false, true): startDevice(registers)
    case (true, false): restDevice(&registers)
    default: break
    }
  }

  /// DRIVER_OK is gone, and without it the device consumes no buffers (virtio 1.3, 2.1.2): it comes to rest, and the
  /// queues are the driver's again.
  private func restDevice(_ registers: inout Registers) {
    thread.perform { [self] finish in
      side.rest { [self] in
        discardPendingKicks?(nil)
        finish()
      }
    }
    for queue in registers.queues.indices { registers.queues[queue].isReady = false }
  }

  /// Hands the queues over, and returns when the device has them: from here on a notification finds them.
  private func startDevice(_ registers: Registers) {
    let queues = registers.queues.map { $0.isReady ? $0.configuration : nil }
    let features = registers.driverFeatures
    thread.perform { [side] finish in side.start(features, queues: queues, finish) }
  }

  // MARK: Queues

  private func setUp(_ queue: Int, _ register: MMIORegister, to value: UInt32, _ registers: inout Registers) {
    guard !registers.queues[queue].isReady else {
      report(queue: queue, .queueChangedWhileReady)
      return
    }
    switch register {
    case .queueSize: registers.queues[queue].size = value
    case .queueDescLow: registers.queues[queue].descriptorTable.setLow(value)
    case .queueDescHigh: registers.queues[queue].descriptorTable.setHigh(value)
    case .queueDriverLow: registers.queues[queue].driverArea.setLow(value)
    case .queueDriverHigh: registers.queues[queue].driverArea.setHigh(value)
    case .queueDeviceLow: registers.queues[queue].deviceArea.setLow(value)
    case .queueDeviceHigh: registers.queues[queue].deviceArea.setHigh(value)
    default: preconditionFailure("every writable register is known here")
    }
  }

  private func setReady(_ queue: Int, _ ready: Bool, _ registers: inout Registers) {
    guard ready else {
      stop(queue, &registers)
      return
    }
    guard !registers.queues[queue].isReady else {
      report(queue: queue, .queueAlreadyReady)
      return
    }
    // Nothing of a split queue's set-up depends on features, and it isn't looked at before DRIVER_OK.
    if !areFeaturesSettled { report(queue: queue, .queueSetUpTooEarly) }
    let values = registers.queues[queue]
    let fault = QueueConfiguration.fault(
      requestedSize: values.size,
      maximumSize: device.queueSizes[queue],
      descriptorTable: values.descriptorTable,
      driverArea: values.driverArea,
      deviceArea: values.deviceArea
    )
    guard isUsable(queue, values, fault) else { return }
    registers.queues[queue].isReady = true
    guard status.contains(.driverOK) else { return }
    let configuration = values.configuration
    thread.perform { [side] finish in side.startQueue(queue, configuration, finish) }
  }

  /// Whether a queue can be made ready. Where it can't, the device has failed.
  private func isUsable(_ queue: Int, _ values: QueueRegisters, _ fault: DriverFault?) -> Bool {
    // The window is there to the end, so that most queues need not be looked at on the device thread.
    if fault == nil, values.configuration.lies(in: side.connection.space.window) { return true }
    let answer = Answer(false)
    thread.perform { [side] finish in
      if let fault = fault ?? side.fault(in: values.configuration, index: queue) {
        side.connection.fail(queue: queue, fault)
      } else {
        answer.value = true
      }
      finish()
    }
    return answer.value
  }

  /// The driver takes a queue back; returns when the device touches nothing of it any longer.
  private func stop(_ queue: Int, _ registers: inout Registers) {
    guard registers.queues[queue].isReady else { return }
    if status.contains(.driverOK) {
      thread.perform { [self] finish in
        side.stopQueue(queue) { [self] in
          discardPendingKicks?(queue)
          finish()
        }
      }
    }
    registers.queues[queue].isReady = false
  }

  /// QueueReset (virtio 1.3, 2.6.1 and 4.2.2).
  private func resetQueue(_ queue: Int, _ value: UInt32, _ registers: inout Registers) {
    guard registers.driverFeatures.contains(.ringReset), areFeaturesSettled else {
      report(queue: queue, .ringResetNotNegotiated)
      return
    }
    guard value == 1 else { return }
    stop(queue, &registers)
    registers.queues[queue] = QueueRegisters(size: UInt32(device.queueSizes[queue]))
  }
}

extension MMIOTransport.QueueRegisters {
  /// - Precondition: the values were checked.
  var configuration: QueueConfiguration {
    QueueConfiguration(
      size: UInt16(size),
      descriptorTable: descriptorTable,
      driverArea: driverArea,
      deviceArea: deviceArea
    )
  }
}

extension UInt64 {
  fileprivate mutating func setLow(_ word: UInt32) { self = self & 0xFFFF_FFFF_0000_0000 | UInt64(word) }
  fileprivate mutating func setHigh(_ word: UInt32) { self = self & 0xFFFF_FFFF | UInt64(word) << 32 }
}
