internal import Virtio

/// Feature bits of a network device (virtio 1.3, 5.1.3).
enum NetworkFeature {
  static let checksum = VirtioFeatures(bit: 0)
  static let guestChecksum = VirtioFeatures(bit: 1)
  static let controlGuestOffloads = VirtioFeatures(bit: 2)
  static let mtu = VirtioFeatures(bit: 3)
  static let mac = VirtioFeatures(bit: 5)
  static let guestTSO4 = VirtioFeatures(bit: 7)
  static let guestTSO6 = VirtioFeatures(bit: 8)
  static let guestECN = VirtioFeatures(bit: 9)
  static let hostTSO4 = VirtioFeatures(bit: 11)
  static let hostTSO6 = VirtioFeatures(bit: 12)
  static let hostECN = VirtioFeatures(bit: 13)
  static let mergeableBuffers = VirtioFeatures(bit: 15)
  static let status = VirtioFeatures(bit: 16)
  static let controlQueue = VirtioFeatures(bit: 17)
  static let controlReceive = VirtioFeatures(bit: 18)
  static let guestAnnounce = VirtioFeatures(bit: 21)
  static let controlMAC = VirtioFeatures(bit: 23)
  static let guestUSO4 = VirtioFeatures(bit: 54)
  static let guestUSO6 = VirtioFeatures(bit: 55)
  static let hostUSO = VirtioFeatures(bit: 56)
  static let speedDuplex = VirtioFeatures(bit: 63)

  /// Each with what it requires (virtio 1.3, 5.1.3.1): one of the second.
  static let dependencies: [(VirtioFeatures, [VirtioFeatures])] = [
    (guestTSO4, [guestChecksum]), (guestTSO6, [guestChecksum]), (guestUSO4, [guestChecksum]),
    (guestUSO6, [guestChecksum]), (guestECN, [guestTSO4, guestTSO6]), (hostTSO4, [checksum]), (hostTSO6, [checksum]),
    (hostUSO, [checksum]), (hostECN, [hostTSO4, hostTSO6]), (controlReceive, [controlQueue]),
    (guestAnnounce, [controlQueue]), (controlMAC, [controlQueue]),
  ]

  /// Those that a driver can switch while it runs (virtio 1.3, 5.1.6.5.6).
  static let guestOffloads: VirtioFeatures = [
    guestChecksum, guestTSO4, guestTSO6, guestECN, guestUSO4, guestUSO6,
  ]

  static func offloads(_ features: VirtioFeatures) -> NetworkOffloads {
    var offloads = NetworkOffloads()
    if features.contains(guestChecksum) { offloads.insert(.checksum) }
    if features.contains(guestTSO4) { offloads.insert(.tcpSegmentation4) }
    if features.contains(guestTSO6) { offloads.insert(.tcpSegmentation6) }
    if features.contains(guestECN) { offloads.insert(.tcpECN) }
    if features.contains([guestUSO4, guestUSO6]) { offloads.insert(.udpSegmentation) }
    return offloads
  }

  static func offered(for offloads: NetworkOffloads) -> VirtioFeatures {
    var features: VirtioFeatures = []
    if offloads.contains(.checksum) { features.formUnion([checksum, guestChecksum, controlGuestOffloads]) }
    if offloads.contains([.checksum, .tcpSegmentation4]) { features.formUnion([guestTSO4, hostTSO4]) }
    if offloads.contains([.checksum, .tcpSegmentation6]) { features.formUnion([guestTSO6, hostTSO6]) }
    if offloads.contains([.checksum, .tcpECN]) { features.formUnion([guestECN, hostECN]) }
    if offloads.contains([.checksum, .udpSegmentation]) { features.formUnion([guestUSO4, guestUSO6, hostUSO]) }
    return features
  }
}

/// Offsets in a network device's configuration space (virtio 1.3, 5.1.4).
enum NetworkField {
  static let mac = 0..<6
  static let status = 6
  static let queuePairMaximum = 8
  static let mtu = 10
  static let speed = 12
  static let duplex = 16
  /// Rounded up to whole words.
  static let size = 20
}

enum NetworkStatus {
  static let linkUp: UInt16 = 1
  static let announce: UInt16 = 2
}

/// virtio-net's header of a packet (virtio 1.3, 5.1.6).
enum NetworkHeader {
  /// In bytes.
  static let size = 12
  static let bufferCountOffset = 10
}

/// Sizes of packets, in bytes, without virtio-net's header.
enum NetworkPacket {
  /// Ethernet header and a VLAN tag.
  static let linkHeader = 18
  /// The largest that segmentation can make.
  static let largest = 65535 + linkHeader
}

/// Classes and commands of the control queue (virtio 1.3, 5.1.6.5).
enum NetworkControl {
  static let receive: UInt8 = 0
  static let mac: UInt8 = 1
  static let announce: UInt8 = 3
  static let guestOffloads: UInt8 = 5

  static let receiveNoBroadcast: UInt8 = 5
  static let macTableSet: UInt8 = 0
  static let macAddressSet: UInt8 = 1
  static let announceAcknowledge: UInt8 = 0
  static let guestOffloadsSet: UInt8 = 0

  static let ok: UInt8 = 0
  static let error: UInt8 = 1
}

/// What a network device keeps on the device thread.
struct NetworkState: ~Copyable {
  var queues = DeviceQueues(count: 3)
  var chain: DescriptorChain
  var isSuspended = false
  var isLinkUp = true
  /// Those of ``NetworkFeature/guestOffloads`` that are on.
  var guestOffloads = VirtioFeatures()
  /// Of the chains that one packet is received into: each one's head and size.
  var heads: [UInt16]
  var sizes: [Int]

  init(queueSize: Int) {
    chain = DescriptorChain(capacity: queueSize)
    heads = Array(repeating: 0, count: queueSize)
    sizes = Array(repeating: 0, count: queueSize)
  }
}
