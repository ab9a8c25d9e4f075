internal import CGuestMemory
public import GuestMemory

/// The device's side of a split virtqueue (virtio 1.3, 2.7). For the device thread only.
///
/// The usual ring's three parts were found to lie side by side in the device's memory before the queue began, so they
/// are reached by pointers from then on, until the memory goes (`DMASpaceUser`) and the queue with it; every index
/// and every descriptor that stands in them is checked anew, once, when it is read. A ring behind a translation, or in
/// pieces, has its own way, out of line: `RingElsewhere`.
@safe
public final class SplitVirtqueue {
  // SAFETY: the three pointers point into what the view reaches, with room for `size` entries, as the connection
  // checked; it holds the view's space, outlives its device's queues, and stops them before the memory goes.

  /// Which of its device's queues it is.
  public let index: Int
  /// In descriptors.
  public let size: UInt16
  /// What the driver set up, with the position at which the queue began.
  public let configuration: QueueConfiguration

  let view: DMAView
  let mask: UInt16
  private let descriptors: UnsafeMutableRawPointer
  private let available: UnsafeMutableRawPointer
  private let used: UnsafeMutableRawPointer
  /// Whether the pointers are not the ring's, and it is ``elsewhere``.
  private let isElsewhere: Bool
  let elsewhere: RingElsewhere?
  let usesEventIndex: Bool
  let usesIndirectDescriptors: Bool

  var nextAvailable: UInt16
  /// Never ahead where the ring is elsewhere, so that the usual way need not ask for that while it knows of chains.
  private var seenAvailable: UInt16
  var nextUsed: UInt16
  var publishedUsed: UInt16
  /// Of the chain that was taken last.
  private var lastReadableBytes = 0

  /// - Precondition: `view` reaches all of `configuration`.
  public init(_ configuration: QueueConfiguration, index: Int, view: DMAView, features: VirtioFeatures) {
    precondition(configuration.size.nonzeroBitCount == 1, "a queue's size is a power of two")
    self.configuration = configuration
    self.index = index
    size = configuration.size
    mask = configuration.size - 1
    self.view = view
    // SAFETY: see the top of the class.
    let place = unsafe view.place(
      of: configuration.descriptorTable,
      count: configuration.descriptorTableSize,
      for: .read
    )
    if !view.isTranslated, let descriptors = unsafe place,
      let available = unsafe view.place(of: configuration.driverArea, count: configuration.driverAreaSize, for: .read),
      let used = unsafe view.place(of: configuration.deviceArea, count: configuration.deviceAreaSize, for: .write)
    {
      isElsewhere = false
      elsewhere = nil
      unsafe self.descriptors = descriptors
      unsafe self.available = available
      unsafe self.used = used
    } else {
      precondition(configuration.isReached(in: view), "a queue is used only after its set-up was checked")
      let ring = RingElsewhere(configuration, view)
      isElsewhere = true
      elsewhere = ring
      unsafe descriptors = ring.copy
      unsafe available = ring.copy
      unsafe used = ring.copy
    }
    usesEventIndex = features.contains(.eventIndex)
    usesIndirectDescriptors = features.contains(.indirectDescriptors)
    nextAvailable = configuration.position.nextAvailable
    seenAvailable = nextAvailable
    nextUsed = configuration.position.nextUsed
    publishedUsed = nextUsed
  }

  /// Where the device stands.
  public var position: QueuePosition { QueuePosition(nextAvailable: nextAvailable, nextUsed: nextUsed) }

  /// What ``takeNext(into:)`` found.
  public enum Next: Equatable, Sendable {
    /// No chain is available.
    case empty
    /// The chain is filled.
    case chain
    /// The driver broke the rules; the queue can't go on.
    case fault(DriverFault)
  }

  /// Takes the next available chain.
  public func takeNext(into chain: inout DescriptorChain) -> Next {
    if nextAvailable == seenAvailable {
      if isElsewhere { return takeNextElsewhere(into: &chain) }
      // SAFETY: the index is the ring's second field. Acquire: what the driver wrote before it is seen after it.
      seenAvailable = unsafe guest_load_acquire_u16(available + 2)
      let ahead = seenAvailable &- nextAvailable
      if ahead == 0 { return .empty }
      if ahead > size {
        seenAvailable = nextAvailable
        return .fault(.availableIndexJumped)
      }
    }
    // SAFETY: the masked index is below the queue's size.
    let head = unsafe guest_load_relaxed_u16(available + 4 + 2 * Int(nextAvailable & mask))
    guard head < size else { return .fault(.headOutOfRange) }
    chain.begin(head: head)
    // SAFETY: the table has `size` entries.
    if let fault = unsafe gather(into: &chain, from: descriptors, entries: Int(size), first: head, isIndirect: false) {
      return .fault(fault)
    }
    nextAvailable &+= 1
    noteTaken(chain)
    return .chain
  }

