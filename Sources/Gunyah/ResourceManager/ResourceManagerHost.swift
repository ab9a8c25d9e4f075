/// What a ``ResourceManager`` needs of the world: machines, their memory and their objects.
///
/// All calls come on the manager's own thread, one at a time, out of a function of the manager's, and are done when
/// they return. What they throw is the requester's answer, unless said otherwise. None of them may call the manager.
public protocol ResourceManagerHost: AnyObject {
  /// Makes an empty machine: ALLOC. It has a link to the manager from its first start on.
  ///
  /// - Throws: ``RMError/noResource`` or ``RMError/noMemory`` where the host cannot.
  func create(_ machine: VMID, owner: VMID) throws(RMError)

  /// Takes a machine away that does not run and has been reset, or was never configured: DEALLOC. What memory it was
  /// given for good has been unmapped.
  func destroy(_ machine: VMID)

  /// Reads a machine's device tree out of its image, and makes all objects that it asks for, those of its peers
  /// included: INIT. The tree is a guest's, who may still write to it where the parcel is shared: copy it first.
  ///
  /// On a throw nothing may be left of it. ``reset(_:)`` takes the objects away again.
  ///
  /// - Throws: ``RMError/memoryInvalid`` where there is no device tree, ``RMError/argumentInvalid`` where its
  ///   `gunyah-vm-config` is wrong, ``RMError/noResource`` where an object could not be made.
  func configure(_ machine: VMID, image: MachineImage) throws(RMError) -> MachineConfiguration

  /// Writes into the machine's device tree, in place, where its memory and its objects are: START, when all memory is
  /// mapped and before ``start(_:at:deviceTree:)``.
  ///
  /// - Throws: ``RMError/noResource`` where the tree has no room for it. The machine's state is then INIT_FAILED.
  func patchDeviceTree(_ machine: VMID, _ layout: MachineLayout) throws(RMError)

  /// Lets the machine's first vCPU run from `address` with `deviceTree` in x0, both addresses of the machine's: START.
  /// A vCPU that is scheduled by its owner waits for the owner's first `vcpu_run`.
  ///
  /// - Throws: ``RMError/noResource`` where the host cannot. The machine's state is then INIT_FAILED.
  func start(_ machine: VMID, at address: UInt64, deviceTree: UInt64) throws(RMError)

  /// Holds the machine for good: when it returns, no vCPU of it runs any longer. Its owner's `vcpu_run` says so. The
  /// machine may have stopped by itself before.
  func stop(_ machine: VMID)

  /// Takes away the objects that ``configure(_:image:)`` made, peers' ends included, whose holders' capabilities are
  /// revoked; and puts vCPUs and the link to the manager back to how they were. Mappings stay: the manager has undone
  /// those of borrowed memory before. It also comes where nothing has been configured or started.
  func reset(_ machine: VMID)

  /// Takes pages away from a machine that has them, or leaves `rights` of them. When it returns, no access of the
  /// machine's by other rights can be under way: not of its vCPUs, not of the host's on its behalf.
  ///
  /// The pieces are merged and in the order of their addresses. On a throw nothing may have changed.
  ///
  /// - Parameter rights: none, where the pages are to be gone.
  /// - Throws: ``RMError/noMemory`` where the host cannot, by its number of memory slots for one.
  func revoke(_ pieces: [MemoryPiece], leaving rights: MemoryRights, in machine: VMID) throws(RMError)

  /// Gives pages back to a machine, with all rights, that were revoked there before. Pieces are merged and in order.
  /// Where the host cannot, it has to end the machine.
  func restore(_ pieces: [MemoryPiece], in machine: VMID)

  /// Maps memory into a machine where it has nothing. Pieces with adjacent memory are merged, and in the order of the
  /// parcel. On a throw nothing may be mapped.
  ///
  /// - Throws: ``RMError/mapFailed`` where the host cannot.
  func map(_ pieces: [MemoryPiece], rights: MemoryRights, in machine: VMID) throws(RMError)

  /// Takes away what ``map(_:rights:in:)`` has mapped, by the same pieces. When it returns, no access is under way.
  func unmap(_ pieces: [MemoryPiece], in machine: VMID)

  /// Fills memory with zeroes that no machine has mapped now, or that one is about to lose. The pieces' own addresses
  /// say nothing; their homes do.
  func clear(_ pieces: [MemoryPiece])
}

/// Where a machine's image is: CONFIG_IMAGE, checked.
public struct MachineImage: Equatable, Sendable {
  /// The memory parcel with the image and the device tree.
  public var handle: UInt32
  /// The parcel's memory, in order. Addresses are offsets in the parcel.
  public var pieces: [MemoryPiece]
  /// The offset of the first instruction in the parcel, in bytes.
  public var imageOffset: UInt64
  /// The image's size in bytes.
  public var imageSize: UInt64
  /// The offset of the device tree in the parcel, in bytes.
  public var deviceTreeOffset: UInt64
  /// How much room the device tree has, in bytes.
  public var deviceTreeSize: UInt64

