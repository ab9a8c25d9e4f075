internal import CHost
internal import DeviceMessages
internal import Host
internal import Virtio
internal import VirtioDevices
internal import VirtioDriver
internal import VirtioTesting

/// What the fuzz targets enter the messages of devices by, and tests, too.
public enum ExerciseMessages {
  /// Has a front-end take bytes of a device's process, while two chains are with it.
  public static func device(_ bytes: [UInt8]) {
    guard let pair = SocketPair() else { return }
    let hello = Self.hello
    let device = MessagesDevice(
      name: "device",
      type: .block,
      MessagePeer(OwnedDescriptor(owning: pair.one), room: 4096),
      hello,
      path: "/nowhere/at/all",
      patience: .zero
    ) { _ in }
    guard var fixture = try? DeviceFixture(device, queueSize: 8) else { return }
    device.begin(NoWatcher())
    let at = fixture.scratch
    fixture.request([.init(at, 16, isWritable: false), .init(at + 64, 513, isWritable: true)], to: 0, head: 0)
    fixture.request([.init(at, 16, isWritable: false), .init(at + 64, 1, isWritable: true)], to: 0, head: 2)
    pair.send(bytes)
    for _ in 0..<3 { device.ready() }
    device.tick()
    device.shutDown()
  }

  /// Has a server of a disk take bytes of a machine, after a greeting and a start where the first byte is odd; and then
  /// end with that machine.
  public static func server(_ bytes: [UInt8]) {
    guard let pair = SocketPair(), let loop = try? EventLoop(), let thread = try? ServerThread(loop),
      let event = try? EventDescriptor()
    else { return }
    let model = BlockDevice(name: "disk", backend: MemoryBlock(sectors: 64))
    guard let server = try? DeviceServer(model, nil, loop: loop, thread: thread) else { return }
    _ = try? loop.add(event.rawValue, EventLoop.readable, ClosureHandler { _ in loop.stop() })
    server.take(OwnedDescriptor(owning: pair.one))
    if bytes.first.map({ $0 & 1 == 1 }) ?? false {
      pair.send(frame(1, [1, 0, 0, 0]) + frame(2, start))
      pair.send(Array(bytes.dropFirst()))
    } else {
      pair.send(bytes)
    }
    for round in 0..<6 {
      event.signal()
      try? loop.run()
      event.clear()
      if round == 3 { pair.closeOther() }
    }
    server.close()
    thread.end()
    loop.removeAll()
  }

  /// What processes say that keep to the rules, and some that do not.
  public static var deviceSeeds: [[UInt8]] {
    let sector = [UInt8](repeating: 7, count: 513)
    return [
      frame(6, ticket: 1 << 48 | 1 << 16, [1, 2, 0, 0, 0, 0, 0, 0] + sector),
      frame(6, ticket: 1 << 48 | 1 << 16, [0, 0, 0, 0, 1, 1, 0, 0]),
      frame(6, ticket: 1 << 48 | 1 << 16, [1, 2, 0, 0, 0, 0, 0, 0] + sector.prefix(5))
        + frame(5, ticket: 1 << 48 | 1 << 16, Array(sector.dropFirst(5))),
      frame(14, hello.configuration), frame(17, Array("a descriptor has length zero".utf8)), frame(11, ticket: 1),
    ]
  }

  /// What machines say that keep to the rules.
  public static var serverSeeds: [[UInt8]] {
    let read = [16, 0, 0, 0, 1, 2, 0, 0] + [UInt8](repeating: 0, count: 16)
    return [
      [1] + frame(4, ticket: 1 << 16, read),
      [1] + frame(4, ticket: 1 << 16, Array(read.prefix(12))) + frame(5, ticket: 1 << 16, Array(read.suffix(12))),
      [1] + frame(8, ticket: 1) + frame(2, start) + frame(4, ticket: 1 << 16, read),
      [1] + frame(7, ticket: 1) + frame(3), [1] + frame(9, ticket: 1) + frame(10), [1] + frame(16, ticket: 1),
      [1] + frame(15, ticket: 32, [0]), frame(1, [1, 0, 0, 0]) + frame(13, [0, 0, 0, 0, 1]) + frame(2, start),
    ]
  }

  private static var start: [UInt8] { [UInt8](repeating: 0, count: 8) + [1] + [UInt8](repeating: 0, count: 11) }

  private static func frame(_ kind: UInt8, queue: UInt8 = 0, ticket: UInt64 = 0, _ body: [UInt8] = []) -> [UInt8] {
    var frame: [UInt8] = []
    for shift in stride(from: UInt32(0), to: 32, by: 8) {
      frame.append(UInt8(truncatingIfNeeded: UInt32(body.count) >> shift))
    }
    frame += [kind, 0, queue, 0]
    for shift in stride(from: UInt64(0), to: 64, by: 8) { frame.append(UInt8(truncatingIfNeeded: ticket >> shift)) }
    return frame + body
  }

  private static var hello: MessageHello {
    var configuration = [UInt8](repeating: 0, count: 60)
    configuration[0] = 64
    return MessageHello(
      identifier: VirtioDeviceIdentifier.block.rawValue,
      features: [],
      queueSizes: [128],
      configuration: configuration,
      writable: 32..<33,
      granule: 65536,
      credit: 16 << 20
    )
  }
}

/// Two connected sockets; the first is somebody else's.
private final class SocketPair {
  let one: Int32
  private var other: OwnedDescriptor?

  init?() {
    var (one, other): (Int32, Int32) = (-1, -1)
    // SAFETY: the numbers hold for the call.
    guard unsafe chost_stream_pair(&one, &other) == 0 else { return nil }
    self.one = one
    self.other = OwnedDescriptor(owning: other)
  }

  /// Sends as much as there is room for.
  func send(_ bytes: [UInt8]) {
    guard let number = other?.rawValue else { return }
    // SAFETY: the array holds for the call and its size goes along.
    _ = unsafe chost_peer_send(number, bytes, bytes.count)
  }

  func closeOther() { other = nil }
}

/// Waits for nothing: whoever has it calls the device.
private final class NoWatcher: MessageWatcher {
  func watch(_ peer: MessagePeer) {}
  func wantRoom(_ wants: Bool) {}
  func unwatch() {}
  func arm(after nanoseconds: UInt64) {}
  func callSoon() {}
  func end() {}
}
