import GuestMemory
import Snapshot
import TestSupport
import Testing

@Suite struct SnapshotChainTests {
  let folder: TemporaryFolder
  let memory = TestMemory(pages: 1500)

  init() throws {
    folder = try TemporaryFolder()
  }

  private func marks(_ pages: [Int]) -> [UInt64] {
    var marks = [UInt64](repeating: 0, count: (memory.pages + 63) / 64)
    for page in pages { marks[page / 64] |= 1 << UInt64(page % 64) }
    return marks
  }

  private func change(_ pages: [Int], _ value: UInt8) -> MemoryPages {
    for page in pages { memory.fill(page, value) }
    return .changed(base: memory.address, marks(pages))
  }

  /// A base and two snapshots of what has changed since: "a", "b" and "c".
  private func writeThree() throws {
    for page in 0..<1000 { memory.fill(page, 1) }
    let first = try write(folder.path("a"), memory)
    let pages = change([3, 4, 5, 1200], 2)
    let second = try write(folder.path("b"), memory, pages, base: .init(path: "../a", identifier: first.identifier))
    let more = change([4, 7], 0)
    try write(folder.path("c"), memory, more, base: .init(path: "../b", identifier: second.identifier))
  }

  private func read(_ name: String) throws -> [UInt8] {
    let copy = TestMemory(pages: memory.pages)
    try copy.read(#require(SnapshotChain(folder.path(name)).memory("ram")))
    return copy.bytes
  }

  @Test func changesAreReadOverWhatTheyChange() throws {
    try writeThree()

    let chain = try SnapshotChain(folder.path("c"))
    let ram = try #require(chain.memory("ram"))

    #expect(try read("c") == memory.bytes)
    #expect(chain.members.count == 3)
    let page = UInt64(TestMemory.pageSize)
    #expect(ram.overlays.map { $0.bytes.lowerBound / page } == [4, 7, 3, 5, 1200])
    #expect(ram.overlays.map { $0.file == nil } == [true, true, false, false, false])
    #expect(chain.newest.manifest.memory.first?.stored == 0)
    #expect(chain.members[1].manifest.memory.first?.stored == 4 * page)
  }

  @Test func mappedMemoryIsWhatWasWrittenAndItsChangesAreFoundByThemselves() throws {
    try writeThree()
    let chain = try SnapshotChain(folder.path("c"))
    let ram = try #require(chain.memory("ram"))
    let range = GuestRange(at: 0x4000_0000, size: memory.size)
    let overlays = ram.overlays.map { PrivateRAM.Overlay(descriptor: $0.file?.descriptor, bytes: $0.bytes) }

    let mapped = try PrivateRAM(range: range, mapping: ram.base.descriptor, overlays: overlays)
    let before = try mapped.read(at: range.start, count: Int(memory.size))
    try mapped.write([42].span, at: GuestAddress(range.start.rawValue + memory.size - 1))
    try mapped.zero(GuestRange(at: range.start.rawValue + 100 * PrivateRAM.pageSize, size: 50 * PrivateRAM.pageSize))
    let after = try mapped.read(at: range.start, count: Int(memory.size))
    // SAFETY: the address is a number here, of memory that lives as long as the writers.
    let base = unsafe UInt(bitPattern: mapped.hostAddress)
    let unmapped = mapped.pagesWithoutFile ?? []
    try write(folder.path("whole"), memory, .all(base: base, backed: ram.backed))
    let changes = try write(
      folder.path("changes"),
      memory,
      .privately(base: base, unmapped: unmapped),
      base: .init(path: "../c", identifier: chain.newest.manifest.identifier)
    )

    #expect(before == memory.bytes)
    #expect(try read("whole") == after)
    #expect(try read("changes") == after)
    // Three pages that were put over the file, and the one that was written.
    #expect(changes.memory.first?.stored == 4 * PrivateRAM.pageSize)
    _ = consume mapped
  }

  @Test func aBaseThatIsGoneIsTold() throws {
    try writeThree()
    try folder.move("a", "elsewhere")

    #expect(throws: SnapshotError.base(path: folder.path("a"), of: folder.path("b"), what: "No such file or directory"))
    {
      _ = try SnapshotChain(folder.path("c"))
    }
  }

  @Test func anotherSnapshotInTheBasesPlaceIsTold() throws {
    try writeThree()
    try write(folder.path("a"), memory, replacing: true)

    #expect(throws: SnapshotError.base(path: folder.path("a"), of: folder.path("b"), what: "another one is there")) {
      _ = try SnapshotChain(folder.path("c"))
    }
  }

  @Test func otherMemoryInTheBaseIsTold() throws {
    let small = try write(folder.path("a"), TestMemory(pages: 10))
    let pages = change([1], 2)
    try write(folder.path("b"), memory, pages, base: .init(path: "../a", identifier: small.identifier))

    let path = folder.path("a")
    #expect(throws: SnapshotError.base(path: path, of: folder.path("b"), what: "its memory 'ram' is another")) {
      _ = try SnapshotChain(folder.path("b"))
    }
  }

  @Test func aChainThatComesBackToItselfIsTold() throws {
    let path = folder.path("a")
    let writer = try SnapshotWriter(path)
    try writer.addMemory(testRegion(memory), change([1], 1)).write()
    try writer.commit(testManifest(base: .init(path: "../a", identifier: writer.identifier)))

    #expect(throws: SnapshotError.base(path: folder.path("a"), of: path, what: "it needs itself")) {
      _ = try SnapshotChain(path)
    }
  }

  @Test func aChainHasALimit() throws {
    let memory = TestMemory(pages: 1)
    var base = try write(folder.path("0"), memory)
    for number in 1...64 {
      let before = SnapshotManifest.Base(path: "../\(number - 1)", identifier: base.identifier)
      base = try write(folder.path("\(number)"), memory, .changed(base: memory.address, [1]), base: before)
    }

    #expect(try SnapshotChain(folder.path("63")).members.count == 64)
    #expect(throws: SnapshotError.self) { _ = try SnapshotChain(folder.path("64")) }
  }
}
