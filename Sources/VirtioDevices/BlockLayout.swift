internal import Virtio

/// Feature bits of a block device (virtio 1.3, 5.2.3).
enum BlockFeature {
  static let segmentSize = VirtioFeatures(bit: 1)
  static let segmentMaximum = VirtioFeatures(bit: 2)
  static let readOnly = VirtioFeatures(bit: 5)
  static let blockSize = VirtioFeatures(bit: 6)
  static let flush = VirtioFeatures(bit: 9)
  static let topology = VirtioFeatures(bit: 10)
  static let configurableWriteback = VirtioFeatures(bit: 11)
  static let multipleQueues = VirtioFeatures(bit: 12)
  static let discard = VirtioFeatures(bit: 13)
  static let writeZeroes = VirtioFeatures(bit: 14)
}

/// Offsets in a block device's configuration space (virtio 1.3, 5.2.4).
enum BlockField {
  static let capacity = 0
  static let segmentSize = 8
  static let segmentMaximum = 12
  static let blockSize = 20
  static let physicalBlockExponent = 24
  static let writeback = 32
  static let queueCount = 34
  static let discardSectorsMaximum = 36
  static let discardSegmentsMaximum = 40
  static let discardSectorAlignment = 44
  static let writeZeroesSectorsMaximum = 48
  static let writeZeroesSegmentsMaximum = 52
  static let writeZeroesMayUnmap = 56
  static let size = 60
}

/// Request types (virtio 1.3, 5.2.6).
enum BlockRequestType {
  static let read: UInt32 = 0
  static let write: UInt32 = 1
  static let flush: UInt32 = 4
  static let getIdentifier: UInt32 = 8
  static let discard: UInt32 = 11
  static let writeZeroes: UInt32 = 13
}

/// Status bytes (virtio 1.3, 5.2.6).
enum BlockStatus: UInt8 {
  case ok = 0
  case ioError = 1
  case unsupported = 2
}

/// Limits that the device states.
enum BlockLimit {
  /// Of one range of a discard or write-zeroes request, in sectors: 1 GiB.
  static let rangeSectors: UInt32 = 1 << 21
  /// Ranges in one such request.
  static let ranges: UInt32 = 16
  /// Of the identifier, in bytes.
  static let identifier = 20
}
