package import Virtio

/// What is known of a type of device whose back-end is elsewhere.
package struct VhostUserProfile: Sendable {
  /// What becomes of requests whose back-end is gone.
  package enum Loss: Sendable {
    /// They wait, and the next back-end gets them: doing them twice does what doing them once does.
    case resubmit
    /// They are answered in its place.
    case answer(@Sendable (inout DescriptorChain) -> Int)
  }

  /// The device type.
  package var identifier: VirtioDeviceIdentifier
  /// The type's feature bits that a driver may be offered; the queues' and the transport's are none of the back-end's.
  package var features: VirtioFeatures
  /// In bytes; 0: the type has none, or Apus makes it.
  package var configurationSize: Int
  /// How many queues; nil: as many as the back-end says.
  package var queueCount: Int?
  /// The guest's queues' size, in descriptors.
  package var queueSize: UInt16
  /// The size of queue 0, in descriptors, where it takes what the back-end sends, and queue 1 what it answers there.
  /// nil: they have nothing to do with each other.
  package var receiveQueueSize: UInt16?
  /// What becomes of requests whose back-end is gone.
  package var loss: Loss
  /// Features that Apus offers by itself, and that the back-end hears nothing of.
  package var ownFeatures = VirtioFeatures()
  /// Where the configuration space says whether there is a back-end, as a network card's link does; nil: nowhere.
  package var linkField: Int?
  /// Whether a back-end knows things of its guest that another one has to know: what is mounted and open, say.
  package var hasState = false
  /// What the guest's queues may have, which are Apus's to process.
  package var queueFeatures = VirtioFeatures.splitVirtqueue
}

extension VhostUserProfile {
  /// A type of which nothing is known: all bits of the type's own, and as many queues as the back-end says. Of its
  /// requests none is done twice.
  package init(_ identifier: VirtioDeviceIdentifier) {
    // Bits 0 to 23 and 50 to 63 (virtio 1.3, 2.2).
    let features = VirtioFeatures(rawValue: 0xFFFC_0000_00FF_FFFF)
    self.init(
      identifier: identifier,
      features: features,
      configurationSize: 0,
      queueCount: nil,
      queueSize: 128,
      loss: .answer { _ in 0 }
    )
  }

  /// What of a back-end's offer cannot be; nil: it is fine.
  package func problem(with offer: VhostUserOffer) -> String? {
    if let count = offer.queueCount, count == 0 || count > 0x8000 {
      return "it says to have \(count) queues, and a device has 1 to 32768; use a back-end for this type of device"
    }
    if let wanted = queueCount, let count = offer.queueCount, count < UInt64(wanted) {
      return "it has \(count) queues, and \(wanted) are needed; start it with as many"
    }
    if configurationSize > 0, offer.configuration == nil {
      return "it has no configuration space (protocol feature 9), which this type needs; use one that has"
    }
    // Of 512 bytes each, of which a 64-bit number counts so many.
    if identifier == .block, let sectors = offer.configuration?.number(at: 0, as: UInt64.self), sectors > 1 << 55 {
      return "it says to have \(sectors) sectors, more than a disk can have; look at its image"
    }
    return nil
  }
}

extension VhostUserProfile {
  /// A disk (virtio 1.3, 5.2): a request that is done twice reads or writes the same bytes.
  package static let block = VhostUserProfile(
    identifier: .block,
    // SIZE_MAX, SEG_MAX, GEOMETRY, RO, BLK_SIZE, FLUSH, TOPOLOGY, CONFIG_WCE, MQ, DISCARD, WRITE_ZEROES.
    features: features(1, 2, 4, 5, 6, 9, 10, 11, 12, 13, 14),
    configurationSize: 60,
    queueCount: nil,
    queueSize: 128,
    loss: .resubmit
  )

  /// A file system (virtio 1.3, 5.11).
  package static let fileSystem = VhostUserProfile(
    identifier: .fileSystem,
    features: [],
    configurationSize: 0,
    queueCount: 2,
    queueSize: 128,
    loss: .answer(FUSELoss.answer),
    hasState: true,
    // Without indirect descriptors what a driver has in use is bounded by the queue's size.
    queueFeatures: .eventIndex
  )

  /// Random numbers (virtio 1.3, 5.4).
  package static let entropy = VhostUserProfile(
    identifier: .entropy,
    features: [],
    configurationSize: 0,
    queueCount: 1,
    queueSize: 64,
    loss: .resubmit
  )

  /// An SCMI platform (virtio 1.3, 5.17): P2A_CHANNELS. A command that nobody answers is one that its driver gives up.
  package static let scmi = VhostUserProfile(
    identifier: .scmi,
    features: features(0),
    configurationSize: 0,
    queueCount: 2,
    queueSize: 128,
    loss: .answer { _ in 0 }
  )

  /// A socket device (virtio 1.3, 5.10): STREAM, SEQPACKET. Its connections are gone with the back-end.
  package static let socket = VhostUserProfile(
    identifier: .socket,
    features: features(0, 1),
    configurationSize: 8,
    queueCount: 3,
    queueSize: 128,
    loss: .resubmit
  )

  /// A network card on passt (virtio 1.3, 5.1): its configuration space is Apus's. What a new passt gets twice is lost
  /// with the connections that it does not know.
  ///
  /// Where passt finds no buffer to receive into while the end of a connection waits behind its last data, it takes the
  /// data for sent and closes the connection, of which the guest hears nothing: there are many of them.
  package static let network = VhostUserProfile(
    identifier: .network,
    // CSUM, GUEST_CSUM, GUEST_TSO4, GUEST_TSO6, HOST_TSO4, HOST_TSO6, MRG_RXBUF.
    features: features(0, 1, 7, 8, 11, 12, 15),
    configurationSize: 0,
    queueCount: 2,
    queueSize: 256,
    receiveQueueSize: 1024,
    loss: .resubmit,
    // MTU, MAC, STATUS.
    ownFeatures: features(3, 5, 16),
    linkField: 6
  )

  /// A network card's configuration space, with the link up (virtio 1.3, 5.1.4).
  package static func networkConfiguration(mac: [UInt8], mtu: UInt16) -> [UInt8] {
    var bytes = mac
    bytes.append(number: UInt16(1))
    // One pair of queues.
    bytes.append(number: UInt16(1))
    bytes.append(number: mtu)
    return bytes
  }

  private static func features(_ bits: Int...) -> VirtioFeatures {
    var features = VirtioFeatures()
    for bit in bits { features.insert(VirtioFeatures(bit: bit)) }
    return features
  }
}

/// What a guest's file system hears of a request that nobody will answer.
enum FUSELoss {
  /// `struct fuse_in_header` begins with these: length, opcode, unique.
  private static let readSize = 16
  /// `struct fuse_out_header`.
  private static let answerSize = 16
  /// ENOTCONN of Linux's.
  private static let notConnected: Int32 = -107

  /// Answers a request with ENOTCONN; one that has no room for an answer wants none.
  @Sendable
  static func answer(_ chain: inout DescriptorChain) -> Int {
    guard chain.readableBytes >= readSize, chain.writableBytes >= answerSize,
      chain.takeReadable(as: UInt32.self) != nil, chain.takeReadable(as: UInt32.self) != nil,
      let unique = chain.takeReadable(as: UInt64.self)
    else { return 0 }
    var answer: [UInt8] = []
    answer.append(number: UInt32(answerSize))
    answer.append(number: UInt32(bitPattern: notConnected))
    answer.append(number: unique)
    // SAFETY: the array holds for the call.
    return unsafe answer.withUnsafeBytes { unsafe chain.write($0) }
  }
}
