import CHost
import Glibc
import GuestMemory
import Host
import TestSupport
import Testing
import VirtioDevices
import VirtioDriver
import VirtioTesting

@testable import HostBackends

/// The test's end of a stream socket.
private struct Peer: ~Copyable {
  let descriptor: OwnedDescriptor

  /// A socket with one end in the back-end's hands.
  static func attached(to backend: StreamNetworkBackend) throws -> Peer {
    var (ours, theirs): (Int32, Int32) = (-1, -1)
    // SAFETY: the call writes both variables and keeps neither.
    _ = unsafe chost_stream_pair(&ours, &theirs)
    try backend.attach(OwnedDescriptor(owning: theirs))
    return Peer(descriptor: OwnedDescriptor(owning: ours))
  }

  func send(_ bytes: ArraySlice<UInt8>) {
    let bytes = Array(bytes)
    // SAFETY: the array holds for the call and has as many bytes as are written.
    #expect(unsafe write(descriptor.rawValue, bytes, bytes.count) == bytes.count)
  }

  /// What has arrived.
  func take() -> [UInt8] {
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      // SAFETY: the call writes at most the array's count of bytes.
      let count = unsafe Int(chost_socket_receive(descriptor.rawValue, &chunk, chunk.count))
      guard count > 0 else { return all }
      all += chunk[..<count]
    }
  }
}

private func framed(_ packets: [[UInt8]]) -> [UInt8] {
  packets.flatMap { packet in
    let size = UInt32(packet.count)
    return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: size >> UInt32($0)) } + packet
  }
}

private func packets(_ count: Int, upTo size: Int, seed: UInt64) -> [[UInt8]] {
  var generator = SplitMix64(seed: seed)
  return (0..<count).map { _ in
    let first = UInt8.random(in: 0...255, using: &generator)
    return (0..<Int.random(in: 1...size, using: &generator)).map { first &+ UInt8(truncatingIfNeeded: $0) }
  }
}

extension StreamNetworkBackend {
  /// Sends a packet that is cut in two segments.
  func send(_ packet: [UInt8]) -> Bool {
    var packet = packet
    let half = packet.count / 2
    // SAFETY: the bytes hold until the commit, and both segments are inside.
    return unsafe packet.withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return false }
      var parts = unsafe [
        DMASegment(base: base, count: half),
        DMASegment(base: base + half, count: bytes.count - half),
      ]
      return unsafe parts.withUnsafeMutableBufferPointer { parts in
        let isSent = unsafe send(parts, size: bytes.count)
        commit()
        return isSent
      }
    }
  }

  /// The next packet, received in pieces of 100 bytes.
  func next() -> [UInt8]? {
    guard let size = nextPacketSize() else { return nil }
    var packet = [UInt8](repeating: 0, count: size)
    // SAFETY: the segments cover the buffer.
    let received = unsafe packet.withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return 0 }
      var parts = unsafe stride(from: 0, to: size, by: 100).map {
        unsafe DMASegment(base: base + $0, count: min(100, size - $0))
      }
      return unsafe parts.withUnsafeMutableBufferPointer { unsafe receive(into: $0) }
    }
    return received == size ? packet : nil
  }
}

extension EventLoop {
  /// Runs for 50 ms.
  fileprivate func runBriefly() throws {
    let timer = try HostTimer()
    _ = try add(timer.rawValue, EventLoop.readable, ClosureHandler { [unowned self] _ in stop() })
    timer.arm(after: 50_000_000)
    try run()
    remove(timer.rawValue)
  }
}