  /// An image of these parts.
  public init(
    handle: UInt32,
    pieces: [MemoryPiece],
    imageOffset: UInt64,
    imageSize: UInt64,
    deviceTreeOffset: UInt64,
    deviceTreeSize: UInt64
  ) {
    self.handle = handle
    self.pieces = pieces
    self.imageOffset = imageOffset
    self.imageSize = imageSize
    self.deviceTreeOffset = deviceTreeOffset
    self.deviceTreeSize = deviceTreeSize
  }
}

/// What a machine's device tree asks for, and what was made of it.
public struct MachineConfiguration: Equatable, Sendable {
  /// Where the image parcel is to be, a multiple of ``PageRange/pageSize``; nil where the manager chooses.
  public var imageAddress: UInt64?
  /// The memory that the machine shares with others.
  public var sharedMemory: [SharedMemoryRequest] = []
  /// Addresses where the machine has something already, its interrupt controller for one: no memory can be there.
  public var reserved: [PageRange] = []
  /// The first address that is too high for the machine.
  public var addressEnd: UInt64 = 1 << 40
  /// What capabilities and interrupts each side got; the machine's vCPUs among them, as their owner's.
  public var resources: [MachineResource] = []
  /// The machines that objects lead to.
  public var peers: [VMID] = []
  /// Whether the machine runs only in its owner's `vcpu_run`. It ends with its owner, then.
  public var isProxyScheduled = false

  /// A machine that asks for nothing.
  public init() {}
}

/// Memory that a machine's device tree asks for: a parcel that is accepted by its label.
public struct SharedMemoryRequest: Equatable, Sendable {
  /// The parcel's label.
  public var label: UInt32
  /// Where it is to be, a multiple of ``PageRange/pageSize``; nil where the manager chooses.
  public var address: UInt64?
  /// Whether the machine starts without it.
  public var isOptional: Bool

  /// A request of these parts.
  public init(label: UInt32, address: UInt64?, isOptional: Bool) {
    self.label = label
    self.address = address
    self.isOptional = isOptional
  }
}

/// What a machine holds of an object: an entry of GET_HYP_RESOURCES.
public struct MachineResource: Equatable, Sendable {
  /// What it is an end of.
  public enum Kind: UInt8, Sendable, CaseIterable {
    /// The end of a doorbell that rings.
    case doorbellSource = 0
    /// The end of a doorbell that hears.
    case doorbell = 1
    /// The end of a message queue that sends.
    case messageQueueSender = 2
    /// The end of a message queue that receives.
    case messageQueueReceiver = 3
    /// A vCPU of another machine; the label is its index.
    case virtualCPU = 4
  }

  /// Who holds it.
  public var holder: VMID
  /// Who is at the other end.
  public var partner: VMID
  /// Which end of which object it is.
  public var kind: Kind
  /// The number by which both sides know it.
  public var label: UInt32
  /// The holder's capability.
  public var capability: UInt64
  /// The holder's interrupt number as the GIC counts them (SPIs from 32), or 0 where there is none.
  public var interrupt: UInt32

  /// A resource of these parts.
  public init(
    holder: VMID,
    partner: VMID,
    kind: Kind,
    label: UInt32,
    capability: UInt64,
    interrupt: UInt32
  ) {
    self.holder = holder
    self.partner = partner
    self.kind = kind
    self.label = label
    self.capability = capability
    self.interrupt = interrupt
  }
}

/// Where a machine has its memory when it starts.
public struct MachineLayout: Equatable, Sendable {
  /// Memory that it shares with another machine, at one of its labels.
  public struct SharedMemory: Equatable, Sendable {
    /// The parcel's label.
    public var label: UInt32
    /// The parcel's owner.
    public var peer: VMID
    /// Where it is, in the order of the addresses, those that follow each other made one.
    public var ranges: [PageRange]

    /// Shared memory of these parts.
    public init(label: UInt32, peer: VMID, ranges: [PageRange]) {
      self.label = label
      self.peer = peer
      self.ranges = ranges
    }
  }

  /// Where the device tree is, in the machine's addresses.
  public var deviceTree: UInt64
  /// How much room it has, in bytes.
  public var deviceTreeSize: UInt64
  /// The memory where it is, as ``MachineImage/pieces`` has it but with the machine's addresses.
  public var image: [MemoryPiece]
  /// The machine's own memory, image included, sorted and merged: `/memory`.
  public var memory: [PageRange]
  /// Where it has what it asked for by label, as far as there is any.
  public var sharedMemory: [SharedMemory]

  /// A layout of these parts.
  public init(
    deviceTree: UInt64,
    deviceTreeSize: UInt64,
    image: [MemoryPiece],
    memory: [PageRange],
    sharedMemory: [SharedMemory]
  ) {
    self.deviceTree = deviceTree
    self.deviceTreeSize = deviceTreeSize
    self.image = image
    self.memory = memory
    self.sharedMemory = sharedMemory
  }
}
