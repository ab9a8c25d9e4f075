/// What a message to or from the resource manager is about. Numbers that are not here are answered
/// ``RMError/unimplemented``.
///
/// Gunyah's resource manager, the headers of its messages.
public struct MessageID: RawRepresentable, Hashable, Sendable {
  /// The number.
  public var rawValue: UInt32

  /// What has this number.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// DONATE: the caller's memory becomes another machine's.
  public static let donate = MessageID(rawValue: 0x5100_0010)
  /// ACCEPT: the caller maps a parcel.
  public static let accept = MessageID(rawValue: 0x5100_0011)
  /// LEND: others get the caller's memory, which it loses meanwhile.
  public static let lend = MessageID(rawValue: 0x5100_0012)
  /// SHARE: others get the caller's memory beside it.
  public static let share = MessageID(rawValue: 0x5100_0013)
  /// RELEASE: the caller gives back what it had accepted.
  public static let release = MessageID(rawValue: 0x5100_0014)
  /// RECLAIM: the caller takes its memory back.
  public static let reclaim = MessageID(rawValue: 0x5100_0015)
  /// NOTIFY: tells others of a parcel.
  public static let notify = MessageID(rawValue: 0x5100_0017)
  /// APPEND: adds to a parcel that is not complete.
  public static let append = MessageID(rawValue: 0x5100_0018)
  /// Notification: a parcel is there for the receiver.
  public static let parcelShared = MessageID(rawValue: 0x5110_0011)
  /// Notification: a machine has released the receiver's parcel.
  public static let parcelReleased = MessageID(rawValue: 0x5110_0012)
  /// Notification: a machine has accepted the receiver's parcel.
  public static let parcelAccepted = MessageID(rawValue: 0x5110_0013)
  /// Notification: the owner would like to have a parcel back.
  public static let parcelRecall = MessageID(rawValue: 0x5110_0014)

  /// VM_ALLOCATE: makes a machine.
  public static let allocate = MessageID(rawValue: 0x5600_0001)
  /// VM_DEALLOCATE: takes a machine away.
  public static let deallocate = MessageID(rawValue: 0x5600_0002)
  /// VM_START: lets a machine run.
  public static let start = MessageID(rawValue: 0x5600_0004)
  /// VM_STOP: ends a machine, or asks it to end.
  public static let stop = MessageID(rawValue: 0x5600_0005)
  /// VM_RESET: puts a machine back to where it can be configured again.
  public static let reset = MessageID(rawValue: 0x5600_0006)
  /// VM_CONFIG_IMAGE: says where a machine's image is.
  public static let configureImage = MessageID(rawValue: 0x5600_0009)
  /// VM_AUTH_IMAGE: has an image authenticated, which cannot be done here.
  public static let authenticateImage = MessageID(rawValue: 0x5600_000A)
  /// VM_INIT: makes a machine's objects from its device tree.
  public static let initialize = MessageID(rawValue: 0x5600_000B)
  /// VM_GET_OWNER: the VMID of the caller's owner.
  public static let getOwner = MessageID(rawValue: 0x5600_0015)
  /// VM_GET_STATE: how a machine is.
  public static let getState = MessageID(rawValue: 0x5600_0017)
  /// VM_GET_HYP_RESOURCES: the caller's capabilities and interrupts that lead to a machine.
  public static let getResources = MessageID(rawValue: 0x5600_0020)
  /// VM_GET_VMID: the caller's VMID.
  public static let getVMID = MessageID(rawValue: 0x5600_0024)
  /// VM_GET_PEERS: the machines that the caller has to do with.
  public static let getPeers = MessageID(rawValue: 0x5600_0025)
  /// VM_SET_FIRMWARE_MEM: says where a machine's firmware is, which cannot be done here.
  public static let setFirmwareMemory = MessageID(rawValue: 0x5600_0032)
  /// VM_IRQ_ACCEPT, the first of those that move hardware interrupts.
  public static let interruptAccept = MessageID(rawValue: 0x5600_0050)
  /// VM_IRQ_UNMAP, the last of those that move hardware interrupts.
  public static let interruptUnmap = MessageID(rawValue: 0x5600_0055)
  /// VM_SET_STATUS: the caller says how it is.
  public static let setStatus = MessageID(rawValue: 0x5600_0080)
  /// VM_EXIT: the caller ends.
  public static let exit = MessageID(rawValue: 0x5600_0085)
  /// Notification: a machine of the receiver's has ended.
  public static let machineExited = MessageID(rawValue: 0x5610_0001)
  /// Notification: the receiver is asked to end.
  public static let shutdown = MessageID(rawValue: 0x5610_0002)
  /// Notification: a peer of the receiver's is in another state.
  public static let machineStatus = MessageID(rawValue: 0x5610_0008)
}
