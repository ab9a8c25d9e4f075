public import Gunyah

/// A host without machines, which knows of each page who can do what with it, and traps where the manager asks for what
/// cannot be.
public final class FakeHost: ResourceManagerHost {
  /// A page of memory, by where it was at first.
  public struct Page: Hashable {
    public var home: VMID
    public var address: UInt64
  }

  /// What a machine has at an address.
  public struct Mapping: Equatable {
    public var page: Page
    public var rights: MemoryRights
    /// Whether it was mapped as a borrower's, and not there at the start.
    public var isMapped: Bool
  }

  /// Something that the host did that tests count.
  public enum Change: Equatable {
    case revoke(VMID)
    case restore(VMID)
    case map(VMID)
    case unmap(VMID)
  }

  public private(set) var mappings: [VMID: [UInt64: Mapping]] = [:]
  public private(set) var changes: [Change] = []
  public private(set) var existing: Set<VMID> = []
  public private(set) var running: Set<VMID> = []
  public private(set) var configured: Set<VMID> = []
  public private(set) var layouts: [VMID: MachineLayout] = [:]
  public private(set) var images: [VMID: MachineImage] = [:]
  public private(set) var entries: [VMID: [UInt64]] = [:]
  /// What machines find when they are configured.
  public var configurations: [VMID: MachineConfiguration] = [:]
  /// The calls that fail, with what.
  public var failures: [String: RMError] = [:]
  private var contents: [Page: UInt8] = [:]
  /// Pages that were taken from their machine, and where they were.
  private var away: [VMID: [UInt64: Page]] = [:]

  private static var pageSize: UInt64 { PageRange.pageSize }

  public init() {}

  /// A machine that is there at the start, with all its RAM.
  public func add(_ machine: VMID, memory: [PageRange]) {
    var pages: [UInt64: Mapping] = [:]
    for range in memory {
      for address in stride(from: range.start, to: range.end, by: Int(Self.pageSize)) {
        let page = Page(home: machine, address: address)
        pages[address] = Mapping(page: page, rights: .all, isMapped: false)
      }
    }
    mappings[machine] = pages
    existing.insert(machine)
    running.insert(machine)
  }

  /// A machine's load, or nil for an abort.
  public func load(_ machine: VMID, _ address: UInt64) -> UInt8? {
    mappings[machine]?[address & ~(Self.pageSize - 1)].map { contents[$0.page] ?? 0 }
  }

  /// A machine's store; false for an abort.
  public func store(_ machine: VMID, _ address: UInt64, _ value: UInt8) -> Bool {
    guard let mapping = mappings[machine]?[address & ~(Self.pageSize - 1)], mapping.rights.contains(.write) else {
      return false
    }
    contents[mapping.page] = value
    return true
  }

  /// Forgets what was counted.
  public func forgetChanges() { changes = [] }

  /// A machine is taken away behind the manager's back; the manager is not to call for it any longer.
  public func lose(_ machine: VMID) {
    mappings[machine] = nil
    away[machine] = nil
    existing.remove(machine)
    running.remove(machine)
  }

  // MARK: ResourceManagerHost

  private func fail(_ call: String) throws(RMError) {
    if let error = failures[call] { throw error }
  }

  public func create(_ machine: VMID, owner: VMID) throws(RMError) {
    try fail("create")
    precondition(existing.insert(machine).inserted, "a machine is made once")
    mappings[machine] = [:]
  }

  public func destroy(_ machine: VMID) {
    precondition(!running.contains(machine) && !configured.contains(machine), "a machine is stopped and reset first")
    precondition(mappings[machine]?.isEmpty == true, "a machine's memory is unmapped first")
    precondition(existing.remove(machine) != nil, "there is a machine to take away")
    mappings[machine] = nil
    away[machine] = nil
    entries[machine] = nil
  }

  public func configure(_ machine: VMID, image: MachineImage) throws(RMError) -> MachineConfiguration {
    try fail("configure")
    precondition(existing.contains(machine) && configured.insert(machine).inserted, "a machine is configured once")
    images[machine] = image
    return configurations[machine] ?? MachineConfiguration()
  }

