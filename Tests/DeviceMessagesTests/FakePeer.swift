import CHost
import Glibc
import Host
import Virtio
import VirtioDriver
import VirtioTesting

@testable import DeviceMessages

/// The other side of a connection, which says what a test has it say.
final class FakePeer {
  let descriptor: OwnedDescriptor

  /// Ends the connection as a process's end does.
  func close() { shutdown(descriptor.rawValue, Int32(SHUT_RDWR)) }

  init(_ descriptor: consuming OwnedDescriptor) {
    self.descriptor = descriptor
  }

  static func pair() -> (Int32, FakePeer) {
    var (one, other): (Int32, Int32) = (-1, -1)
    // SAFETY: the numbers hold for the call.
    let result = unsafe chost_stream_pair(&one, &other)
    precondition(result == 0, "there are sockets")
    return (one, FakePeer(OwnedDescriptor(owning: other)))
  }

  /// Sends bytes; `false`: they were not all taken.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    // SAFETY: the array holds for the call and its size goes along.
    unsafe chost_peer_send(descriptor.rawValue, bytes, bytes.count) == bytes.count
  }

  func send(_ kind: MessageKind, queue: UInt16 = 0, ticket: UInt64 = 0, _ body: [UInt8] = []) {
    send(Self.frame(kind.rawValue, UInt32(body.count), queue: queue, ticket: ticket) + body)
  }

  func complete(_ ticket: UInt64, queue: UInt16 = 0, used: UInt32, last: UInt8? = nil, _ bytes: [UInt8]) {
    var body: [UInt8] = []
    body.append(number: used)
    body += [last == nil ? 0 : 1, last ?? 0, 0, 0]
    send(.complete, queue: queue, ticket: ticket, body + bytes)
  }

  static func frame(_ kind: UInt16, _ length: UInt32, queue: UInt16 = 0, ticket: UInt64 = 0) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(number: length)
    bytes.append(number: kind)
    bytes.append(number: queue)
    bytes.append(number: ticket)
    return bytes
  }

  struct Frame: Equatable {
    var kind: MessageKind?
    var queue: UInt16
    var ticket: UInt64
    var body: [UInt8]
  }

  private var received: [UInt8] = []
  private(set) var isClosed = false

  /// The frames that have come.
  func take() -> [Frame] {
    var chunk = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      // SAFETY: the array holds for the call and its size goes along.
      let count = unsafe Int(chost_socket_receive(descriptor.rawValue, &chunk, chunk.count))
      if count == 0 || count < 0 && count != -Int(EAGAIN) { isClosed = true }
      guard count > 0 else { break }
      received += chunk[..<count]
    }
    var frames: [Frame] = []
    while received.count >= 16 {
      var reader = BodyReader(received)
      guard let length = try? reader.number(UInt32.self), let kind = try? reader.number(UInt16.self),
        let queue = try? reader.number(UInt16.self), let ticket = try? reader.number(UInt64.self),
        let body = try? reader.take(Int(length))
      else { break }
      frames.append(Frame(kind: MessageKind(rawValue: kind), queue: queue, ticket: ticket, body: body))
      received = reader.rest
    }
    return frames
  }
}

extension MessageHello {
  static let entropy = MessageHello(
    identifier: 4,
    features: [],
    queueSizes: [64],
    configuration: [],
    writable: 0..<0,
    granule: 65536,
    credit: 1 << 20
  )

  static var block: MessageHello {
    var configuration = [UInt8](repeating: 0, count: 60)
    configuration[0] = 64
    return MessageHello(
      identifier: 2,
      features: [],
      queueSizes: [128],
      configuration: configuration,
      writable: 32..<33,
      granule: 65536,
      credit: 16 << 20
    )
  }
}

/// A front-end with a peer that a test plays.
final class FakeServerFixture {
  let loop: TestLoop
  let device: MessagesDevice
  let thread = ImmediateThread()
  let peer: FakePeer
  var driver: TestDriver
  let log = MessagesFixture.Log()
  var events: [MessagesDeviceEvent] { log.events }
  /// Has the peer answer what a driver waits for.
  var answers = true

  init(
    _ type: VirtioDeviceIdentifier,
    _ hello: MessageHello,
    path: String = "/nowhere/at/all",
    deadline: Duration = .milliseconds(300),
    patience: Duration = .milliseconds(300)
  ) throws {
    let (socket, peer) = FakePeer.pair()
    self.peer = peer
    let loop = try TestLoop()
    self.loop = loop
    let log = log
    device = MessagesDevice(
      name: "device",
      type: type,
      MessagePeer(OwnedDescriptor(owning: socket), room: 4096),
      hello,
      path: path,
      patience: patience,
      deadline: deadline
    ) { log.events.append($0) }
    driver = try TestDriver(device, thread)
    device.begin(try LoopWatcher(device, loop.loop))
    thread.whileWaiting = { [unowned self] in
      if answers {
        for frame in peer.take() where frame.kind == .reset || frame.kind == .stop {
          peer.send(.done, ticket: frame.ticket)
        }
      }
      loop.turn()
    }
    driver.start()
    _ = peer.take()
  }

  /// Offers a buffer, or a read of a sector.
  ///
  /// - Returns: the chain's ticket.
  func offer() -> UInt64 {
    let at = driver.scratch
    if device.identifier == .block {
      driver.machine.store64(0, at: at)
      driver.machine.store64(0, at: at + 8)
      driver.machine.store8(0xEE, at: at + 16)
      driver.request([
        .init(at, 16, isWritable: false), .init(at + 0x1000, 512, isWritable: true),
        .init(at + 16, 1, isWritable: true),
      ])
    } else {
      driver.request([.init(at, 64, isWritable: true)])
    }
    loop.turn()
    return peer.take().first { $0.kind == .chain }?.ticket ?? 0
  }

  var failure: MessageFault? {
    for event in events {
      if case .failed(let fault) = event { return fault }
    }
    return nil
  }

  deinit {
    device.shutDown()
  }
}
