/// What a front-end asks of a back-end: the messages' numbers (vhost-user, "Front-end message types").
public enum VhostUserRequest: UInt32, CaseIterable, Sendable {
  case getFeatures = 1
  case setFeatures = 2
  case setOwner = 3
  /// Obsolete: no front-end sends it any more.
  case resetOwner = 4
  case setMemTable = 5
  case setLogBase = 6
  case setLogFD = 7
  case setVringNum = 8
  case setVringAddr = 9
  case setVringBase = 10
  case getVringBase = 11
  case setVringKick = 12
  case setVringCall = 13
  case setVringErr = 14
  case getProtocolFeatures = 15
  case setProtocolFeatures = 16
  case getQueueNum = 17
  case setVringEnable = 18
  case sendRARP = 19
  case netSetMTU = 20
  case setBackendReqFD = 21
  case iotlbMsg = 22
  case setVringEndian = 23
  case getConfig = 24
  case setConfig = 25
  case createCryptoSession = 26
  case closeCryptoSession = 27
  case postcopyAdvise = 28
  case postcopyListen = 29
  case postcopyEnd = 30
  case getInflightFD = 31
  case setInflightFD = 32
  case gpuSetSocket = 33
  case resetDevice = 34
  case vringKick = 35
  case getMaxMemSlots = 36
  case addMemReg = 37
  case remMemReg = 38
  case setStatus = 39
  case getStatus = 40
  case getSharedObject = 41
  case setDeviceStateFD = 42
  case checkDeviceState = 43
}

/// What a back-end tells its front-end on the channel that it was given (vhost-user, "Back-end message types").
public enum VhostUserBackEndRequest: UInt32, CaseIterable, Sendable {
  case iotlbMsg = 1
  case configChangeMsg = 2
  case vringHostNotifierMsg = 3
  case vringCall = 4
  case vringErr = 5
  case sharedObjectAdd = 6
  case sharedObjectRemove = 7
  case sharedObjectLookup = 8
  case shmemMap = 9
  case shmemUnmap = 10
}

/// What both sides agree on beside the features of the device (vhost-user, "Protocol features").
public struct VhostUserProtocolFeatures: OptionSet, Hashable, Sendable {
  public let rawValue: UInt64

  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// A bit by its number, from 0 to 63.
  public init(bit: Int) {
    precondition((0..<64).contains(bit), "protocol features are 0 to 63")
    rawValue = 1 << UInt64(bit)
  }

  /// Several queues; their number is asked for.
  public static let multipleQueues = VhostUserProtocolFeatures(bit: 0)
  /// Each message may ask for an answer.
  public static let replyAck = VhostUserProtocolFeatures(bit: 3)
  /// The back-end has a channel of its own to the front-end.
  public static let backendRequests = VhostUserProtocolFeatures(bit: 5)
  /// The back-end has the configuration space.
  public static let configuration = VhostUserProtocolFeatures(bit: 9)
  /// What is in flight stands in memory that outlives the back-end.
  public static let inflightSharedMemory = VhostUserProtocolFeatures(bit: 12)
  /// The device can be made to begin anew without the connection.
  public static let resetDevice = VhostUserProtocolFeatures(bit: 13)
  /// Memory comes and goes region by region.
  public static let memorySlots = VhostUserProtocolFeatures(bit: 15)
  /// The state of the device can be taken and put back.
  public static let deviceState = VhostUserProtocolFeatures(bit: 19)
}

/// Numbers of the protocol (vhost-user, "Message Specification").
public enum VhostUserWire {
  /// Bytes of a message's header.
  public static let headerSize = 12
  /// The most bytes of a payload: what the usual back-ends take.
  public static let payloadLimit = 4096
  /// The bits of the flags that hold the version.
  public static let versionMask: UInt32 = 0x3
  /// The version of the protocol that there is.
  public static let version: UInt32 = 1
  /// Set in what answers something.
  public static let replyFlag: UInt32 = 1 << 2
  /// The flag of a message that wants an answer (``VhostUserProtocolFeatures/replyAck``).
  public static let needReplyFlag: UInt32 = 1 << 3
  /// The feature by which a back-end says that it has protocol features (VHOST_USER_F_PROTOCOL_FEATURES).
  public static let protocolFeaturesBit = 30
  /// In the payloads of SET_VRING_KICK, CALL and ERR, and in the answers about descriptors: none comes along.
  public static let noDescriptorFlag: UInt64 = 1 << 8
  /// The bits of those payloads that have the queue's number.
  public static let queueMask: UInt64 = 0xFF
  /// The most regions of SET_MEM_TABLE, and descriptors of a message.
  public static let regionLimit = 8
}
