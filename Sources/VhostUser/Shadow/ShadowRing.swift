internal import CGuestMemory

/// The driver's side of a split virtqueue (virtio 1.3, 2.7) in memory that only Apus and one other process have: what
/// the other process works on in place of the guest's ring.
///
/// All that the other process writes is checked when it is read: an identifier names a request that is with it, and the
/// index runs no further than there are such. What is known of requests stands in this process's own memory. For the
/// device thread only.
@safe
final class ShadowRing {
  // SAFETY: the pointers point into memory that the object holds, with room for `size` entries each.

  /// One request that the other process has.
  struct Request {
    /// By which the guest's ring knows it.
    var guestHead: UInt16
    /// How many descriptors it has.
    var descriptors: UInt16
    /// The most bytes that can be written.
    var writable: UInt32
    /// Where its bytes are, when they are bounced: those to read, and behind them those to write.
    var bounce: Int
    var readable: UInt32
  }

  /// What the other process did that it may not do.
  enum Fault: Equatable {
    case indexJumped(UInt16)
    case identifierOutOfRange(UInt32)
    case notOpen(UInt16)
  }

  let size: UInt16
  /// The parts' offsets in the memory.
  let (descriptorTable, driverArea, deviceArea): (Int, Int, Int)

  private let memory: ShadowMemory
  private let descriptors: UnsafeMutableRawPointer
  private let available: UnsafeMutableRawPointer
  private let used: UnsafeMutableRawPointer
  private let mask: UInt16
  /// Of each free descriptor the next one; of one in use the next of its chain.
  private let next: UnsafeMutablePointer<UInt16>
  /// By the first descriptor.
  private let requests: UnsafeMutablePointer<Request>
  /// In which order they came, and which are open: 0 for none.
  private let order: UnsafeMutablePointer<UInt64>
  private var firstFree: UInt16 = 0
  private var lastOrder: UInt64 = 0
  private var usesEventIndex = false
  private var nextAvailable: UInt16 = 0
  private var publishedAvailable: UInt16 = 0
  private var nextUsed: UInt16 = 0

  /// Descriptors that are free.
  private(set) var free = 0
  /// Requests that the other process has.
  private(set) var open = 0

  /// The bytes that a ring takes of the memory.
  static func memorySize(_ size: UInt16) -> Int {
    let count = Int(size)
    func pages(_ bytes: Int) -> Int {
      (bytes + ShadowMemory.granule - 1) / ShadowMemory.granule * ShadowMemory.granule
    }
    return pages(16 * count) + pages(6 + 2 * count) + pages(6 + 8 * count)
  }

  /// - Parameter size: in descriptors, a power of two up to 32768.
  init(_ memory: ShadowMemory, size: UInt16) {
    self.memory = memory
    self.size = size
    mask = size - 1
    let count = Int(size)
    descriptorTable = memory.takeForRing(16 * count)
    driverArea = memory.takeForRing(6 + 2 * count)
    deviceArea = memory.takeForRing(6 + 8 * count)
    // SAFETY: the offsets were just taken, with room for the parts, and the memory is held.
    unsafe descriptors = memory.place(descriptorTable)
    unsafe available = memory.place(driverArea)
    unsafe used = memory.place(deviceArea)
    // SAFETY: freed in deinit; trivial values, initialized here.
    unsafe next = .allocate(capacity: count)
    unsafe next.initialize(repeating: 0, count: count)
    unsafe requests = .allocate(capacity: count)
    unsafe requests.initialize(
      repeating: Request(guestHead: 0, descriptors: 0, writable: 0, bounce: 0, readable: 0),
      count: count
    )
    unsafe order = .allocate(capacity: count)
    unsafe order.initialize(repeating: 0, count: count)
    begin(usesEventIndex: false)
  }

  deinit {
    // SAFETY: allocated in init.
    unsafe next.deallocate()
    unsafe requests.deallocate()
    unsafe order.deallocate()
  }

