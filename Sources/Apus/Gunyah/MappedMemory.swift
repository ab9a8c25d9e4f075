import AArch64
internal import CGuestMemory
import GuestMemory
import Gunyah
import KVM
internal import Synchronization

/// What a machine's vCPUs reach of RAM now, its own and what other machines have lent it: pieces, each of which is a
/// memory slot of KVM's.
///
/// Lending splits pieces, and what comes back joins them again. The host's mapping of a lent piece stays where it is;
/// what reads or writes the guest's memory on behalf of a hypercall therefore asks here, under the lock that a change
/// takes, and finds the piece or nothing.
///
/// Copies may be made on any thread. Changes are the resource manager's, one at a time, while no vCPU of the machine
/// runs: KVM cannot replace a slot at once, and an instruction's fetch from where none is for a moment would be an
/// abort.
final class MappedMemory: Sendable {
  /// A run of the guest's addresses with bytes of the host behind it.
  struct Piece: Sendable {
    /// Where the guest sees it: whole pages.
    var range: GuestRange
    /// The memory that it is of, which it keeps alive.
    let memory: InspectedMemory
    /// Where it begins in that memory, in bytes.
    var offset: UInt64
    /// Whether the guest may write it.
    let isWritable: Bool
    /// KVM's number, where it has one.
    var slot: UInt32?

    var end: UInt64 { range.start.rawValue + range.size }

    /// The first byte in this process.
    @unsafe var hostAddress: UnsafeMutableRawPointer {
      // SAFETY: the offset lies in the memory, which the piece keeps alive; the caller uses it no longer than that.
      unsafe memory.hostAddress + Int(offset)
    }

    /// Whether `next` goes on where this ends, so that one slot holds both.
    func goesOn(in next: Piece) -> Bool {
      end == next.range.start.rawValue && memory === next.memory && offset + range.size == next.offset
        && isWritable == next.isWritable
    }

    /// The part of it from `start` to `end`, without a slot.
    func part(from start: UInt64, to end: UInt64) -> Piece? {
      guard start < end else { return nil }
      var part = self
      part.range = GuestRange(at: start, size: end - start)
      part.offset += start - range.start.rawValue
      part.slot = nil
      return part
    }
  }

  private struct State {
    /// In the order of their addresses; none overlaps another.
    var pieces: [Piece]
    /// What was there and is not now, where nothing has come since.
    var lost: [GuestRange] = []
    var freeSlots: [UInt32]
    /// How often slots were made or taken away.
    var changes: UInt64 = 0
  }

  /// The machine's RAM, where that is there from the start: it counts as far as pieces have it.
  private let ram: GuestRange?
  /// The machine's other memory: DMA windows, plugged memory. Nothing of it is ever lent.
  private let other: GuestMemoryMap?
  private let state: Mutex<State>

  /// The memory of a machine that has its RAM from the start.
  ///
  /// - Parameters:
  ///   - ram: in one piece, which has a slot.
  ///   - slot: KVM's number of that.
  ///   - slots: KVM's numbers for other pieces.
  ///   - other: the machine's other memory.
  init(_ ram: InspectedMemory, slot: UInt32, slots: Range<UInt32>, other: GuestMemoryMap) {
    self.ram = ram.range
    self.other = other
    let whole = Piece(range: ram.range, memory: ram, offset: 0, isWritable: true, slot: slot)
    state = Mutex(State(pieces: [whole], freeSlots: slots.reversed()))
  }

  /// The memory of a machine that has none until others lend it some.
  ///
  /// - Parameter slots: KVM's numbers for pieces.
  init(slots: Range<UInt32>) {
    ram = nil
    other = nil
    state = Mutex(State(pieces: [], freeSlots: slots.reversed()))
  }

  /// How often slots of KVM's were made or taken away for it.
  var slotChanges: UInt64 { state.withLock { $0.changes } }

