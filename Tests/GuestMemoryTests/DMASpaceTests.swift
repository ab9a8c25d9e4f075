import GuestMemory
import TestSupport
import Testing
import VirtioTesting

@Suite struct DMASpaceTests {
  private static let page = TestTranslation.page

  /// A window whose bytes are all `value`.
  private func window(at start: UInt64, pages: UInt64, filledWith value: UInt8 = 0) throws -> DMASpace {
    let window = try DMAWindow(name: "test", range: GuestRange(at: start, size: pages * Self.page))
    let space = window.makeSpace()
    if value != 0 { #expect(write(space, [UInt8](repeating: value, count: Int(pages * Self.page)), at: start)) }
    return space
  }

  @Test func piecesBesideTheWindowAreReachedAndGapsAreNot() throws {
    let space = try window(at: 0x5000_0000, pages: 1, filledWith: 1)
    let (start, gap) = (0x5000_0000 + Self.page, 0x5000_0000 + 2 * Self.page)
    space.add(try DMAWindow(name: "side", range: GuestRange(at: start, size: Self.page)))
    space.add(try DMAWindow(name: "far", range: GuestRange(at: gap + Self.page, size: Self.page)))

    #expect(write(space, [7], at: start))
    #expect(write(space, [9], at: gap + Self.page))

    #expect(read(space, at: start, count: 1) == [7])
    #expect(read(space, at: gap + Self.page, count: 1) == [9])
    #expect(read(space, at: gap, count: 1) == nil)
    #expect(read(space, at: gap + Self.page - 1, count: 2) == nil)
    #expect(space.counters.refusedAccesses == 2)
    #expect(space.parts.map(\.range.start.rawValue) == [0x5000_0000, start, gap + Self.page])
    #expect(space.parts.allSatisfy { $0.fileDescriptor != nil && $0.permissions == .readWrite })
  }

  @Test func accessAcrossTwoPiecesIsRefusedAsOnePlaceAndGivenAsTwoRuns() throws {
    let space = try window(at: 0x5000_0000, pages: 1)
    let border = 0x5000_0000 + Self.page
    space.add(try DMAWindow(name: "side", range: GuestRange(at: border, size: Self.page)))

    #expect(read(space, at: border - 4, count: 8) == nil)

    // SAFETY: the space lives to the end of the test; only sizes are looked at.
    let first = unsafe space.view.run(at: border - 4, count: 8, for: .write)?.count
    let second = unsafe space.view.run(at: border, count: 4, for: .write)?.count
    #expect(first == 4)
    #expect(second == 4)
    #expect(space.counters.refusedAccesses == 1)
  }

  @Test(arguments: [.read, .write] as [DMAPermissions])
  func pieceIsForWhatItsPermissionsSay(permissions: DMAPermissions) throws {
    let space = DMASpace(extent: .confined)
    space.add(
      try DMAWindow(name: "piece", range: GuestRange(at: 0x6000_0000, size: Self.page)),
      at: GuestAddress(0x1000_0000),
      permissions: permissions
    )

    #expect((read(space, at: 0x1000_0000, count: 4) != nil) == permissions.contains(.read))
    #expect(write(space, [1], at: 0x1000_0000) == permissions.contains(.write))
    #expect(read(space, at: 0x6000_0000, count: 4) == nil)
    #expect(space.counters.refusedAccesses == 2)
    #expect(space.parts.map(\.permissions) == [permissions])
  }

  @Test func pieceThatIsRemovedIsGoneAtOnceAndOtherViewsOfItAreNot() throws {
    let window = try DMAWindow(name: "plugged", range: GuestRange(at: 0x6000_0000, size: Self.page))
    let (space, other) = (try self.window(at: 0x5000_0000, pages: 1), window.makeSpace())
    space.add(window)
    #expect(write(space, [5], at: 0x6000_0000))
    let user = User()
    space.setUser(user)
    let isFinished = Flag()

    space.remove(window.range) { isFinished.value = true }

    #expect(read(space, at: 0x6000_0000, count: 1) == nil)
    #expect(!isFinished.value)
    user.finish()
    #expect(isFinished.value)
    #expect(read(other, at: 0x6000_0000, count: 1) == [5])
  }

  @Test func translationDecidesForEachAccessAndMayChangeItsMind() throws {
    let mmu = TestTranslation()
    let space = DMASpace(extent: .confined, translation: mmu)
    let range = GuestRange(at: 0x5000_0000, size: 4 * Self.page)
    let window = try DMAWindow(name: "behind", range: range)
    space.add(window)
    // Two pages of the device's that are the wrong way round in the guest's memory, the second for reading only.
    mmu.map(0, to: range.start.rawValue + Self.page, .readWrite)
    mmu.map(1, to: range.start.rawValue, .read)
    #expect(write(window.makeSpace(), [1, 2], at: range.start.rawValue))

    #expect(write(space, [9, 8], at: 0))
    #expect(read(window.makeSpace(), at: range.start.rawValue + Self.page, count: 2) == [9, 8])
    #expect(read(space, at: Self.page, count: 2) == [1, 2])
    #expect(!write(space, [1], at: Self.page))
    // Side by side for the device, but not here.
    #expect(read(space, at: Self.page - 1, count: 2) == nil)
    // What is the guest's address is none of the device's.
    #expect(read(space, at: range.start.rawValue, count: 1) == nil)

    mmu.unmap(0)
    #expect(read(space, at: 0, count: 1) == nil)
    mmu.map(0, to: range.start.rawValue + 2 * Self.page, .readWrite)
    #expect(read(space, at: 0, count: 2) == [0, 0])
    #expect(space.counters.refusedAccesses == 4)
  }

  @Test func pagesThatLieSideBySideOnBothSidesAreOnePlace() throws {
    let mmu = TestTranslation()
    let space = DMASpace(extent: .confined, translation: mmu)
    let range = GuestRange(at: 0x5000_0000, size: 4 * Self.page)
    space.add(try DMAWindow(name: "behind", range: range))
    for page: UInt64 in 0..<3 { mmu.map(page, to: range.start.rawValue + Self.page * (page + 1), .readWrite) }

    let isWritten = write(space, [UInt8](repeating: 7, count: Int(2 * Self.page)), at: 100)

    #expect(isWritten)
    #expect(read(space, at: 100 + 2 * Self.page - 1, count: 2) == [7, 0])
  }

  @Test func translationIntoNowhereIsRefused() throws {
    let mmu = TestTranslation()
    let space = DMASpace(extent: .confined, translation: mmu)
    space.add(try DMAWindow(name: "behind", range: GuestRange(at: 0x5000_0000, size: Self.page)))
    mmu.map(0, to: 0x5000_0000 + Self.page, .readWrite)
    mmu.map(1, to: .max & ~(Self.page - 1), .readWrite)

    #expect(read(space, at: 0, count: 1) == nil)
    #expect(read(space, at: Self.page, count: 1) == nil)
    #expect(read(space, at: 2 * Self.page - 1, count: 2) == nil)
  }

  /// Numbers that a guest may choose, against a model that looks at each byte.
  @Test func anyAccessIsWhatEachOfItsBytesIs() throws {
    let space = try window(at: 0x5000_0000, pages: 1)
    let layout: [(start: UInt64, permissions: DMAPermissions)] = [
      (0x5000_0000 + Self.page, .read), (0x5000_0000 + 3 * Self.page, .readWrite), (0, .write),
      (.max & ~(Self.page - 1), .readWrite),
    ]
    for piece in layout {
      space.add(
        try DMAWindow(name: "piece", range: GuestRange(at: 0x7000_0000, size: Self.page)),
        at: GuestAddress(piece.start),
        permissions: piece.permissions
      )
    }
    let pieces = layout + [(0x5000_0000, .readWrite)]
    /// How many bytes from `address` on are for `access` and in one piece.
    func expected(_ address: UInt64, _ access: DMAPermissions) -> UInt64 {
      guard let piece = pieces.first(where: { address >= $0.start && address - $0.start < Self.page }),
        piece.permissions.isSuperset(of: access)
      else { return 0 }
      return Self.page - (address - piece.start)
    }
    var random = SystemRandomNumberGenerator()
    let edges = pieces.flatMap { [$0.start, $0.start &+ Self.page] } + [1 << 32, .max]
    // SAFETY: the space lives to the end of the test; nothing is read or written.
    let view = unsafe space.view

    for _ in 0..<Effort.cases(100_000) {
      let address = (edges.randomElement(using: &random) ?? 0) &+ UInt64.random(in: 0..<8, using: &random) &- 4
      let count = max(1, ([1, 2, Self.page, .max].randomElement(using: &random) ?? 1) &- .random(in: 0..<3))
      let access: DMAPermissions = [.read, .write, .readWrite].randomElement(using: &random) ?? .read
      let room = expected(address, access)
      let run = unsafe view.run(at: address, count: count, for: access)
      let runCount = unsafe run.map { unsafe UInt64($0.count) } ?? 0
      let isPlace = unsafe view.pointer(to: address, count: count, for: access) != nil
      guard runCount == min(room, count), isPlace == (count <= room),
        view.reaches(address, count: count, for: access) == isPlace
      else {
        Issue.record("\(count) bytes at \(address) for \(access): \(runCount) of \(room), \(isPlace)")
        return
      }
    }
  }

  private func read(_ space: DMASpace, at address: UInt64, count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    // SAFETY: the space is the caller's; the buffer is used within the call only.
    let done = unsafe bytes.withUnsafeMutableBytes { unsafe space.view.read(at: address, into: $0) }
    return done ? bytes : nil
  }

  private func write(_ space: DMASpace, _ bytes: [UInt8], at address: UInt64) -> Bool {
    // SAFETY: as above.
    unsafe bytes.withUnsafeBytes { unsafe space.view.write($0, at: address) }
  }

  /// Remembers that it was told.
  private final class User: DMASpaceUser {
    private var finished: [@Sendable () -> Void] = []

    func reachBecameLess(_ finished: @escaping @Sendable () -> Void) { self.finished.append(finished) }

    func finish() {
      for call in finished { call() }
      finished = []
    }
  }

  private final class Flag: @unchecked Sendable {
    // SAFETY: @unchecked: used on one thread.
    var value = false
  }
}