  /// Begins anew, with nothing in it. Nobody may look at it meanwhile.
  func begin(usesEventIndex: Bool) {
    self.usesEventIndex = usesEventIndex
    let count = Int(size)
    // SAFETY: each part has room for so many bytes.
    unsafe descriptors.initializeMemory(as: UInt8.self, repeating: 0, count: 16 * count)
    unsafe available.initializeMemory(as: UInt8.self, repeating: 0, count: 6 + 2 * count)
    unsafe used.initializeMemory(as: UInt8.self, repeating: 0, count: 6 + 8 * count)
    for index in 0..<count {
      // SAFETY: below the size.
      unsafe next[index] = UInt16(truncatingIfNeeded: index + 1)
      unsafe order[index] = 0
    }
    (firstFree, free, open) = (0, count, 0)
    (nextAvailable, publishedAvailable, nextUsed) = (0, 0, 0)
  }

  /// Keeps descriptors apart with which chains are to begin: in an empty ring, until ``release(head:)`` of each.
  func withhold(_ heads: Set<UInt16>) {
    precondition(open == 0 && free == Int(size), "descriptors are withheld in an empty ring")
    var last: UInt16?
    for index in 0..<size where !heads.contains(index) {
      // SAFETY: the numbers are below the size.
      if let last { unsafe next[Int(last)] = index } else { firstFree = index }
      last = index
    }
    free -= heads.count
  }

  /// Has the next chain begin with a descriptor that was withheld.
  func release(head: UInt16) {
    // SAFETY: the number is below the size.
    unsafe next[Int(head)] = firstFree
    firstFree = head
    free += 1
  }

  /// How many chains were submitted, modulo 2¹⁶.
  var submitted: UInt16 { nextAvailable }

  // MARK: Requests out

  /// The first descriptor of a chain that is made by ``add(_:length:isWritable:to:)`` and ends with
  /// ``submit(_:_:)``.
  struct Chain {
    fileprivate(set) var head: UInt16 = 0
    fileprivate var last: UInt16 = 0
    fileprivate(set) var count: UInt16 = 0
  }

  /// Appends a buffer. There is a free descriptor.
  func add(_ address: UInt64, length: UInt32, isWritable: Bool, to chain: inout Chain) {
    assert(free > 0, "whoever adds has looked whether there is room")
    let index = firstFree
    // SAFETY: a free descriptor's number is below the size.
    firstFree = unsafe next[Int(index)]
    free -= 1
    if chain.count == 0 {
      chain.head = index
    } else {
      // SAFETY: the chain's last descriptor, below the size: flags and the next one's number.
      unsafe guest_store_relaxed_u16(
        descriptors + 16 * Int(chain.last) + 12,
        guest_load_relaxed_u16(descriptors + 16 * Int(chain.last) + 12) & RingFlags.write | RingFlags.next
      )
      unsafe guest_store_relaxed_u16(descriptors + 16 * Int(chain.last) + 14, index)
      unsafe next[Int(chain.last)] = index
    }
    // SAFETY: the index is below the size.
    unsafe guest_store_descriptor(
      descriptors + 16 * Int(index),
      address,
      length,
      isWritable ? RingFlags.write : 0,
      0
    )
    chain.last = index
    chain.count += 1
  }

  /// Makes a chain available with the next ``publish()``.
  func submit(_ chain: Chain, _ request: Request) {
    // SAFETY: the head is below the size, and so is the masked index.
    unsafe requests[Int(chain.head)] = request
    unsafe requests[Int(chain.head)].descriptors = chain.count
    lastOrder += 1
    unsafe order[Int(chain.head)] = lastOrder
    open += 1
    unsafe guest_store_relaxed_u16(available + 4 + 2 * Int(nextAvailable & mask), chain.head)
    nextAvailable &+= 1
  }

  /// Shows the other process what was submitted.
  ///
  /// - Returns: whether it wants to be told.
  func publish() -> Bool {
    guard nextAvailable != publishedAvailable else { return false }
    let before = publishedAvailable
    publishedAvailable = nextAvailable
    // SAFETY: the index is the ring's second field. Release: what was written is seen before it.
    unsafe guest_store_release_u16(available + 2, nextAvailable)
    guest_full_fence()
    if usesEventIndex {
      // SAFETY: avail_event stands behind the used ring's elements.
      let event = unsafe guest_load_relaxed_u16(used + 4 + 8 * Int(size))
      return nextAvailable &- event &- 1 < nextAvailable &- before
    }
    // SAFETY: flags are the ring's first field.
    return unsafe guest_load_relaxed_u16(used) & RingFlags.noNotify == 0
  }

