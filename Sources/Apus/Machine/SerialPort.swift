import Host
import HostBackends
import Peripherals
internal import Synchronization
import Virtio

/// The PL011 on the bus, and the two queues between it and the console.
///
/// A guest's character goes from the exit straight into the output queue; the device thread takes the queue in batches,
/// so that a line of text costs one system call and not one for each character. Nothing is lost in either direction:
/// with a full output queue the guest sees its FIFO full, and input waits until the guest listens.
final class SerialPort: BusDevice, @unchecked Sendable {
  // SAFETY: @unchecked: all that changes is behind the mutex; timer and events are descriptors for any thread.

  private struct State: ~Copyable {
    var uart = PL011()
    var output = ByteRing(capacity: SerialPort.outputCapacity)
    var input = ByteRing(capacity: SerialPort.inputCapacity)
    var level = false
    var sourceWaits = false
    var flagReads = 0
    var isListening = false
    var isSuspended = false
  }

  private static let outputCapacity = 16 << 10
  private static let inputCapacity = 1 << 10
  /// The most input of a state, in bytes: a port that was restored before may have more than one keeps otherwise.
  private static let restoredInputLimit = 64 << 10

  /// The registers that tell a guest that polls, ARM DDI 0183, 3.3.1 and 3.3.3.
  private enum Register {
    static let data: UInt64 = 0x000
    static let flags: UInt64 = 0x018
  }

  /// How long the first character of a batch waits for others, in nanoseconds: below what a person notices.
  private static let batchTime: UInt64 = 1_000_000

  /// A guest that reads the flags this often without transmitting polls for input.
  private static let pollingThreshold = 16

  private let state = Mutex(State())
  private let interrupt: LevelInterrupt

  /// Fires when there is output to take.
  let outputTimer: HostTimer
  /// Signalled when there is room again for input that was refused.
  let inputRoom: EventDescriptor

  init(interrupt: LevelInterrupt) throws(HostError) {
    self.interrupt = interrupt
    outputTimer = try HostTimer()
    inputRoom = try EventDescriptor()
  }

  // MARK: The guest's side, on vCPU threads

  override func read(at offset: UInt64, width: Int) -> UInt64 {
    state.withLock { state in
      let value = state.uart.read(at: offset, width: width)
      switch offset {
      case Register.flags: state.flagReads += 1
      case Register.data: state.flagReads = Self.pollingThreshold
      default: break
      }
      settle(&state)
      return value
    }
  }

  override func write(_ value: UInt64, at offset: UInt64, width: Int) {
    state.withLock { state in
      state.uart.write(value, at: offset, width: width)
      state.flagReads = 0
      let waiting = state.output.count
      takeOutput(&state)
      settle(&state)
      // Once for a batch, and once more to hurry when it has grown large.
      let half = Self.outputCapacity / 2
      if waiting == 0, state.output.count > 0 {
        outputTimer.arm(after: Self.batchTime)
      } else if waiting < half, state.output.count >= half {
        outputTimer.arm(after: 1)
      }
    }
  }

  private func takeOutput(_ state: inout State) {
    guard !state.isSuspended else { return }
    while state.output.space > 0, let character = state.uart.takeTransmitted() {
      _ = state.output.append(character)
    }
  }

  /// Gives the guest what it has room for, and drives the interrupt.
  ///
  /// An operating system throws away what it finds in the FIFO when it opens the port, so early input waits until the
  /// guest has enabled the receive interrupt, or polls.
  private func settle(_ state: inout State) {
    guard !state.isSuspended else { return }
    if state.input.count > 0 {
      if !state.isListening {
        state.isListening = state.uart.isListening || state.flagReads >= Self.pollingThreshold
      }
      if state.isListening {
        while state.uart.receiveSpace > 0, let character = state.input.removeFirst() {
          _ = state.uart.receive(character)
        }
        if state.sourceWaits, state.input.space >= Self.inputCapacity / 2 {
          state.sourceWaits = false
          inputRoom.signal()
        }
      }
    }
    let level = state.uart.interruptLevel
    if level != state.level {
      state.level = level
      interrupt.set(level)
    }
  }

