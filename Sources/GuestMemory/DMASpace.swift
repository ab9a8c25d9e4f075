/// What one device did in its ``DMASpace``.
public struct DMACounters: Equatable, Sendable {
  /// Bytes that the device read in all.
  public var bytesRead: UInt64 = 0
  /// Bytes that the device wrote in all.
  public var bytesWritten: UInt64 = 0
  /// Accesses that were not for the device. It got nothing for them.
  public var refusedAccesses: UInt64 = 0
  /// The most buffers in one descriptor chain.
  public var largestChain: UInt64 = 0

  @inlinable
  public init() {}
}

/// Who works with a space's memory and holds places in it. It is told on the device thread.
public protocol DMASpaceUser: AnyObject {
  /// The space reaches less than before. What is looked up from now on is refused already; `finished` is to be called
  /// when nothing is used any longer that was looked up earlier.
  func reachBecameLess(_ finished: @escaping @Sendable () -> Void)

  /// The same where only `run` of the device's addresses is concerned.
  func reachBecameLess(in run: ClosedRange<UInt64>, _ finished: @escaping @Sendable () -> Void)
}

extension DMASpaceUser {
  public func reachBecameLess(in run: ClosedRange<UInt64>, _ finished: @escaping @Sendable () -> Void) {
    reachBecameLess(finished)
  }
}

/// The memory that one device sees: pieces of it, each with its permissions, and perhaps a translation in front of
/// them.
///
/// It keeps the memory alive and counts what passes. The device touches it through a ``DMAView``. The usual space is
/// one window (``DMAWindow/makeSpace()``), which is there to the end: an access to it is checked by two comparisons.
/// All else is looked up here, out of the way: pieces that come and go, pieces that the device may only read, a
/// translation.
///
/// A space belongs to one device. ``window`` and ``extent`` are for any thread, all else for the one that runs the
/// device.
@safe
public final class DMASpace: @unchecked Sendable {
  // SAFETY: @unchecked: what changes is the device thread's alone, as the documentation says.

  /// Memory that is readable and writable, never goes and has no translation in front of it. Empty where there is none.
  public let window: GuestRange
  /// Whether the window has memory of its own, or is all of RAM.
  public let extent: DMAWindow.Extent

  private let translation: (any DMATranslation)?
  /// What requests under way have looked up, where there is a translation.
  var holds = DMAHolds()
  /// In ascending order, none overlapping another.
  private var pieces: [Piece] = []
  private weak var user: (any DMASpaceUser)?
  private let shared: UnsafeMutablePointer<DMAViewStorage>
  private let windowBase: UnsafeMutableRawPointer

  private struct Piece {
    let range: GuestRange
    let permissions: DMAPermissions
    let memory: DMAWindow.Memory
  }

  /// A space of one window.
  init(window memory: DMAWindow.Memory, range: GuestRange, extent: DMAWindow.Extent) {
    precondition(UInt64(memory.mapping.size) == range.size, "a window is as large as its memory")
    window = range
    self.extent = extent
    translation = nil
    pieces = [Piece(range: range, permissions: .readWrite, memory: memory)]
    // SAFETY: the mapping lives as long as the piece, which is never removed.
    unsafe windowBase = memory.mapping.base
    // SAFETY: freed in deinit only, and initialized before anyone can see it.
    unsafe shared = .allocate(capacity: 1)
    unsafe shared.initialize(to: DMAViewStorage(space: self))
  }

  /// A space in which nothing is yet: what the device is to see comes with
  /// ``add(_:at:permissions:)``.
  ///
  /// - Parameters:
  ///   - extent: `.open` where the guest's RAM will be among it.
  ///   - translation: asked for every access; `nil`: a device's addresses are the guest's.
  public init(extent: DMAWindow.Extent, translation: (any DMATranslation)? = nil) {
    window = GuestRange(at: .max, size: 0)
    self.extent = extent
    self.translation = translation
    // SAFETY: as above.
    unsafe shared = .allocate(capacity: 1)
    // Of no bytes, so that it may be anywhere.
    unsafe windowBase = UnsafeMutableRawPointer(shared)
    unsafe shared.initialize(to: DMAViewStorage(space: self))
  }

  deinit {
    // SAFETY: views are used only by those who keep the space.
    unsafe shared.deinitialize(count: 1)
    unsafe shared.deallocate()
  }

  /// What the device did until now. For the thread that runs the device.
  public var counters: DMACounters {
    // SAFETY: the storage lives as long as the space.
    unsafe shared.pointee.counters
  }

  /// The checked view, for the hot path.
  ///
  /// The view is valid only as long as the space lives: who stores it stores the space beside it. It always shows what
  /// the space reaches at that moment.
  @unsafe
  public var view: DMAView {
    // SAFETY: the pointers live as long as the space, which is what the caller vouches for.
    unsafe DMAView(base: windowBase, range: window, shared: shared)
  }

  // MARK: Pieces

  /// What the device can reach, in ascending order: for whoever shows it to another process.
  public var parts: [DMAPiece] {
    pieces.map {
      DMAPiece(range: $0.range, permissions: $0.permissions, fileDescriptor: $0.memory.descriptor?.rawValue)
    }
  }

