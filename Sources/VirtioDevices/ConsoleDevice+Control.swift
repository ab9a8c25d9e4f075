internal import Virtio

/// Feature bits of a console device (virtio 1.3, 5.3.3).
enum ConsoleFeature {
  static let size = VirtioFeatures(bit: 0)
  static let multiplePorts = VirtioFeatures(bit: 1)
  static let emergencyWrite = VirtioFeatures(bit: 2)
}

/// Offsets in a console device's configuration space (virtio 1.3, 5.3.4).
enum ConsoleField {
  static let columns = 0
  static let rows = 2
  static let portMaximum = 4
  static let emergencyWrite = 8
  static let size = 12
}

/// What a queue of a console device is for (virtio 1.3, 5.3.2).
public enum ConsoleQueue: Equatable, Sendable {
  /// To the guest, of the port of that number.
  case receive(Int)
  /// From the guest, of the port of that number.
  case transmit(Int)
  /// Control messages to the guest.
  case controlReceive
  /// Control messages from the guest.
  case controlTransmit

  /// What the queue of that number is for, from 0.
  public init(_ index: Int) {
    switch index {
    case 0: self = .receive(0)
    case 1: self = .transmit(0)
    case 2: self = .controlReceive
    case 3: self = .controlTransmit
    default: self = index % 2 == 0 ? .receive(index / 2 - 1) : .transmit(index / 2 - 1)
    }
  }

  /// The queue's number.
  public var index: Int {
    switch self {
    case .receive(0): 0
    case .transmit(0): 1
    case .controlReceive: 2
    case .controlTransmit: 3
    case .receive(let port): 2 * port + 2
    case .transmit(let port): 2 * port + 3
    }
  }
}

/// Events of control messages (virtio 1.3, 5.3.6.2).
enum ConsoleEvent {
  static let deviceReady: UInt16 = 0
  static let portAdd: UInt16 = 1
  static let portReady: UInt16 = 3
  static let consolePort: UInt16 = 4
  static let resize: UInt16 = 5
  static let portOpen: UInt16 = 6
  static let portName: UInt16 = 7
}

/// A message that the guest has yet to be sent about a port, in the order in which they are sent.
struct ConsolePending: OptionSet, Equatable, Sendable {
  let rawValue: UInt8

  static let add = ConsolePending(rawValue: 1)
  static let console = ConsolePending(rawValue: 2)
  static let name = ConsolePending(rawValue: 4)
  static let open = ConsolePending(rawValue: 8)

  static let resize = ConsolePending(rawValue: 16)

  /// That nothing is connected, before ``open``.
  static let close = ConsolePending(rawValue: 32)
}

extension ConsoleMessage {
  /// In which messages about a port are sent.
  static let inOrder: [ConsoleMessage] = [.add, .console, .resize, .name, .close, .open]

  var pending: ConsolePending {
    switch self {
    case .add: .add
    case .close: .close
    case .console: .console
    case .name: .name
    case .open: .open
    case .resize: .resize
    }
  }
}

struct ConsolePortState {
  let isConsole: Bool
  let name: [UInt8]
  var isConnected: Bool
  /// The guest has announced that it knows the port.
  var isReady = false
  var isOpen = false
  var pending: ConsolePending = []
  /// How much of the transmit queue's first chain the port has taken, in bytes.
  var transmitted = 0

  init(_ description: ConsolePortDescription) {
    isConsole = description.isConsole
    name = Array((description.name ?? "").utf8)
    precondition(name.count <= 127, "a port's name has at most 127 bytes")
    isConnected = description.isConnected
  }

  var saved: ConsoleDeviceState.Port {
    ConsoleDeviceState.Port(
      isReady: isReady,
      isOpen: isOpen,
      isConnected: isConnected,
      pending: ConsoleMessage.inOrder.filter { pending.contains($0.pending) },
      transmitted: transmitted
    )
  }

  mutating func restore(_ saved: ConsoleDeviceState.Port) {
    isReady = saved.isReady
    isOpen = saved.isOpen
    pending = ConsolePending(saved.pending.map(\.pending))
    transmitted = saved.transmitted
    // What is connected here and now is news where it was not so there.
    if isReady, saved.isConnected != isConnected { pending.insert(.open) }
  }
}

/// What a console device keeps on the device thread.
struct ConsoleState: ~Copyable {
  var ports: [ConsolePortState]
  var queues: DeviceQueues
  var chain: DescriptorChain
  var isDriverReady = false
  var isSuspended = false
  /// The first console's size is a real one.
  var isSizeKnown = false

  init(ports: [ConsolePortState], queueCount: Int, chainCapacity: Int) {
    self.ports = ports
    queues = DeviceQueues(count: queueCount)
    chain = DescriptorChain(capacity: chainCapacity)
  }
}

