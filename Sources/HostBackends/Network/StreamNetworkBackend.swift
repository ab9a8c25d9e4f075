import CHost
internal import Glibc
package import GuestMemory
package import Host
import Virtio
package import VirtioDevices

/// A network behind a stream socket, each packet behind its size in four bytes, most significant first: what passt and
/// QEMU's `-netdev stream` speak.
///
/// A batch of packets goes out in one system call from where it lies in the guest's buffers; what arrives is read as
/// much at a time as there is. Packets have no header of virtio-net's, so they are complete: nothing is offloaded.
@safe
package final class StreamNetworkBackend: LoopNetworkBackend {
  // SAFETY: the buffers are allocated in init and released in deinit, with the sizes that the constants name.

  /// A packet's size before it.
  private static let prefix = 4
  private static let headSize = 64
  /// The largest packet: 65,535 bytes and a link header with a VLAN tag.
  private static let largestPacket = 65535 + 18
  /// What one batch has at most.
  private static let batchBytes = 256 << 10
  private static let batchPackets = 64
  private static let batchVectors = 1024
  private static let receiveBytes = 256 << 10

  /// Who is on the other side.
  package enum Peer: Equatable {
    /// passt, which looks at no checksums and leads the gateway's address to the host's loopback interface or not.
    case passt(hostLoopback: Bool)
    case any
  }

  package let hasHeader = false
  package let offloads: NetworkOffloads = []
  package let ignoresChecksums: Bool
  /// The sizes of packets that the peer takes. passt gives up a connection for any other.
  private let packetSizes: ClosedRange<Int>
  /// Whether packets to the host's loopback addresses are thrown away.
  private let keepsOffLoopback: Bool

  package let turns: NetworkTurns
  private let loop: EventLoop
  private var port: NetworkPort?
  private let state: DeviceThreadState<State>

  private let received: UnsafeMutableRawPointer
  /// What a socket took of a batch only in part.
  private let unsent: UnsafeMutableRawPointer
  private let vectors: UnsafeMutablePointer<DMASegment>
  /// For each packet of a batch ``headSize`` bytes: its size, and its first bytes where those were looked at.
  private let heads: UnsafeMutableRawPointer

  private struct State {
    /// The socket, or -1 while there is none.
    var socket: Int32 = -1
    /// Whether the socket may have more than was read.
    var hasArrivals = false
    var receivedStart = 0
    var receivedEnd = 0
    var unsentStart = 0
    var unsentEnd = 0
    var vectorCount = 0
    var packetCount = 0
    var byteCount = 0
  }

  /// - Throws: where the host has no descriptor or the loop takes no more.
  package init(_ loop: EventLoop, peer: Peer = .any) throws(HostError) {
    self.loop = loop
    // passt ends the guest's connections and reads what is in them: no packet goes on to where its checksum counts.
    ignoresChecksums = peer != .any
    packetSizes = peer != .any ? 14...65535 : 1...Self.largestPacket
    keepsOffLoopback = peer == .passt(hostLoopback: false)
    turns = try NetworkTurns(loop)
    state = DeviceThreadState(State())
    unsafe received = .allocate(byteCount: Self.receiveBytes, alignment: 64)
    unsafe unsent = .allocate(byteCount: Self.batchBytes, alignment: 64)
    unsafe vectors = .allocate(capacity: Self.batchVectors)
    unsafe heads = .allocate(byteCount: Self.batchPackets * Self.headSize, alignment: 64)
  }

  deinit {
    // SAFETY: nobody holds a pointer into them.
    unsafe received.deallocate()
    unsafe unsent.deallocate()
    unsafe vectors.deallocate()
    unsafe heads.deallocate()
  }

  /// Begins with a socket, whatever was with the one before.
  ///
  /// - Throws: where the socket cannot be waited for.
  package func attach(_ socket: consuming OwnedDescriptor) throws(HostError) {
    detach()
    let port = try NetworkPort(socket, loop: loop, turns: turns)
    self.port = port
    state.value.socket = port.rawValue
    state.value.hasArrivals = true
  }

  // Forgets also what was under way.
  package func detach() {
    state.value = State()
    port?.disconnect()
    port = nil
  }

  package func shutDown() {
    detach()
    turns.disconnect()
  }

  /// The socket is of no use any more.
  private func lose() {
    guard state.value.socket >= 0 else { return }
    state.value.socket = -1
    turns.hasLost()
  }

  package func guestAccepts(_: NetworkOffloads) {}

  // MARK: From the guest

  package func send(_ segments: UnsafeMutableBufferPointer<DMASegment>, size: Int) -> Bool {
    // What has nowhere to go is lost, as on a wire.
    guard state.value.socket >= 0, packetSizes ~= size else { return true }
    let vectorCount = segments.count + 1
    precondition(vectorCount <= Self.batchVectors && size <= Self.largestPacket, "a packet fits one batch")
    if state.value.packetCount == Self.batchPackets
      || state.value.vectorCount + vectorCount > Self.batchVectors
      || state.value.byteCount + Self.prefix + size > Self.batchBytes
    {
      commit()
    }
    guard state.value.unsentEnd == 0 else { return false }
    let first = state.value.vectorCount
    // SAFETY: there is room as checked; the caller keeps the segments until after commit().
    let head = unsafe heads + state.value.packetCount * Self.headSize
    unsafe head.storeBytes(of: UInt32(size).bigEndian, as: UInt32.self)
    var copied = 0
    if keepsOffLoopback {
      // The guest may change its memory at any moment: what is looked at is a copy, and it is the copy that is sent.
      copied = min(size, LoopbackGuard.size)
      unsafe segments.copyStart(to: head + Self.prefix, count: copied)
      let start = unsafe UnsafeRawBufferPointer(start: head + Self.prefix, count: copied)
      guard unsafe !LoopbackGuard.isForLoopback(start) else { return true }
    }
    unsafe (vectors + first).initialize(to: DMASegment(base: head, count: Self.prefix + copied))
    for index in segments.indices {
      var segment = unsafe segments[index]
      let skipped = unsafe min(copied, segment.count)
      copied -= skipped
      unsafe segment.base += skipped
      unsafe segment.count -= skipped
      unsafe (vectors + first + 1 + index).initialize(to: segment)
    }
    state.value.vectorCount = first + vectorCount
    state.value.packetCount += 1
    state.value.byteCount += Self.prefix + size
    return true
  }

  package func commit() {
    let (count, size) = (state.value.vectorCount, state.value.byteCount)
    guard count > 0 else { return }
    state.value.vectorCount = 0
    state.value.packetCount = 0
    state.value.byteCount = 0
    guard state.value.socket >= 0 else { return }
    // SAFETY: a segment has the layout of the C library's iovec.
    let result = unsafe Int(chost_socket_send(state.value.socket, vectors, Int32(count)))
    guard result >= 0 || result == -Int(EAGAIN) else { return lose() }
    let sent = max(0, result)
    if sent < size { keep(from: sent, vectorCount: count) }
  }

  /// Copies what a socket had no room for: packets that were accepted are not cut or lost.
  private func keep(from sent: Int, vectorCount: Int) {
    var left = sent
    var end = 0
    for index in 0..<vectorCount {
      let vector = unsafe vectors[index]
      let skipped = unsafe min(left, vector.count)
      left -= skipped
      let count = unsafe vector.count - skipped
      guard count > 0 else { continue }
      // SAFETY: a batch has no more bytes than the buffer.
      unsafe (unsent + end).copyMemory(from: vector.base + skipped, byteCount: count)
      end += count
    }
    state.value.unsentStart = 0
    state.value.unsentEnd = end
    port?.waitForRoom()
  }

  package func sendKept() -> Bool {
    while state.value.unsentEnd > 0 {
      guard state.value.socket >= 0 else { return false }
      let start = state.value.unsentStart
      // SAFETY: inside the buffer.
      var rest = unsafe DMASegment(base: unsent + start, count: state.value.unsentEnd - start)
      let sent = unsafe Int(chost_socket_send(state.value.socket, &rest, 1))
      if sent == -Int(EAGAIN) {
        port?.waitForRoom()
        return false
      }
      guard sent >= 0 else {
        lose()
        return false
      }
      state.value.unsentStart += sent
      if state.value.unsentStart == state.value.unsentEnd {
        state.value.unsentStart = 0
        state.value.unsentEnd = 0
      }
    }
    return true
  }

  // MARK: To the guest

  package func noteArrivals() {
    state.value.hasArrivals = true
  }

  package func nextPacketSize() -> Int? {
    while true {
      let (start, end) = (state.value.receivedStart, state.value.receivedEnd)
      if end - start >= Self.prefix {
        // SAFETY: inside what was received.
        let size = Int(UInt32(bigEndian: unsafe received.loadUnaligned(fromByteOffset: start, as: UInt32.self)))
        guard 1...Self.largestPacket ~= size else {
          lose()
          return nil
        }
        if end - start >= Self.prefix + size { return size }
      }
      guard state.value.socket >= 0, state.value.hasArrivals else { return nil }
      readMore()
    }
  }

  private func readMore() {
    var (start, end) = (state.value.receivedStart, state.value.receivedEnd)
    if start > 0 {
      // SAFETY: both inside the buffer, which may overlap itself.
      unsafe received.copyMemory(from: received + start, byteCount: end - start)
      (start, end) = (0, end - start)
    }
    let room = Self.receiveBytes - end
    // SAFETY: inside the buffer.
    let result = unsafe Int(chost_socket_receive(state.value.socket, received + end, room))
    state.value.receivedStart = start
    state.value.receivedEnd = end + max(0, result)
    // A stream that gives less than it was asked for has no more, but for its end.
    if result < room, port?.hasEnded != true || result <= 0 { state.value.hasArrivals = false }
    if result <= 0, result != -Int(EAGAIN) { lose() }
  }

  package func receive(into segments: UnsafeMutableBufferPointer<DMASegment>) -> Int {
    guard let size = nextPacketSize() else { return 0 }
    // SAFETY: the packet is inside what was received, and the segments have room for it.
    unsafe segments.copyPacket(from: received + state.value.receivedStart + Self.prefix, size: size)
    state.value.receivedStart += Self.prefix + size
    return size
  }

  package func dropPacket() {
    guard let size = nextPacketSize() else { return }
    state.value.receivedStart += Self.prefix + size
  }
}
