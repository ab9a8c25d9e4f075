public import GuestMemory

/// What a network back-end can do with packets that are not ready for a wire: the offloads of virtio-net.
public struct NetworkOffloads: OptionSet, Equatable, Sendable {
  public let rawValue: UInt16

  @inlinable
  public init(rawValue: UInt16) {
    self.rawValue = rawValue
  }

  /// Checksums that are only begun.
  public static let checksum = NetworkOffloads(rawValue: 1)
  /// TCP segments larger than a packet, over IPv4.
  public static let tcpSegmentation4 = NetworkOffloads(rawValue: 2)
  /// TCP segments larger than a packet, over IPv6.
  public static let tcpSegmentation6 = NetworkOffloads(rawValue: 4)
  /// Such segments with explicit congestion notification, too.
  public static let tcpECN = NetworkOffloads(rawValue: 8)
  /// UDP segments larger than a packet.
  public static let udpSegmentation = NetworkOffloads(rawValue: 16)
}

/// What stands behind a ``NetworkDevice``. All on the device thread; nothing may block.
public protocol NetworkBackend: AnyObject, SendableMetatype {
  /// Whether packets begin with virtio-net's header of 12 bytes on the back-end's side, too (a tap device with
  /// `IFF_VNET_HDR`). Without it the device adds and removes it and offers no offloads.
  var hasHeader: Bool { get }

  /// What the guest may send, with a header.
  var offloads: NetworkOffloads { get }

  /// Without a header: nobody looks at the checksums of what the guest sends, so that it need not compute them.
  var ignoresChecksums: Bool { get }

  /// The guest takes packets with these offloads from now on.
  func guestAccepts(_ offloads: NetworkOffloads)

  /// Sends a packet (an Ethernet frame, behind the header where there is one).
  ///
  /// The array is the caller's again when the call returns; the memory that it names stays until ``commit()`` returns.
  ///
  /// - Parameter size: of all segments, in bytes.
  /// - Returns: `false`: there is no room. Then ``NetworkDevice/backendWritable()`` is to be called, once, when there
  ///   is.
  func send(_ segments: UnsafeMutableBufferPointer<DMASegment>, size: Int) -> Bool

  /// The end of a batch of ``send(_:size:)``.
  func commit()

  /// The size of the next packet to be received; `nil`: there is none. Then ``NetworkDevice/backendReadable()`` is to
  /// be called, once, when there is.
  func nextPacketSize() -> Int?

  /// Receives that packet into the segments, which have room for it.
  ///
  /// - Returns: its size; 0: there was none after all, or it is lost.
  func receive(into segments: UnsafeMutableBufferPointer<DMASegment>) -> Int

  /// Throws that packet away: the link is down.
  func dropPacket()
}

extension NetworkBackend {
  public var ignoresChecksums: Bool { false }
}
