package import CHost
internal import Glibc
package import GuestMemory
package import Host
import Virtio
package import VirtioDevices

/// A network behind a tap device or a socket that keeps packets apart: one system call a packet.
///
/// A tap with virtio-net's header takes and gives packets that are not ready for a wire, so everything is offloaded to
/// the host's kernel. Without the header nothing is.
@safe
package final class PacketNetworkBackend: LoopNetworkBackend {
  // SAFETY: the buffer is allocated in init and released in deinit.

  /// The largest packet with a link header, a VLAN tag and virtio-net's header.
  private static let receiveBytes = 65535 + 18 + 12
  /// How many empty packets one look at the descriptor passes over.
  private static let emptyLimit = 64

  package let hasHeader: Bool
  package let offloads: NetworkOffloads

  private let isTap: Bool
  private let isConnection: Bool
  package let turns: NetworkTurns
  private var port: NetworkPort?
  private let state: DeviceThreadState<State>
  private let received: UnsafeMutableRawPointer

  private struct State {
    /// The descriptor, or -1 when it is of no use any more.
    var descriptor: Int32 = -1
    /// Whether there may be more than was read.
    var hasArrivals = true
    /// The bytes of the packet that was read and not yet received, or 0.
    var size = 0
  }

  /// - Parameter description: what `descriptor` is: packets or a tap.
  package init(_ descriptor: consuming OwnedDescriptor, _ description: chost_network, _ loop: EventLoop)
    throws(HostError)
  {
    isTap = description.kind == chost_network_tap
    isConnection = description.is_connection
    hasHeader = description.has_header
    offloads = hasHeader ? Self.offloads(ofTap: descriptor.rawValue) : []
    turns = try NetworkTurns(loop)
    state = DeviceThreadState(State())
    unsafe received = .allocate(byteCount: Self.receiveBytes, alignment: 64)
    let port = try NetworkPort(descriptor, loop: loop, turns: turns)
    self.port = port
    state.value.descriptor = port.rawValue
  }

  deinit {
    // SAFETY: nobody holds a pointer into it.
    unsafe received.deallocate()
  }

  package func detach() {
    state.value = State()
    port?.disconnect()
    port = nil
  }

  package func shutDown() {
    if hasHeader, state.value.descriptor >= 0 { _ = chost_tap_set_offloads(state.value.descriptor, 0) }
    detach()
    turns.disconnect()
  }

  private func lose() {
    guard state.value.descriptor >= 0 else { return }
    state.value.descriptor = -1
    turns.hasLost()
  }

  // MARK: Offloads

  /// What the kernel's tap can do. The taps of old kernels have no segmentation of UDP.
  private static func offloads(ofTap tap: Int32) -> NetworkOffloads {
    let tcp: NetworkOffloads = [.checksum, .tcpSegmentation4, .tcpSegmentation6, .tcpECN]
    defer { _ = chost_tap_set_offloads(tap, 0) }
    for wanted in [tcp.union(.udpSegmentation), tcp, .checksum]
    where chost_tap_set_offloads(tap, tapFlags(wanted)) == 0 { return wanted }
    return []
  }

  private static func tapFlags(_ offloads: NetworkOffloads) -> UInt32 {
    var flags: [chost_tap_offloads] = []
    if offloads.contains(.checksum) { flags.append(CHOST_TAP_CHECKSUM) }
    if offloads.contains(.tcpSegmentation4) { flags.append(CHOST_TAP_TSO4) }
    if offloads.contains(.tcpSegmentation6) { flags.append(CHOST_TAP_TSO6) }
    if offloads.contains(.tcpECN) { flags.append(CHOST_TAP_TSO_ECN) }
    // The kernel takes both or none.
    if offloads.contains(.udpSegmentation) { flags += [CHOST_TAP_USO4, CHOST_TAP_USO6] }
    return flags.reduce(0) { $0 | $1.rawValue }
  }

  /// Tells a tap's kernel; a socket has nothing to be told.
  package func guestAccepts(_ offloads: NetworkOffloads) {
    guard state.value.descriptor >= 0 else { return }
    _ = chost_tap_set_offloads(state.value.descriptor, Self.tapFlags(offloads))
  }

  // MARK: From the guest

  package func send(_ segments: UnsafeMutableBufferPointer<DMASegment>, size: Int) -> Bool {
    let descriptor = state.value.descriptor
    guard descriptor >= 0 else { return true }
    let (vectors, count) = (segments.baseAddress, Int32(segments.count))
    // SAFETY: a segment has the layout of the C library's iovec, and the caller keeps them.
    let result = unsafe Int32(
      truncatingIfNeeded: isTap
        ? chost_tap_send(descriptor, vectors, count) : chost_socket_send(descriptor, vectors, count)
    )
    switch result {
    case -EAGAIN:
      port?.waitForRoom()
      return false
    case -EPIPE, -ENOTCONN, -ECONNRESET, -EBADFD, -ENODEV: lose()
    // Any other packet that is not taken is lost as on a wire: the tap is down, nobody listens, a header is wrong.
    default: break
    }
    return true
  }

  package func commit() {}

  // MARK: To the guest

  package func noteArrivals() {
    state.value.hasArrivals = true
  }

  package func nextPacketSize() -> Int? {
    var reads = 0
    while state.value.size == 0 {
      guard state.value.descriptor >= 0, state.value.hasArrivals else { return nil }
      guard reads < Self.emptyLimit else {
        // A peer may send packets without a byte for ever: others have their turn.
        turns.hasMore()
        return nil
      }
      reads += 1
      readNext()
    }
    return state.value.size
  }

  private func readNext() {
    let descriptor = state.value.descriptor
    // SAFETY: the buffer is this object's.
    var whole = unsafe DMASegment(base: received, count: Self.receiveBytes)
    let result = unsafe Int(
      isTap ? chost_tap_receive(descriptor, &whole, 1) : chost_socket_receive_packet(descriptor, &whole, 1)
    )
    switch result {
    case 1...: state.value.size = result
    case -Int(EAGAIN): state.value.hasArrivals = false
    // An empty packet, or the answer to one of ours that nobody took.
    case 0 where !isConnection, -Int(ECONNREFUSED): break
    default: lose()
    }
  }

  package func receive(into segments: UnsafeMutableBufferPointer<DMASegment>) -> Int {
    let size = state.value.size
    // SAFETY: the packet is inside the buffer, and the segments have room for it.
    unsafe segments.copyPacket(from: received, size: size)
    state.value.size = 0
    return size
  }

  package func dropPacket() {
    state.value.size = 0
  }
}