extension ConsoleDevice {
  func setOpen(_ port: Int, _ isOpen: Bool) {
    guard state.value.ports[port].isOpen != isOpen else { return }
    state.value.ports[port].isOpen = isOpen
    backends[port].guestChanged(isOpen: isOpen)
  }

  /// Takes what the guest says.
  ///
  /// - Returns: whether to call again when other devices had their turn.
  func receiveControl() -> Bool {
    guard let queue = state.value.queues[ConsoleQueue.controlTransmit.index],
      let connection = state.value.queues.connection
    else { return false }
    let hasMore = connection.workOff(queue, turn: Self.turnLimit) {
      queue.takeNext(into: &state.value.chain)
    } serve: {
      guard let port = state.value.chain.takeReadable(as: UInt32.self),
        let event = state.value.chain.takeReadable(as: UInt16.self),
        let value = state.value.chain.takeReadable(as: UInt16.self)
      else { return .fault(.headerIncomplete) }
      queue.giveBack(head: state.value.chain.head, written: 0)
      handle(event, port: port, value: value)
      return .done
    }
    if mayWork { sendControl() }
    return hasMore
  }

  /// Messages about ports that aren't there, and unknown ones, say nothing.
  private func handle(_ event: UInt16, port number: UInt32, value: UInt16) {
    if event == ConsoleEvent.deviceReady {
      state.value.isDriverReady = value == 1
      guard state.value.isDriverReady else { return }
      for index in state.value.ports.indices { state.value.ports[index].pending = .add }
      return
    }
    guard let port = Int(exactly: number), state.value.ports.indices.contains(port) else { return }
    switch event {
    case ConsoleEvent.portReady:
      state.value.ports[port].isReady = value == 1
      guard state.value.ports[port].isReady else { return }
      if state.value.ports[port].isConsole {
        state.value.ports[port].pending.insert(.console)
        if port == 0, state.value.isSizeKnown { state.value.ports[port].pending.insert(.resize) }
      }
      if !state.value.ports[port].name.isEmpty { state.value.ports[port].pending.insert(.name) }
      if state.value.ports[port].isConnected { state.value.ports[port].pending.insert(.open) }
    case ConsoleEvent.portOpen: setOpen(port, value == 1)
    default: break
    }
  }

  /// Sends what is pending, as far as there are buffers for it.
  func sendControl() {
    guard state.value.isDriverReady, state.value.ports.contains(where: { !$0.pending.isEmpty }) else { return }
    let index = ConsoleQueue.controlReceive.index
    guard let queue = state.value.queues[index] else { return }
    repeat {
      while let (port, message) = nextPending() {
        switch queue.takeNext(into: &state.value.chain) {
        case .fault(let fault):
          fail(index, fault)
          return
        case .chain:
          guard state.value.chain.readableBytes == 0 else {
            fail(index, .readableUnexpected)
            return
          }
          state.value.ports[port].pending.remove(message.pending)
          queue.giveBack(head: state.value.chain.head, written: write(message, of: port))
          continue
        case .empty: break
        }
        break
      }
      publish(queue)
    } while queue.resumeNotifications() && nextPending() != nil
  }

  private func nextPending() -> (Int, ConsoleMessage)? {
    for port in state.value.ports.indices where !state.value.ports[port].pending.isEmpty {
      for message in ConsoleMessage.inOrder where state.value.ports[port].pending.contains(message.pending) {
        return (port, message)
      }
    }
    return nil
  }

  /// A message that the guest's buffer is too short for is cut.
  private func write(_ message: ConsoleMessage, of port: Int) -> Int {
    var bytes = [UInt8](repeating: 0, count: 8)
    bytes.store(UInt32(port), at: 0)
    switch message {
    case .add: bytes.store(ConsoleEvent.portAdd, at: 4)
    case .console: bytes.store(ConsoleEvent.consolePort, at: 4)
    case .name: bytes.store(ConsoleEvent.portName, at: 4)
    case .resize: bytes.store(ConsoleEvent.resize, at: 4)
    case .close, .open: bytes.store(ConsoleEvent.portOpen, at: 4)
    }
    let isOff = message == .close || message == .open && !state.value.ports[port].isConnected
    bytes.store(UInt16(isOff ? 0 : 1), at: 6)
    if message == .name { bytes += state.value.ports[port].name }
    // Columns and rows, as they stand at the start of the configuration space.
    if message == .resize { bytes += configuration.bytes[..<ConsoleField.portMaximum] }
    // SAFETY: the bytes are this call's own.
    return unsafe bytes.withUnsafeBytes { unsafe state.value.chain.write($0) }
  }
}