@Suite(.timeLimit(.minutes(10))) struct StreamNetworkBackendTests {
  @Test func packetsGoOutBehindTheirSizes() throws {
    let backend = try StreamNetworkBackend(EventLoop())
    let peer = try Peer.attached(to: backend)
    let packets = packets(10, upTo: 2000, seed: 1)

    let sent = packets.map { backend.send($0) }

    let arrived = peer.take()
    #expect(!sent.contains(false))
    #expect(arrived == framed(packets))
    backend.shutDown()
  }

  @Test func packetsAreFoundWhereverTheStreamIsCut() throws {
    let backend = try StreamNetworkBackend(EventLoop())
    let peer = try Peer.attached(to: backend)
    let packets = packets(60, upTo: 3000, seed: 2)
    let stream = framed(packets)
    var generator = SplitMix64(seed: 3)

    var received: [[UInt8]] = []
    var position = 0
    while position < stream.count {
      let end = min(stream.count, position + Int.random(in: 1...5000, using: &generator))
      peer.send(stream[position..<end])
      position = end
      backend.noteArrivals()
      while let packet = backend.next() { received.append(packet) }
    }

    #expect(received == packets)
    backend.shutDown()
  }

  @Test func aPeerThatDoesNotReadStopsTheSenderAndLosesNothing() throws {
    let loop = try EventLoop()
    let backend = try StreamNetworkBackend(loop)
    let peer = try Peer.attached(to: backend)
    var hasRoom = false
    backend.turns.connect(
      NetworkEvents(
        readable: { false },
        writable: {
          hasRoom = backend.sendKept()
          if hasRoom { loop.stop() }
          return false
        },
        lost: {}
      )
    )
    let packet = [UInt8](repeating: 7, count: 60_000)
    var accepted = 0
    while accepted < 100, backend.send(packet) { accepted += 1 }
    let isRefusedAgain = backend.send(packet)

    let early = peer.take()
    try loop.run()

    let late = peer.take()
    let arrived = early + late
    #expect(accepted < 100)
    #expect(!isRefusedAgain)
    #expect(hasRoom)
    #expect(firstDifference(arrived, framed(Array(repeating: packet, count: accepted))) == nil)
    backend.shutDown()
  }

  @Test(arguments: [0, 65535 + 19, 0xFFFF_FFFF] as [UInt32])
  func aSizeThatNoPacketHasEndsTheConnection(size: UInt32) throws {
    let loop = try EventLoop()
    let backend = try StreamNetworkBackend(loop)
    let peer = try Peer.attached(to: backend)
    backend.turns.connect(NetworkEvents(readable: { false }, writable: { false }, lost: { loop.stop() }))
    peer.send([24, 16, 8, 0].map { UInt8(truncatingIfNeeded: size >> UInt32($0)) }[...])

    let next = backend.nextPacketSize()
    try loop.run()

    #expect(next == nil)
    #expect(backend.send([1, 2, 3]))
    backend.shutDown()
  }

  @Test(arguments: [1, 13, 65536, 65553])
  func aPacketOfASizeThatPasstDoesNotTakeIsLost(size: Int) throws {
    let backend = try StreamNetworkBackend(EventLoop(), peer: .passt(hostLoopback: true))
    let peer = try Peer.attached(to: backend)

    let isSent = backend.send([UInt8](repeating: 1, count: size))
    let isNextSent = backend.send([UInt8](1...14))

    let arrived = peer.take()
    #expect(isSent && isNextSent)
    #expect(firstDifference(arrived, framed([[UInt8](1...14)])) == nil)
    backend.shutDown()
  }

  @Test func whatWaitedForRoomIsLostWithTheLinkAndTheNextOneTakesAll() throws {
    let loop = try EventLoop()
    let backend = try StreamNetworkBackend(loop)
    let device = NetworkDevice(name: "net", backend: backend, mac: [2, 0, 0, 0, 0, 1])
    backend.connect(device) {}
    let first = try Peer.attached(to: backend)
    var fixture = try DeviceFixture(device, queueSize: 256)
    // The first peer never reads, so the ring fills up behind the socket.
    var offered = 0
    while offered - Int(fixture.queues[1].usedIndex) < 256 {
      fixture.request([.init(fixture.scratch, 1512, isWritable: false)], to: 1, head: UInt16(offered % 256))
      offered += 1
    }

    backend.detach()
    backend.changeLink(of: device, false)
    try loop.runBriefly()
    let second = try Peer.attached(to: backend)
    backend.changeLink(of: device, true)
    try loop.runBriefly()
    fixture.request([.init(fixture.scratch, 1512, isWritable: false)], to: 1, head: 0)
    try loop.runBriefly()

    let arrived = second.take()
    #expect(Int(fixture.queues[1].usedIndex) == offered + 1)
    #expect(arrived.count == 1504)
    _ = first.take()
    backend.shutDown()
  }

  @Test func aPeerThatSendsAndGoesAtOnceIsServedAndThenNoticed() throws {
    let loop = try EventLoop()
    let backend = try StreamNetworkBackend(loop)
    var received: [[UInt8]] = []
    backend.turns.connect(
      NetworkEvents(
        readable: {
          backend.noteArrivals()
          while let packet = backend.next() { received.append(packet) }
          return false
        },
        writable: { false },
        lost: { loop.stop() }
      )
    )
    do {
      let peer = try Peer.attached(to: backend)
      peer.send(framed([[1, 2, 3]])[...])
    }

    try loop.run()

    #expect(received == [[1, 2, 3]])
    backend.shutDown()
  }

  @Test func aPeerThatGoesIsNoticedAndANewOneServed() throws {
    let loop = try EventLoop()
    let backend = try StreamNetworkBackend(loop)
    backend.turns.connect(
      NetworkEvents(
        readable: {
          backend.noteArrivals()
          return backend.nextPacketSize() != nil
        },
        writable: { false },
        lost: { loop.stop() }
      )
    )
    do { _ = try Peer.attached(to: backend) }
    try loop.run()

    let peer = try Peer.attached(to: backend)
    let isSent = backend.send([1, 2, 3])

    let arrived = peer.take()
    #expect(isSent)
    #expect(arrived == framed([[1, 2, 3]]))
    backend.shutDown()
  }
}