  public func patchDeviceTree(_ machine: VMID, _ layout: MachineLayout) throws(RMError) {
    try fail("patchDeviceTree")
    precondition(configured.contains(machine), "a machine is configured first")
    for piece in layout.image { check(piece, of: machine) }
    layouts[machine] = layout
  }

  public func start(_ machine: VMID, at address: UInt64, deviceTree: UInt64) throws(RMError) {
    try fail("start")
    precondition(configured.contains(machine) && running.insert(machine).inserted, "a machine is started once")
    entries[machine] = [address, deviceTree]
  }

  public func stop(_ machine: VMID) {
    precondition(existing.contains(machine), "there is a machine to stop")
    running.remove(machine)
  }

  public func reset(_ machine: VMID) {
    precondition(existing.contains(machine) && !running.contains(machine), "a machine is stopped first")
    configured.remove(machine)
    layouts[machine] = nil
    images[machine] = nil
  }

  public func revoke(_ pieces: [MemoryPiece], leaving rights: MemoryRights, in machine: VMID) throws(RMError) {
    try fail("revoke")
    checkOrder(pieces)
    for piece in pieces {
      check(piece, of: machine)
      for (address, page) in pages(of: piece) {
        precondition(mappings[machine]?[address]?.rights == .all, "only what is whole is taken away")
        if rights.isEmpty {
          away[machine, default: [:]][address] = page
          mappings[machine]?[address] = nil
        } else {
          mappings[machine]?[address]?.rights = rights
        }
      }
      changes.append(.revoke(machine))
    }
  }

  public func restore(_ pieces: [MemoryPiece], in machine: VMID) {
    checkOrder(pieces)
    for piece in pieces {
      for (address, page) in pages(of: piece) {
        if let mapping = mappings[machine]?[address] {
          precondition(mapping.page == page && mapping.rights != .all, "only what lacks rights gets them back")
        } else {
          precondition(away[machine]?.removeValue(forKey: address) == page, "a page comes back to where it was")
        }
        mappings[machine]?[address] = Mapping(page: page, rights: .all, isMapped: false)
      }
      changes.append(.restore(machine))
    }
  }

  public func map(_ pieces: [MemoryPiece], rights: MemoryRights, in machine: VMID) throws(RMError) {
    try fail("map")
    for piece in pieces {
      for (address, page) in pages(of: piece) {
        precondition(mappings[machine] != nil && mappings[machine]?[address] == nil, "memory comes where nothing is")
        mappings[machine]?[address] = Mapping(page: page, rights: rights, isMapped: true)
      }
      changes.append(.map(machine))
    }
  }

  public func unmap(_ pieces: [MemoryPiece], in machine: VMID) {
    for piece in pieces {
      check(piece, of: machine)
      for (address, _) in pages(of: piece) { mappings[machine]?[address] = nil }
      changes.append(.unmap(machine))
    }
  }

  public func clear(_ pieces: [MemoryPiece]) {
    for piece in pieces {
      for (_, page) in pages(of: piece) { contents[page] = 0 }
    }
  }

  private func pages(of piece: MemoryPiece) -> [(UInt64, Page)] {
    stride(from: 0, to: piece.size, by: Int(Self.pageSize)).map { offset in
      (piece.address + offset, Page(home: piece.home, address: piece.homeAddress + offset))
    }
  }

  private func check(_ piece: MemoryPiece, of machine: VMID) {
    for (address, page) in pages(of: piece) {
      precondition(mappings[machine]?[address]?.page == page, "the machine has the memory there")
    }
  }

  private func checkOrder(_ pieces: [MemoryPiece]) {
    for (piece, next) in zip(pieces, pieces.dropFirst()) {
      precondition(piece.range.end <= next.address, "pieces are in order")
      let isOne =
        piece.range.end == next.address && piece.home == next.home
        && piece.homeAddress + piece.size == next.homeAddress
      precondition(!isOne, "pieces are merged")
    }
  }
}