  @inline(__always)
  private func noteTaken(_ chain: borrowing DescriptorChain) {
    view.noteChain(of: chain.segmentCount)
    lastReadableBytes = chain.readableBytes
    view.noteRead(lastReadableBytes)
  }

  /// A chain was taken from a ring elsewhere.
  func noteTakenElsewhere(_ chain: borrowing DescriptorChain) {
    nextAvailable &+= 1
    seenAvailable = nextAvailable
    noteTaken(chain)
  }

  /// Fills the chain of a request that was taken earlier and was not given back, as it stands now: all of it is checked
  /// anew. Counts nothing.
  public func takeAgain(head: UInt16, into chain: inout DescriptorChain) -> DriverFault? {
    guard head < size else { return .headOutOfRange }
    if isElsewhere { return gatherElsewhere(head: head, into: &chain) }
    chain.begin(head: head)
    // SAFETY: the table has `size` entries.
    return unsafe gather(into: &chain, from: descriptors, entries: Int(size), first: head, isIndirect: false)
  }

  /// Whether ``takeNext(into:)`` would find nothing: cheaper than to try.
  public var isEmpty: Bool {
    guard nextAvailable == seenAvailable else { return false }
    if isElsewhere { return isEmptyElsewhere }
    // SAFETY: the index is the ring's second field.
    return unsafe guest_load_relaxed_u16(available + 2) == nextAvailable
  }

  /// Un-takes the last `count` chains taken, none of which was given back, and only the last of which has anything to
  /// read.
  public func putBack(_ count: Int) {
    guard count > 0 else { return }
    nextAvailable &-= UInt16(count)
    if isElsewhere { seenAvailable = nextAvailable }
    view.noteRead(-lastReadableBytes)
    lastReadableBytes = 0
  }

  /// Enters a chain as used. The driver sees it with the next ``publish()``.
  ///
  /// - Parameters:
  ///   - head: the chain's, as it was taken.
  ///   - written: bytes from the chain's first writable one that the device wrote.
  public func giveBack(head: UInt16, written: Int) {
    let element = UInt64(head) | UInt64(UInt32(clamping: written)) << 32
    if isElsewhere { return giveBackElsewhere(element, head: head, written: written) }
    // SAFETY: the masked index is below the queue's size.
    unsafe guest_store_used_element(used + 4 + 8 * Int(nextUsed & mask), element)
    nextUsed &+= 1
    view.noteWritten(written)
  }

  /// Shows the driver what was given back.
  ///
  /// - Returns: whether the driver wants to be interrupted for it (virtio 1.3, 2.7.7.2).
  public func publish() -> Bool {
    guard nextUsed != publishedUsed else { return false }
    if isElsewhere { return publishElsewhere() }
    let before = publishedUsed
    publishedUsed = nextUsed
    // SAFETY: the index is the ring's second field. Release: elements and buffers are seen before it.
    unsafe guest_store_release_u16(used + 2, nextUsed)
    // The index is seen before the driver's wish is read; the driver does it the other way round, so one of both
    // notices the other.
    guest_full_fence()
    if usesEventIndex {
      // SAFETY: used_event stands behind the available ring's entries.
      let event = unsafe guest_load_relaxed_u16(available + 4 + 2 * Int(size))
      return nextUsed &- event &- 1 < nextUsed &- before
    }
    // SAFETY: flags are the ring's first field.
    return unsafe guest_load_relaxed_u16(available) & 1 == 0
  }

  /// Says that the driver need not notify while the device works. With event indices nothing is to be said: the index
  /// that the driver passed stays behind until ``resumeNotifications(ahead:)``.
  public func suppressNotifications() {
    guard !usesEventIndex else { return }
    if isElsewhere { return suppressNotificationsElsewhere() }
    // SAFETY: flags are the ring's first field.
    unsafe guest_store_relaxed_u16(used, 1)
  }

  /// Asks for a notification of the next chain (virtio 1.3, 2.7.10).
  ///
  /// - Parameter ahead: chains that are available, known, and not enough for what the device has to do.
  /// - Returns: whether one became available beyond them meanwhile; then no notification may come for it.
  public func resumeNotifications(ahead: Int = 0) -> Bool {
    let awaited = nextAvailable &+ UInt16(truncatingIfNeeded: ahead)
    if isElsewhere { return resumeNotificationsElsewhere(awaiting: awaited) }
    if usesEventIndex {
      // SAFETY: avail_event stands behind the used ring's elements.
      unsafe guest_store_relaxed_u16(used + 4 + 8 * Int(size), awaited)
    } else {
      // SAFETY: flags are the ring's first field.
      unsafe guest_store_relaxed_u16(used, 0)
    }
    guest_full_fence()
    // SAFETY: the index is the ring's second field.
    return unsafe guest_load_relaxed_u16(available + 2) != awaited
  }
}
