/// Memory on its way from one machine to others, or with them.
final class Memparcel {
  /// How the memory goes over; the raw value is that of ACCEPT.
  enum Transfer: UInt8 {
    case donate = 0
    case lend = 1
    case share = 2
  }

  /// Who may have it, and how.
  struct Access: Equatable {
    var machine: VMID
    var rights: MemoryRights
    /// The machine that was meant is gone; one that has its number now is another.
    var isGone = false
  }

  /// How a machine's mapping of it is to be.
  struct Attribute: Equatable {
    var value: UInt16
    var machine: VMID
  }

  /// What a machine has of it.
  struct Borrowing {
    /// Where each of ``pieces`` is to be in the machine, as far as that is settled; with contiguous memory, where the
    /// first is.
    var addresses: [UInt64] = []
    var isContiguous: Bool
    var isMapped = false
  }

  let handle: UInt32
  /// Whose memory it is; ``VMID/resourceManager`` where the owner is gone, and nobody can take it back.
  var owner: VMID
  let transfer: Transfer
  let label: UInt32
  let isCleared: Bool
  var access: [Access]
  let attributes: [Attribute]
  /// The memory, with the owner's addresses, in the owner's order.
  var pieces: [MemoryPiece] = []
  var isComplete = false
  /// The owner gets zeroes back.
  var isClearedAtReclaim = false
  /// Its contents are being looked at.
  var isLocked = false
  var tag: UInt32?
  var borrowings: [VMID: Borrowing] = [:]

  init(
    handle: UInt32,
    owner: VMID,
    transfer: Transfer,
    label: UInt32,
    isCleared: Bool,
    access: [Access],
    attributes: [Attribute]
  ) {
    self.handle = handle
    self.owner = owner
    self.transfer = transfer
    self.label = label
    self.isCleared = isCleared
    self.access = access
    self.attributes = attributes
  }

  var size: UInt64 { pieces.reduce(0) { $0 + $1.size } }

  /// The rights of a machine, or nil where it has none.
  func rights(of machine: VMID) -> MemoryRights? {
    access.first { $0.machine == machine && !$0.isGone }?.rights
  }

  /// The rights that the owner keeps.
  var ownersRights: MemoryRights { transfer == .share ? rights(of: owner) ?? [] : [] }

  /// What its pages are to the owner.
  var ownersUse: PageOwnership.Use {
    transfer == .share ? .shared(handle, ownersRights) : .lent(handle)
  }

  /// Where a machine has it, or will have.
  func places(_ borrowing: Borrowing) -> [MemoryPiece] {
    if borrowing.isContiguous {
      return borrowing.addresses.first.map { pieces.placed(at: $0) } ?? []
    }
    return zip(pieces, borrowing.addresses).map { piece, address in
      MemoryPiece(address: address, size: piece.size, home: piece.home, homeAddress: piece.homeAddress)
    }
  }
}

/// What a memory parcel is, for a report.
public struct MemparcelReport: Equatable, Sendable {
  /// How the memory went over: `donate`, `lend` or `share`.
  public var transfer: String
  /// The parcel's handle.
  public var handle: UInt32
  /// The parcel's label.
  public var label: UInt32
  /// Whose memory it is.
  public var owner: VMID
  /// The size in bytes.
  public var size: UInt64
  /// Who has accepted it, by number.
  public var borrowers: [VMID]

  init(_ parcel: Memparcel) {
    transfer = "\(parcel.transfer)"
    handle = parcel.handle
    label = parcel.label
    owner = parcel.owner
    size = parcel.size
    borrowers = parcel.borrowings.keys.sorted()
  }
}
