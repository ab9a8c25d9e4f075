internal import CGuestMemory
public import GuestMemory

/// The device's side of a split virtqueue (virtio 1.3, 2.7). For the device thread only.
///
/// Each of the ring's three parts was found to lie side by side in the device's memory before the queue began, so they
/// are reached by pointers from then on, until the memory goes (``DMASpaceUser``) and the queue with it; every index
/// and every descriptor that stands in them is checked anew, once, when it is read.
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
  private let mask: UInt16
  private let descriptors: UnsafeMutableRawPointer
  private let available: UnsafeMutableRawPointer
  private let used: UnsafeMutableRawPointer
  private let usesEventIndex: Bool
  let usesIndirectDescriptors: Bool

  private var nextAvailable: UInt16
  private var seenAvailable: UInt16
  private var nextUsed: UInt16
  private var publishedUsed: UInt16
  /// Of the chain that was taken last.
  private var lastReadableBytes = 0

  /// - Precondition: `view` reaches all of `configuration`.
  public init(_ configuration: QueueConfiguration, index: Int, view: DMAView, features: VirtioFeatures) {
    // SAFETY: see the top of the class.
    guard
      let descriptors = unsafe view.pointer(
        to: configuration.descriptorTable,
        count: configuration.descriptorTableSize,
        for: .read
      ),
      let available = unsafe view.pointer(
        to: configuration.driverArea,
        count: configuration.driverAreaSize,
        for: .read
      ),
      let used = unsafe view.pointer(to: configuration.deviceArea, count: configuration.deviceAreaSize, for: .write)
    else { preconditionFailure("a queue is used only after its set-up was checked") }
    precondition(configuration.size.nonzeroBitCount == 1, "a queue's size is a power of two")
    self.configuration = configuration
    self.index = index
    size = configuration.size
    mask = configuration.size - 1
    self.view = view
    unsafe self.descriptors = descriptors
    unsafe self.available = available
    unsafe self.used = used
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
    view.noteChain(of: chain.segmentCount)
    lastReadableBytes = chain.readableBytes
    view.noteRead(lastReadableBytes)
    return .chain
  }

  /// Fills the chain of a request that was taken earlier and was not given back, as it stands now: all of it is checked
  /// anew. Counts nothing.
  public func takeAgain(head: UInt16, into chain: inout DescriptorChain) -> DriverFault? {
    guard head < size else { return .headOutOfRange }
    chain.begin(head: head)
    // SAFETY: the table has `size` entries.
    return unsafe gather(into: &chain, from: descriptors, entries: Int(size), first: head, isIndirect: false)
  }

  /// Whether ``takeNext(into:)`` would find nothing: cheaper than to try.
  public var isEmpty: Bool {
    // SAFETY: the index is the ring's second field.
    unsafe nextAvailable == seenAvailable && guest_load_relaxed_u16(available + 2) == nextAvailable
  }

  /// Un-takes the last `count` chains taken, none of which was given back, and only the last of which has anything to
  /// read.
  public func putBack(_ count: Int) {
    guard count > 0 else { return }
    nextAvailable &-= UInt16(count)
    view.noteRead(-lastReadableBytes)
    lastReadableBytes = 0
  }

  /// Enters a chain as used. The driver sees it with the next ``publish()``.
  ///
  /// - Parameter written: bytes from the chain's first writable one that the device wrote.
  public func giveBack(head: UInt16, written: Int) {
    let element = UInt64(head) | UInt64(UInt32(clamping: written)) << 32
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
  /// that the driver passed stays behind until ``resumeNotifications()``.
  public func suppressNotifications() {
    guard !usesEventIndex else { return }
    // SAFETY: flags are the ring's first field.
    unsafe guest_store_relaxed_u16(used, 1)
  }

  /// Asks for a notification of the next chain (virtio 1.3, 2.7.10).
  ///
  /// - Parameter ahead: chains that are available, known, and not enough for what the device has to do.
  /// - Returns: whether one became available beyond them meanwhile; then no notification may come for it.
  public func resumeNotifications(ahead: Int = 0) -> Bool {
    let awaited = nextAvailable &+ UInt16(truncatingIfNeeded: ahead)
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