  /// Lets the device see a window's memory from now on. The space keeps it.
  ///
  /// - Parameters:
  ///   - start: where in the space, a multiple of ``PrivateRAM/pageSize``; `nil`: where the guest sees it. Overlaps no
  ///     other piece.
  ///   - permissions: not empty.
  public func add(
    _ added: borrowing DMAWindow,
    at start: GuestAddress? = nil,
    permissions: DMAPermissions = .readWrite
  ) {
    precondition(extent == .open || added.extent == .confined, "a confined device never sees the guest's RAM")
    let start = start ?? added.range.start
    add(added.memory, GuestRange(at: start.rawValue, size: added.range.size), permissions)
  }

  func add(_ memory: DMAWindow.Memory, _ range: GuestRange, _ permissions: DMAPermissions) {
    precondition(!permissions.isEmpty, "a piece is for something")
    precondition(range.start.rawValue % PrivateRAM.pageSize == 0, "a piece starts at a page")
    precondition(!pieces.contains { $0.range.overlaps(range) }, "pieces do not overlap")
    let position = pieces.firstIndex { $0.range.start > range.start } ?? pieces.endIndex
    pieces.insert(Piece(range: range, permissions: permissions, memory: memory), at: position)
  }

  /// Takes a piece from the device. Nothing is looked up in it any longer when the call returns; `finished` comes on
  /// the device thread when nothing is touched either, and only then may the memory be used for something else.
  ///
  /// - Parameter range: of one piece, as it was added; never ``window``.
  public func remove(_ range: GuestRange, _ finished: @escaping @Sendable () -> Void) {
    precondition(range != window, "a window stays to the end")
    guard let index = pieces.firstIndex(where: { $0.range == range }) else {
      preconditionFailure("what is removed was added")
    }
    // What was looked up earlier points into it.
    let removed = pieces.remove(at: index)
    reachBecameLess {
      withExtendedLifetime(removed.memory) {}
      finished()
    }
  }

  /// The translation denies what it allowed. `finished` comes on the device thread when the device touches nothing any
  /// longer that it looked up before: an IOMMU answers its driver then.
  public func reachBecameLess(_ finished: @escaping @Sendable () -> Void) {
    guard let user else { return finished() }
    user.reachBecameLess(finished)
  }

  /// The same where the translation denies a run of addresses alone. What does not use them need not wait.
  public func reachBecameLess(in run: ClosedRange<UInt64>, _ finished: @escaping @Sendable () -> Void) {
    guard let user else { return finished() }
    user.reachBecameLess(in: run, finished)
  }

  /// Names the one who is told when the space reaches less. Once; it is not kept.
  public func setUser(_ newUser: any DMASpaceUser) {
    precondition(user == nil, "a space belongs to one device")
    user = newUser
  }

  // MARK: Looking up

  /// Whether a translation stands in front of the pieces.
  public var isTranslated: Bool { translation != nil }

  /// Tells the translation that an access was refused.
  ///
  /// - Returns: whether there is one, and something of the access that it denies.
  func tellOfRefusal(at address: UInt64, count: UInt64, for access: DMAPermissions) -> Bool {
    guard let translation else { return false }
    var done: UInt64 = 0
    // SAFETY: what is found is counted and not used.
    while done < count, let run = unsafe run(at: address &+ done, count: count - done, for: access) {
      unsafe done += UInt64(run.count)
    }
    guard done < count else { return false }
    translation.refused(address &+ done, for: access)
    return true
  }

  /// The bytes at `address` that lie side by side in this process, `count` of them at most; `nil`: none is for
  /// `access`.
  @unsafe
  func run(at address: UInt64, count: UInt64, for access: DMAPermissions) -> DMASegment? {
    var (address, count) = (address, count)
    if let translation {
      guard let run = translation.translate(address, for: access) else { return nil }
      (address, count) = (run.address, min(run.count, count))
    }
    guard let piece = piece(at: address), piece.permissions.isSuperset(of: access) else { return nil }
    let offset = address - piece.range.start.rawValue
    let length = min(count, piece.range.size - offset, UInt64(Int.max))
    guard length > 0 else { return nil }
    // SAFETY: the offset and the length are inside the mapping, which is as large as the piece.
    return unsafe DMASegment(base: piece.memory.mapping.base + Int(offset), count: Int(length))
  }

  /// The place of `count` bytes at `address`, all of them side by side; `nil`: they are not, or not for `access`.
  @unsafe
  func place(of address: UInt64, count: UInt64, for access: DMAPermissions) -> UnsafeMutableRawPointer? {
    guard !address.addingReportingOverflow(max(count, 1) - 1).overflow else { return nil }
    guard let first = unsafe run(at: address, count: max(count, 1), for: access) else { return nil }
    var done = unsafe UInt64(first.count)
    while done < count {
      // SAFETY: what comes next is only compared.
      guard let next = unsafe run(at: address + done, count: count - done, for: access),
        unsafe next.base == first.base + Int(done)
      else { return nil }
      unsafe done += UInt64(next.count)
    }
    return unsafe first.base
  }

  private func piece(at address: UInt64) -> Piece? {
    var (low, high) = (0, pieces.count)
    while low < high {
      let middle = (low + high) / 2
      if pieces[middle].range.start.rawValue <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    let piece = pieces[low - 1]
    return piece.range.contains(GuestAddress(address)) ? piece : nil
  }
}

/// What the views of a space share.
@safe
@usableFromInline
struct DMAViewStorage {
  // SAFETY: the space frees the storage in its deinit.
  @usableFromInline var counters = DMACounters()
  unowned(unsafe) let space: DMASpace

  init(space: DMASpace) {
    unsafe self.space = space
  }
}