  /// Whether an access that has come out of the guest was to memory: such as the machine had at the address and has
  /// none now, since it is another machine's, such as it may not write, or such as has come back meanwhile.
  func isLentOrThere(_ address: UInt64) -> Bool {
    state.withLock { state in
      Self.index(of: address, state.pieces) != nil || state.lost.contains { $0.contains(GuestAddress(address)) }
    }
  }

  // MARK: Changes

  /// All that is there, without slots.
  var allPieces: [Piece] {
    state.withLock { state in
      state.pieces.map { piece in
        var piece = piece
        piece.slot = nil
        return piece
      }
    }
  }

  /// Pieces without some ranges, and with others; in order, and what goes on in the next one as one.
  static func changed(_ pieces: [Piece], removing ranges: [GuestRange], adding added: [Piece]) -> [Piece] {
    joined(cut(pieces, ranges) + added)
  }

  /// Takes ranges away and puts pieces in, all or nothing. While no vCPU of the machine runs.
  ///
  /// - Parameters:
  ///   - ranges: of which any part may be there.
  ///   - added: where nothing is, or no longer.
  ///   - machine: whose slots they are.
  /// - Throws: what KVM refused; then everything is as it was. ``MappedMemoryFailure`` where that could not be had
  ///   either, or where there are too many pieces.
  func change(
    removing ranges: [GuestRange],
    adding added: [Piece],
    _ machine: borrowing VirtualMachine
  ) throws(MappedMemoryFailure) {
    var failure: MappedMemoryFailure?
    state.withLock { state in
      do throws(MappedMemoryFailure) {
        try Self.change(&state, Self.changed(state.pieces, removing: ranges, adding: added), machine)
        state.lost = Self.without(state.lost + ranges, added.map(\.range))
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }

  /// What a machine remembers of what it had: enough for all that any driver lends. Beyond it, an access is one to
  /// where nothing ever was.
  private static let lostLimit = 4096

  /// Ranges less others, in order, and what goes on in the next one as one; the first ``lostLimit``.
  private static func without(_ ranges: [GuestRange], _ others: [GuestRange]) -> [GuestRange] {
    var cutter = Cutter(others)
    var left: [GuestRange] = []
    for range in ranges.sorted(by: { $0.start < $1.start }) {
      cutter.parts(of: range) { start, end in
        guard let last = left.last, start <= last.start.rawValue + last.size else {
          return left.append(GuestRange(at: start, size: end - start))
        }
        let merged = max(last.start.rawValue + last.size, end)
        left[left.count - 1] = GuestRange(at: last.start.rawValue, size: merged - last.start.rawValue)
      }
    }
    return Array(left.prefix(lostLimit))
  }

  /// Pieces, which are in order, less ranges. One that no range is in stays as it is, with its slot.
  private static func cut(_ pieces: [Piece], _ ranges: [GuestRange]) -> [Piece] {
    var cutter = Cutter(ranges)
    var left: [Piece] = []
    left.reserveCapacity(pieces.count + ranges.count)
    for piece in pieces {
      cutter.parts(of: piece.range) { start, end in
        let isWhole = start == piece.range.start.rawValue && end == piece.end
        if let part = isWhole ? piece : piece.part(from: start, to: end) { left.append(part) }
      }
    }
    return left
  }

  /// Takes ranges out of others, which have to come in the order of their starts: one pass over both.
  private struct Cutter {
    private let ranges: [GuestRange]
    private var next = 0

    init(_ ranges: [GuestRange]) { self.ranges = ranges.sorted { $0.start < $1.start } }

    /// Gives `body` the start and the end of each part of a range that is left.
    mutating func parts(of range: GuestRange, _ body: (UInt64, UInt64) -> Void) {
      var start = range.start.rawValue
      let end = start + range.size
      while next < ranges.count, ranges[next].start.rawValue + ranges[next].size <= start { next += 1 }
      for taken in ranges[next...] {
        guard taken.start.rawValue < end else { break }
        if start < taken.start.rawValue { body(start, taken.start.rawValue) }
        start = max(start, taken.start.rawValue + taken.size)
      }
      if start < end { body(start, end) }
    }
  }

  /// In order, and what goes on in the next piece as one.
  private static func joined(_ pieces: [Piece]) -> [Piece] {
    var joined: [Piece] = []
    for piece in pieces.sorted(by: { $0.range.start < $1.range.start }) {
      guard let last = joined.last, last.goesOn(in: piece) else {
        joined.append(piece)
        continue
      }
      var whole = last
      whole.range = GuestRange(at: last.range.start.rawValue, size: last.range.size + piece.range.size)
      whole.slot = nil
      joined[joined.count - 1] = whole
    }
    return joined
  }

  private static func change(
    _ state: inout State,
    _ wanted: [Piece],
    _ machine: borrowing VirtualMachine
  ) throws(MappedMemoryFailure) {
    let kept = Set(wanted.compactMap(\.slot))
    let removed = state.pieces.filter { piece in piece.slot.map { !kept.contains($0) } ?? false }
    var free = state.freeSlots + removed.compactMap(\.slot).reversed()
    guard wanted.count - kept.count <= free.count else { throw .tooManyPieces }
    var (gone, made, pieces) = ([Piece](), [Piece](), [Piece]())
    do throws(MappedMemoryFailure) {
      for piece in removed {
        try set(piece, size: 0, machine)
        gone.append(piece)
      }
      for piece in wanted {
        guard piece.slot == nil else {
          pieces.append(piece)
          continue
        }
        var new = piece
        new.slot = free.removeLast()
        try set(new, size: new.range.size, machine)
        made.append(new)
        pieces.append(new)
      }
    } catch {
      for piece in made { try set(piece, size: 0, machine) }
      for piece in gone { try set(piece, size: piece.range.size, machine) }
      throw error
    }
    state.pieces = pieces
    state.freeSlots = free
    state.changes += UInt64(removed.count + made.count)
  }

  private static func set(
    _ piece: Piece,
    size: UInt64,
    _ machine: borrowing VirtualMachine
  ) throws(MappedMemoryFailure) {
    guard let slot = piece.slot else { return }
    do throws(KVMError) {
      // SAFETY: the piece keeps its memory alive, and lives here as long as KVM has the slot, or as the machine.
      try unsafe machine.setUserMemoryRegion(
        slot: slot,
        guestAddress: piece.range.start.rawValue,
        size: size,
        hostAddress: piece.hostAddress,
        isReadOnly: !piece.isWritable
      )
    } catch {
      throw .refused(error)
    }
  }

  private static func index(of address: UInt64, _ pieces: [Piece]) -> Int? {
    var (low, high) = (0, pieces.count)
    while low < high {
      let middle = (low + high) / 2
      if pieces[middle].end <= address { low = middle + 1 } else { high = middle }
    }
    return low < pieces.count && pieces[low].range.start.rawValue <= address ? low : nil
  }
}

/// Why a machine's memory stays as it is.
enum MappedMemoryFailure: Error {
  /// KVM refused a slot.
  case refused(KVMError)
  /// There are more pieces than there are slots.
  case tooManyPieces
}

// MARK: Copies on behalf of hypercalls

extension MappedMemory {
  /// Copies from the caller's buffer, once.
  ///
  /// - Parameters:
  ///   - address: virtual.
  ///   - translation: the caller's own.
  ///   - buffer: gets as many bytes as it has room for.
  /// - Throws: ``GunyahError/addressOverflow`` for a buffer over the end of the addresses,
  ///   ``GunyahError/addressInvalid`` where it is not mapped, or where nothing is that the machine has now. What was
  ///   copied until then is in the buffer.
  func read(
    _ address: UInt64,
    _ translation: StageOneTranslation,
    into buffer: UnsafeMutableRawBufferPointer
  ) throws(GunyahError) {
    // SAFETY: the buffer's bytes are the caller's for the call, and each part lies in it.
    try unsafe copy(address, UInt64(buffer.count), translation, isWrite: false) { done, host, count in
      if let base = buffer.baseAddress { unsafe guest_copy(base + done, host, count) }
    }
  }

  /// Copies into the caller's buffer.
  ///
  /// - Parameters:
  ///   - bytes: all are copied.
  ///   - address: virtual.
  ///   - translation: the caller's own.
  /// - Throws: as ``read(_:_:into:)``, and ``GunyahError/denied`` where the guest may not write.
  func write(
    _ bytes: UnsafeRawBufferPointer,
    _ address: UInt64,
    _ translation: StageOneTranslation
  ) throws(GunyahError) {
    // SAFETY: as above.
    try unsafe copy(address, UInt64(bytes.count), translation, isWrite: true) { done, host, count in
      if let base = bytes.baseAddress { unsafe guest_copy(host, base + done, count) }
    }
  }
}

extension MappedMemory {
  /// Walks along a buffer of the guest's, page by page, with all of it looked up before its bytes are used.
  ///
  /// - Parameter body: gets how many bytes came before, where the next are in this process, and how many they are.
  @unsafe
  private func copy(
    _ address: UInt64,
    _ count: UInt64,
    _ translation: StageOneTranslation,
    isWrite: Bool,
    _ body: (Int, UnsafeMutableRawPointer, Int) -> Void
  ) throws(GunyahError) {
    guard count == 0 || !address.addingReportingOverflow(count - 1).overflow else { throw .addressOverflow }
    try state.withLock { state throws(GunyahError) in
      var done: UInt64 = 0
      while done < count {
        let mapping: StageOneTranslation.Mapping
        do throws(TranslationFault) {
          mapping = try translation.translate(address + done) { Self.word(at: $0, state.pieces) }
        } catch {
          throw .addressInvalid
        }
        guard mapping.isAccessible else { throw .addressInvalid }
        guard mapping.isWritable || !isWrite else { throw .denied }
        guard let index = Self.index(of: mapping.address, state.pieces) else {
          let part = min(count - done, mapping.count)
          // SAFETY: what the caller has been told of the body holds there, too.
          guard unsafe copyElsewhere(mapping.address, Int(done), part, isWrite: isWrite, body) else {
            throw .addressInvalid
          }
          done += part
          continue
        }
        guard state.pieces[index].isWritable || !isWrite else { throw .denied }
        let offset = mapping.address - state.pieces[index].range.start.rawValue
        let part = min(count - done, mapping.count, state.pieces[index].range.size - offset)
        // SAFETY: the bytes lie in the piece, whose memory the state keeps while it is locked.
        unsafe body(Int(done), state.pieces[index].hostAddress + Int(offset), Int(part))
        done += part
      }
    }
  }

  /// The same in memory that is no RAM, which nobody takes away while a vCPU uses it for a call.
  private func copyElsewhere(
    _ address: UInt64,
    _ done: Int,
    _ count: UInt64,
    isWrite: Bool,
    _ body: (Int, UnsafeMutableRawPointer, Int) -> Void
  ) -> Bool {
    guard
      let ram, let other, !ram.contains(GuestAddress(address)), let piece = other.piece(at: address)
    else { return false }
    let offset = address - piece.range.start.rawValue
    guard count <= piece.range.size - offset, !(piece.isReadOnly && isWrite) else { return false }
    // SAFETY: the bytes lie in the piece, which is kept alive here.
    unsafe body(done, piece.hostAddress + Int(offset), Int(count))
    return true
  }

  /// A word of a translation table, which has to be in memory that the machine has now.
  private static func word(at address: UInt64, _ pieces: [Piece]) -> UInt64? {
    guard let index = index(of: address, pieces), address % 8 == 0 else { return nil }
    let offset = address - pieces[index].range.start.rawValue
    var word: UInt64 = 0
    // SAFETY: pieces are of whole pages, so that the eight bytes lie in one; the word is this call's own.
    unsafe withUnsafeMutableBytes(of: &word) { buffer in
      guard let base = buffer.baseAddress else { return }
      unsafe guest_copy(base, pieces[index].hostAddress + Int(offset), 8)
    }
    return UInt64(littleEndian: word)
  }
}
