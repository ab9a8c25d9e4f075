internal import GuestMemory
internal import Virtio

/// A guest's queue and the ring that stands for it with another process: chains are read from the guest's ring with all
/// its checks, and go into the shadow ring; what comes back is checked and goes into the guest's. For the device thread
/// only.
///
/// *In place* the descriptors lead to the guest's buffers in the device's own window. *Bounced* the bytes are copied
/// into memory of Apus's own and back, once, and the other process sees two buffers for each request at most.
@safe
final class ShadowQueue {
  /// Chains of one turn, after which other devices get theirs.
  static let turnLimit = 256

  let index: Int
  let ring: ShadowRing
  private let memory: ShadowMemory
  private let isBounced: Bool
  /// The one that is worked on.
  private let chain: DeviceThreadState<DescriptorChain>
  /// The guest's side, while it runs.
  var guest: SplitVirtqueue?
  /// Whether chains wait for room.
  private(set) var isStarved = false
  /// Chains of the guest's that were with another process elsewhere, in their order: the ring begins with them.
  private var inherited: [UInt16] = []
  /// How often the other process said to have written more than there was room for.
  private(set) var excessiveLengths: UInt64 = 0

  init(index: Int, ring: ShadowRing, memory: ShadowMemory, isBounced: Bool, chainCapacity: Int) {
    self.index = index
    self.ring = ring
    self.memory = memory
    self.isBounced = isBounced
    chain = DeviceThreadState(DescriptorChain(capacity: chainCapacity))
  }

  // MARK: Out

  /// Hands on what the guest has made available.
  ///
  /// - Parameter kick: tells the other process.
  /// - Returns: whether chains were left for the next turn.
  func forward(_ connection: DeviceConnection, kick: () -> Void) -> Bool {
    guard let guest else { return false }
    isStarved = false
    return connection.workOff(guest, turn: Self.turnLimit) {
      guest.takeNext(into: &chain.value)
    } batchEnds: {
      if ring.publish() { kick() }
    } serve: {
      place(connection.view)
    }
  }

  private func place(_ view: DMAView) -> ServedChain {
    isBounced ? placeBounced() : placeInPlace(view)
  }

  private func placeInPlace(_ view: DMAView) -> ServedChain {
    // SAFETY: the segments are this request's; of each only the place goes on.
    let (readable, writable) = unsafe (chain.value.readableSegments, chain.value.writableSegments)
    let count = readable.count + writable.count
    guard count <= Int(ring.size) else { return .fault(.chainTooLong) }
    guard count <= ring.free else { return wait() }
    var out = ShadowRing.Chain()
    let request = ShadowRing.Request(
      guestHead: chain.value.head,
      descriptors: 0,
      writable: UInt32(clamping: chain.value.writableBytes),
      bounce: 0,
      readable: 0
    )
    for index in readable.indices { unsafe add(readable[index], isWritable: false, view, &out) }
    for index in writable.indices { unsafe add(writable[index], isWritable: true, view, &out) }
    ring.submit(out, request)
    return .done
  }

  @unsafe
  private func add(_ segment: DMASegment, isWritable: Bool, _ view: DMAView, _ out: inout ShadowRing.Chain) {
    // SAFETY: the segment's place is compared and not used.
    guard let address = unsafe view.addressInWindow(of: segment.base) else {
      preconditionFailure("a device that works in place has one window")
    }
    unsafe ring.add(address, length: UInt32(truncatingIfNeeded: segment.count), isWritable: isWritable, to: &out)
  }

  /// Where the bytes to write begin, behind those to read.
  private func writableOffset(_ readable: Int) -> Int { (readable + 63) & ~63 }

  private func placeBounced() -> ServedChain {
    let (readable, writable) = (chain.value.readableBytes, chain.value.writableBytes)
    let size = writableOffset(readable) + writable
    guard size <= memory.bufferLimit else { return .fault(.requestTooLarge) }
    guard ring.free >= 2, let offset = memory.take(size) else { return wait() }
    let request = ShadowRing.Request(
      guestHead: chain.value.head,
      descriptors: 0,
      writable: UInt32(writable),
      bounce: offset,
      readable: UInt32(readable)
    )
    var out = ShadowRing.Chain()
    let address = ShadowMemory.address + UInt64(offset)
    if readable > 0 {
      // SAFETY: the memory was taken with room for the bytes, and nobody else looks at it until it is submitted.
      let target = unsafe UnsafeMutableRawBufferPointer(start: memory.place(offset), count: readable)
      _ = unsafe chain.value.takeReadable(into: target)
      ring.add(address, length: UInt32(readable), isWritable: false, to: &out)
    }
    if writable > 0 {
      ring.add(address + UInt64(writableOffset(readable)), length: UInt32(writable), isWritable: true, to: &out)
    }
    ring.submit(out, request)
    return .done
  }

  private func wait() -> ServedChain {
    isStarved = true
    return .notNow(again: false)
  }

  // MARK: Back

  /// What ``collect(_:)`` came to.
  enum Collected: Equatable {
    case all
    /// More came back than one turn takes.
    case more
    case fault(ShadowRing.Fault)
  }

  /// Gives the guest what came back.
  func collect(_ connection: DeviceConnection) -> Collected {
    var left = Self.turnLimit
    var result = Collected.all
    repeat {
      taking: while true {
        if left == 0 {
          result = .more
          break taking
        }
        switch ring.takeUsed() {
        case .none: break taking
        case .fault(let fault):
          result = .fault(fault)
          break taking
        case .request(let request, let written):
          left -= 1
          finish(request, written: written, connection)
        }
      }
    } while result == .all && ring.resumeCalls()
    if let guest { connection.publish(guest) }
    return result
  }

