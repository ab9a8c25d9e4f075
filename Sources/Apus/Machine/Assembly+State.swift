import Virtio

// What a snapshot has of a machine beside its vCPUs, its interrupt controller and its memory: peripherals and devices.
// All on the device thread, of a machine that is paused.
extension Assembly {
  private enum Part {
    static let serialPort = "pl011"
    static let clock = "pl031"
    static let panicNotifier = "pvpanic"
    static let generationID = "vmgenid"
    static let scratchRegisters = "platform-registers"
  }

  /// Has everything collected that ``takeState(_:)`` needs and that takes its time: what other processes know. The
  /// machine stays paused; copies of windows are to be made behind it.
  ///
  /// - Parameter finished: called once, on the device thread, with what is in the way.
  func prepareState(_ finished: @escaping @Sendable (MachineStateError?) -> Void) {
    devices.prepareState { problems in finished(problems.isEmpty ? nil : MachineStateError(problems)) }
  }

  /// The state of all peripherals and devices.
  ///
  /// - Throws: ``MachineStateError``, which names the devices that no snapshot can have.
  func takeState(_ wishes: SnapshotWishes = SnapshotWishes()) throws(MachineStateError) -> [StatePart] {
    var parts = [
      StatePart(Part.serialPort, serialPort.savedState), StatePart(Part.clock, clock.savedState),
      StatePart(Part.panicNotifier, panicNotifier.savedState),
      StatePart(Part.generationID, GenerationIDState(bytes: generationID.bytes)),
    ]
    if !scratchRegisters.isEmpty {
      let contents = scratchRegisters.map(\.contents)
      parts.append(StatePart(Part.scratchRegisters, ScratchRegistersState(contents: contents)))
    }
    return parts + (try devices.takeState(wishes))
  }

  /// Reads a piece of the state.
  ///
  /// - Parameter name: the piece's.
  /// - Throws: ``MachineStateError`` for a piece that this machine has not; otherwise as ``Versioned/init(from:)``.
  func decodePart(_ name: String, from decoder: any Decoder) throws -> StatePart {
    switch name {
    case Part.serialPort: StatePart(name, try Versioned<SerialPortState>(from: decoder).state)
    case Part.clock: StatePart(name, try Versioned<RealTimeClockState>(from: decoder).state)
    case Part.panicNotifier: StatePart(name, try Versioned<PanicNotifierState>(from: decoder).state)
    case Part.generationID: StatePart(name, try Versioned<GenerationIDState>(from: decoder).state)
    case Part.scratchRegisters: StatePart(name, try Versioned<ScratchRegistersState>(from: decoder).state)
    default: try devices.decodePart(name, from: decoder)
    }
  }

  /// Puts a state into a machine that has not run yet: behind the interrupt controller's, before the virtual counter's.
  /// Devices stay suspended until they are resumed. Nothing is changed where there are mismatches. The generation
  /// identifier is that of the snapshot, until ``GenerationID/change()``.
  ///
  /// - Parameters:
  ///   - known: what does not fit anyway, which is told with the rest.
  ///   - wishes: what is to be otherwise.
  ///   - finished: called once, on the device thread, with what went wrong.
  func putState(
    _ parts: [StatePart],
    known: [String],
    _ wishes: RestoreWishes = RestoreWishes(),
    _ finished: @escaping @Sendable (MachineStateError?) -> Void
  ) {
    var left = StateParts(parts)
    let uart = left.take(Part.serialPort, as: SerialPortState.self)
    let rtc = left.take(Part.clock, as: RealTimeClockState.self)
    let pvpanic = left.take(Part.panicNotifier, as: PanicNotifierState.self)
    let generation = left.take(Part.generationID, as: GenerationIDState.self)
    let contents = scratchRegisters.map(\.contents.count)
    var scratch: ScratchRegistersState?
    if !scratchRegisters.isEmpty {
      scratch = left.take(Part.scratchRegisters, as: ScratchRegistersState.self)
    }
    let states = devices.takeParts(&left)
    left.finish()
    var problems = known + left.problems + devices.mismatches(with: states, wishes)
    if let scratch, scratch.contents.map(\.count) != contents {
      problems.append("the platform's devices have other registers than in the snapshot; give the same platform file")
    }
    guard problems.isEmpty, let uart, let rtc, let pvpanic, let generation else {
      return finished(MachineStateError(problems))
    }
    do throws(DeviceStateError) {
      try serialPort.restore(uart)
      try generationID.restore(generation)
    } catch {
      return finished(MachineStateError(["\(error)"]))
    }
    clock.restore(rtc)
    panicNotifier.restore(pvpanic)
    if let scratch {
      for (registers, bytes) in zip(scratchRegisters, scratch.contents) { registers.contents = bytes }
    }
    devices.putState(states) { problems in finished(problems.isEmpty ? nil : MachineStateError(problems)) }
  }
}
