internal import Virtio

/// Feature bits of the memory device (virtio 1.3, 5.15.3).
enum MemoryFeature {
  /// VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE: the driver touches nothing that is unplugged.
  static let unpluggedInaccessible = VirtioFeatures(bit: 1)
}

/// Offsets in the configuration space (virtio 1.3, 5.15.4), in bytes.
enum MemoryField {
  static let blockSize = 0
  static let address = 16
  static let regionSize = 24
  static let usableSize = 32
  static let pluggedSize = 40
  static let requestedSize = 48
  static let size = 56
}

/// The sizes of requests and responses (virtio 1.3, 5.15.6), in bytes.
enum MemoryMessage {
  static let requestSize = 24
  static let responseSize = 10
}

/// The types of requests (virtio 1.3, 5.15.6).
enum MemoryRequestType: UInt16 {
  /// VIRTIO_MEM_REQ_PLUG.
  case plug = 0
  /// VIRTIO_MEM_REQ_UNPLUG.
  case unplug = 1
  /// VIRTIO_MEM_REQ_UNPLUG_ALL.
  case unplugAll = 2
  /// VIRTIO_MEM_REQ_STATE.
  case state = 3
}

/// The types of responses (virtio 1.3, 5.15.6).
enum MemoryResponseType: UInt16 {
  /// VIRTIO_MEM_RESP_ACK.
  case acknowledged = 0
  /// VIRTIO_MEM_RESP_NACK.
  case refused = 1
  /// VIRTIO_MEM_RESP_BUSY.
  case busy = 2
  /// VIRTIO_MEM_RESP_ERROR.
  case error = 3
}

/// The state of consecutive blocks (virtio 1.3, 5.15.6.4).
enum MemoryBlockState: UInt16 {
  /// VIRTIO_MEM_STATE_PLUGGED.
  case plugged = 0
  /// VIRTIO_MEM_STATE_UNPLUGGED.
  case unplugged = 1
  /// VIRTIO_MEM_STATE_MIXED.
  case mixed = 2
}