@Suite(.timeLimit(.minutes(10))) struct NetworkDescriptorTests {
  private func pair(_ type: __socket_type) throws -> (Int32, Int32) {
    var ends: [Int32] = [-1, -1]
    // SAFETY: the array has room for two.
    try #require(unsafe socketpair(AF_UNIX, Int32(type.rawValue), 0, &ends) == 0)
    return (ends[0], ends[1])
  }

  @Test func socketsAreToldApart() throws {
    let stream = try pair(SOCK_STREAM)
    let packets = try pair(SOCK_DGRAM)
    defer { for descriptor in [stream.0, stream.1, packets.0, packets.1] { close(descriptor) } }

    let kinds = [try NetworkCard.describe(stream.0).kind, try NetworkCard.describe(packets.0).kind]

    #expect(kinds == [chost_network_stream, chost_network_packets])
  }

  @Test func whatCarriesNoPacketsIsRefused() throws {
    // SAFETY: the path holds for the call.
    let file = unsafe open("/dev/null", O_RDWR)
    defer { close(file) }

    #expect(throws: NetworkError.notANetwork(file)) { _ = try NetworkCard.describe(file) }
    #expect(throws: NetworkError.cannotUseDescriptor(9999, errno: EBADF)) { _ = try NetworkCard.describe(9999) }
  }

  @Test func aSocketOfPacketsCarriesEachAsOne() throws {
    let ends = try pair(SOCK_SEQPACKET)
    defer { close(ends.1) }
    let backend = try PacketNetworkBackend(
      OwnedDescriptor(owning: ends.0),
      try NetworkCard.describe(ends.0),
      EventLoop()
    )
    let packet = [UInt8](1...100)
    // SAFETY: the array holds for the call and has as many bytes as are written.
    #expect(unsafe write(ends.1, packet, packet.count) == packet.count)

    let size = backend.nextPacketSize()
    var received = [UInt8](repeating: 0, count: 100)
    // SAFETY: the segment covers the buffer.
    let count = unsafe received.withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return 0 }
      var part = unsafe [DMASegment(base: base, count: bytes.count)]
      return unsafe part.withUnsafeMutableBufferPointer { part in
        defer { _ = unsafe backend.send(part, size: 100) }
        return unsafe backend.receive(into: part)
      }
    }
    var echoed = [UInt8](repeating: 0, count: 200)
    let echoedCount = unsafe read(ends.1, &echoed, echoed.count)

    #expect(size == 100)
    #expect(count == 100)
    #expect(received == packet)
    #expect(echoed.prefix(max(0, echoedCount)) == packet[...])
    #expect(backend.nextPacketSize() == nil)
    backend.shutDown()
  }
}