  // MARK: Requests back

  /// What ``takeUsed()`` found.
  enum Used {
    case none
    /// A request came back, and its descriptors are free. `written` is what the other process says, which may be more
    /// than there was room for.
    case request(Request, written: UInt32)
    case fault(Fault)
  }

  /// Takes the next request that came back.
  func takeUsed() -> Used {
    // SAFETY: the index is the ring's second field. Acquire: what was written before it is seen after it.
    let index = unsafe guest_load_acquire_u16(used + 2)
    let ahead = index &- nextUsed
    guard ahead > 0 else { return .none }
    guard Int(ahead) <= open else { return .fault(.indexJumped(ahead)) }
    // SAFETY: the masked index is below the size.
    let element = unsafe guest_load_used_element(used + 4 + 8 * Int(nextUsed & mask))
    let identifier = UInt32(truncatingIfNeeded: element)
    guard identifier < UInt32(size) else { return .fault(.identifierOutOfRange(identifier)) }
    let head = UInt16(truncatingIfNeeded: identifier)
    // SAFETY: below the size, as was just seen.
    guard unsafe order[Int(head)] != 0 else { return .fault(.notOpen(head)) }
    let request = unsafe requests[Int(head)]
    nextUsed &+= 1
    release(head, request.descriptors)
    return .request(request, written: UInt32(truncatingIfNeeded: element >> 32))
  }

  private func release(_ head: UInt16, _ count: UInt16) {
    var last = head
    // SAFETY: the numbers of a chain's descriptors are below the size.
    for _ in 1..<max(count, 1) { last = unsafe next[Int(last)] }
    unsafe next[Int(last)] = firstFree
    firstFree = head
    free += Int(count)
    unsafe order[Int(head)] = 0
    open -= 1
  }

  /// How many requests the other process has not said to be done with. What it says may be wrong, and so the number.
  var untouched: Int {
    // SAFETY: the index is the ring's second field.
    unsafe open - Int(guest_load_relaxed_u16(used + 2) &- nextUsed)
  }

  /// Asks to be told of the next request that comes back.
  ///
  /// - Returns: whether one came back meanwhile.
  func resumeCalls() -> Bool {
    // SAFETY: used_event stands behind the available ring's entries; without event indices nobody reads it.
    unsafe guest_store_relaxed_u16(available + 4 + 2 * Int(size), nextUsed)
    guest_full_fence()
    // SAFETY: the index is the ring's second field.
    return unsafe guest_load_relaxed_u16(used + 2) != nextUsed
  }

  /// Whether all that the other process has taken came back.
  ///
  /// - Parameter base: the index in the available ring up to which it has taken.
  func isAtRest(base: UInt16) -> Bool {
    // SAFETY: the index is the ring's second field.
    unsafe guest_load_acquire_u16(used + 2) == base && nextUsed == base
  }

  /// The requests that the other process has, in the order in which it got them.
  var openRequests: [Request] { openChains.map(\.request) }

  /// The same, each with the first descriptor of its chain.
  var openChains: [(head: UInt16, request: Request)] {
    var found: [(UInt64, UInt16, Request)] = []
    // SAFETY: below the size.
    for index in 0..<Int(size) where unsafe order[index] != 0 {
      unsafe found.append((order[index], UInt16(truncatingIfNeeded: index), requests[index]))
    }
    found.sort { $0.0 < $1.0 }
    return found.map { ($0.1, $0.2) }
  }
}

/// Bits of a split virtqueue's fields (virtio 1.3, 2.7.5 and 2.7.8).
private enum RingFlags {
  static let next: UInt16 = 1
  static let write: UInt16 = 2
  static let noNotify: UInt16 = 1
}