  /// What the guest did wrong with the registers so far. From any thread.
  var events: RegisterEvents { state.withLock { $0.uart.events } }

  // MARK: Pause, on the device thread

  /// Leaves the guest's FIFOs and the interrupt as they are. What has left the FIFO goes on to the console, and input
  /// waits. While all vCPUs are held.
  func suspend() {
    state.withLock { $0.isSuspended = true }
  }

  /// Goes on.
  func resume() {
    state.withLock { state in
      state.isSuspended = false
      takeOutput(&state)
      settle(&state)
      if state.output.count > 0 { outputTimer.arm(after: Self.batchTime) }
    }
  }

  // MARK: State, on the device thread, of a suspended port

  /// What the guest can observe, and what is on its way to and from the console.
  var savedState: SerialPortState {
    state.withLock { state in
      SerialPortState(
        uart: state.uart.state,
        output: state.output.contents,
        input: state.input.contents,
        isListening: state.isListening,
        flagReads: state.flagReads
      )
    }
  }

  /// Goes on from a state, behind the interrupt controller and before the guest's first instruction. What has come from
  /// the console already comes behind what the state has.
  ///
  /// - Throws: ``DeviceStateError`` for more bytes than such a port keeps.
  func restore(_ saved: SerialPortState) throws(DeviceStateError) {
    guard saved.output.count <= Self.outputCapacity else { throw .invalid(device: "pl011", field: "output") }
    guard saved.input.count <= Self.restoredInputLimit else { throw .invalid(device: "pl011", field: "input") }
    state.withLock { state in
      state.uart = PL011(state: saved.uart)
      state.output = ByteRing(holding: saved.output, capacity: Self.outputCapacity)
      state.input = ByteRing(holding: saved.input + state.input.contents, capacity: Self.inputCapacity)
      state.isListening = saved.isListening
      state.flagReads = saved.flagReads
      // The line as it was: where the interrupt controller knows it already, this changes nothing.
      state.level = state.uart.interruptLevel
      interrupt.set(state.level)
      guard !state.isSuspended else { return }
      settle(&state)
      if state.output.count > 0 { outputTimer.arm(after: Self.batchTime) }
    }
  }

  // MARK: The console's side, on the device thread

  /// Takes up to `limit` bytes of output, and lets the guest go on where it waited for room.
  func takeOutput(limit: Int) -> [UInt8] {
    state.withLock { state in
      let bytes = state.output.removeFirst(limit: limit)
      takeOutput(&state)
      settle(&state)
      return bytes
    }
  }

  /// How many bytes of input fit. Where it is 0, ``inputRoom`` will be signalled.
  func inputSpace() -> Int {
    state.withLock { state in
      let space = state.input.space
      state.sourceWaits = space == 0
      return space
    }
  }

  /// Queues input for the guest.
  ///
  /// - Precondition: it fits; see ``inputSpace()``.
  func receive(_ bytes: ArraySlice<UInt8>) {
    state.withLock { state in
      for byte in bytes {
        let fits = state.input.append(byte)
        precondition(fits, "input is offered when there is room")
      }
      settle(&state)
    }
  }
}

extension SerialPort: GuestConsole {
  var outputDescriptor: Int32 { outputTimer.rawValue }
  func answerOutput() { outputTimer.clear() }
  func armOutput(after nanoseconds: UInt64) { outputTimer.arm(after: nanoseconds) }
  var inputRoomDescriptor: Int32 { inputRoom.rawValue }
  func answerInputRoom() { inputRoom.clear() }
  var signalInputRoom: @Sendable () -> Void { { self.inputRoom.signal() } }
}

/// A serial port's, with what is on its way to and from the console.
struct SerialPortState: VersionedState, Equatable {
  static let kind = "pl011"
  static let version: UInt32 = 1

  var uart: PL011.State
  /// What the guest has transmitted and the console has not taken.
  var output: [UInt8]
  /// What came from the console and the guest has not received.
  var input: [UInt8]
  /// Whether the guest has ever waited for input.
  var isListening: Bool
  /// How often it has read the flags since it transmitted last.
  var flagReads: Int
}