  private func finish(_ request: ShadowRing.Request, written: UInt32, _ connection: DeviceConnection) {
    if written > request.writable { excessiveLengths &+= 1 }
    var count = Int(min(written, request.writable))
    if isBounced {
      if count > 0, let guest { count = copyBack(request, count, guest, connection) }
      memory.give(request.bounce, count: writableOffset(Int(request.readable)) + Int(request.writable))
    }
    guest?.giveBack(head: request.guestHead, written: count)
  }

  /// The guest's buffers are looked up anew, since it may have changed what leads to them.
  private func copyBack(
    _ request: ShadowRing.Request,
    _ count: Int,
    _ guest: SplitVirtqueue,
    _ connection: DeviceConnection
  ) -> Int {
    if let fault = guest.takeAgain(head: request.guestHead, into: &chain.value) {
      connection.fail(queue: index, fault)
      return 0
    }
    // SAFETY: the memory is the request's until it is given back, with room for so many bytes.
    let source = unsafe UnsafeRawBufferPointer(
      start: memory.place(request.bounce + writableOffset(Int(request.readable))),
      count: count
    )
    return unsafe chain.value.write(source)
  }

  // MARK: Without the other process

  /// Nobody works on the ring any longer: it is empty then.
  ///
  /// - Returns: the requests that were open, in their order.
  private func takeOpen() -> [ShadowRing.Request] {
    let open = ring.openRequests
    if isBounced {
      for request in open {
        memory.give(request.bounce, count: writableOffset(Int(request.readable)) + Int(request.writable))
      }
    }
    ring.begin(usesEventIndex: false)
    return open
  }

  /// The guest has taken the queue back: what is open is nobody's any longer.
  func forget() {
    guest = nil
    _ = takeOpen()
    inherited = []
  }

  /// The first descriptors of the guest's chains that were taken and not given back, in their order.
  var openHeads: [UInt16] { inherited + ring.openRequests.map(\.guestHead) }

  /// Begins with chains that were open elsewhere. Behind ``forget()``, before the ring begins.
  func inherit(_ heads: [UInt16]) { inherited = heads }

  private func takeOpenHeads() -> [UInt16] {
    defer { inherited = [] }
    return inherited + takeOpen().map(\.guestHead)
  }

  /// The ring begins with another process, or anew with the same one: what was open is handed on once more, in its
  /// order.
  ///
  /// - Returns: false where the guest has changed a chain that it had no business with; the device has failed then.
  func beginAnew(usesEventIndex: Bool, _ connection: DeviceConnection) -> Bool {
    let open = takeOpenHeads()
    ring.begin(usesEventIndex: usesEventIndex)
    guard let guest else { return true }
    for head in open {
      if let fault = guest.takeAgain(head: head, into: &chain.value) {
        connection.fail(queue: index, fault)
        return false
      }
      if case .done = place(connection.view) { continue }
      // It had room before, and has none where the memory is cut in other pieces than then: it is lost, and not twice.
      guest.giveBack(head: head, written: 0)
    }
    _ = ring.publish()
    return true
  }

  // MARK: A device of this process

  /// What is open, for a device that goes on elsewhere.
  ///
  /// - Parameter taken: the index in the ring up to which the device has taken chains.
  func openChains(taken: UInt16) -> [ShadowQueuesState.Chain] {
    let chains = ring.openChains
    let left = Int(ring.submitted &- taken)
    return chains.enumerated().map { place, chain in
      ShadowQueuesState.Chain(
        guestHead: chain.request.guestHead,
        head: chain.head,
        isTaken: place < chains.count - left
      )
    }
  }

  /// Begins with chains that were open elsewhere, under the same numbers. Behind ``forget()``, with the guest's side.
  ///
  /// - Returns: the index in the ring up to which the device has taken chains.
  func goOn(with chains: [ShadowQueuesState.Chain], _ connection: DeviceConnection) -> UInt16 {
    guard let guest else { preconditionFailure("a queue goes on with the guest's side") }
    ring.withhold(Set(chains.map(\.head)))
    var taken: UInt16 = 0
    for open in chains {
      ring.release(head: open.head)
      if let fault = guest.takeAgain(head: open.guestHead, into: &chain.value) {
        connection.fail(queue: index, fault)
        continue
      }
      guard case .done = place(connection.view) else {
        // It had room before, and has none where the memory is cut in other pieces than then: it is lost.
        guest.giveBack(head: open.guestHead, written: 0)
        continue
      }
      if open.isTaken { taken += 1 }
    }
    _ = ring.publish()
    return taken
  }

  /// Answers what is open, and what the guest makes available, in place of the other process.
  ///
  /// - Parameter answer: writes the answer into the chain, and says how many bytes it has.
  /// - Returns: whether chains were left for the next turn.
  func answer(_ connection: DeviceConnection, _ answer: (inout DescriptorChain) -> Int) -> Bool {
    guard let guest else { return false }
    for head in takeOpenHeads() {
      if let fault = guest.takeAgain(head: head, into: &chain.value) {
        connection.fail(queue: index, fault)
        return false
      }
      guest.giveBack(head: head, written: answer(&chain.value))
    }
    connection.publish(guest)
    return connection.workOff(guest, turn: Self.turnLimit) {
      guest.takeNext(into: &chain.value)
    } serve: {
      guest.giveBack(head: chain.value.head, written: answer(&chain.value))
      return .done
    }
  }
}
