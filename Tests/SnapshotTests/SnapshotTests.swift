import CHost
import Glibc
import Snapshot
import TestSupport
import Testing

@Suite struct SnapshotTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test func whatWasWrittenIsReadAgain() throws {
    let memory = TestMemory(pages: 1200)
    for page in [0, 1, 2, 511, 512, 513, 700, 1199] { memory.fill(page, UInt8(page % 255 + 1)) }
    memory.fill(600, 0)
    let path = folder.path("snapshot")

    let manifest = try write(path, memory)
    let chain = try SnapshotChain(path)
    let copy = TestMemory(pages: memory.pages)
    try copy.read(#require(chain.memory("ram")))

    #expect(chain.newest.manifest == manifest)
    #expect(try chain.newest.state(TestState.self, "test") == TestState())
    #expect(copy.bytes == memory.bytes)
    #expect(chain.newest.memory.first?.runs.map(\.first) == [0, 511, 700, 1199])
    #expect(manifest.memory.first?.stored == UInt64(8 * TestMemory.pageSize))
    #expect(try folder.names == ["snapshot"])
  }

  @Test func pagesThatAreZeroOrUntouchedTakeNoSpace() throws {
    let memory = TestMemory(pages: 4096)
    memory.fill(7, 1)
    for page in 100..<200 { memory.fill(page, 0) }

    try write(folder.path("snapshot"), memory)

    var status = stat()
    // SAFETY: path and structure hold for the call.
    #expect(unsafe stat(folder.path("snapshot/ram.memory"), &status) == 0)
    #expect(status.st_blocks * 512 <= 8 * TestMemory.pageSize)
    #expect(UInt64(status.st_size) == memory.size + 64)
  }

  @Test func theManifestIsReadableAndForItsUserAlone() throws {
    try write(folder.path("snapshot"), TestMemory(pages: 1))

    let text = try #require(readText(folder.path("snapshot/manifest.json")))
    var status = stat()
    // SAFETY: path and structure hold for the call.
    #expect(unsafe stat(folder.path("snapshot"), &status) == 0)

    #expect(text.contains("\n  \"createdAt\": \"2026-11-30T07:57:20Z\",\n"))
    #expect(text.contains("\"name\": \"machine \\\"one\\\"\\u000a\""))
    #expect(status.st_mode & 0o777 == 0o700)
    #expect(jsonObject(text) != nil || text.utf8.last == 0x0A)
  }

  @Test func memoryInAFileIsWrittenThoughThisProcessNeverTouchedIt() throws {
    // SAFETY: the name holds for the call.
    let file = unsafe chost_open_memory_file("test")
    defer { close(file) }
    let size = 64 * TestMemory.pageSize
    #expect(ftruncate(file, size) == 0)
    let page = [UInt8](repeating: 9, count: TestMemory.pageSize)
    // SAFETY: the buffer holds for the call; the mapping is a new one.
    #expect(unsafe pwrite(file, page, page.count, 5 * page.count) == page.count)
    let base = unsafe mmap(nil, size, PROT_READ, MAP_SHARED, file, 0)
    let writer = try SnapshotWriter(folder.path("snapshot"))
    let region = MemoryRegion(name: "window", file: "window.memory", start: 0, size: UInt64(size))

    try writer.addMemory(region, .shared(base: UInt(bitPattern: base), descriptor: file)).write()
    try writer.commit(testManifest())

    let reader = try SnapshotReader(folder.path("snapshot"))
    #expect(reader.memory.first?.runs == [PageRun(first: 5, count: 1)])
  }

  @Test func anExistingNameIsRefusedUnlessItIsReplaced() throws {
    let memory = TestMemory(pages: 4)
    let path = folder.path("snapshot")
    let first = try write(path, memory)

    #expect(throws: SnapshotError.exists(path)) { try write(path, memory) }
    let second = try write(path, memory, replacing: true)

    #expect(first.identifier != second.identifier)
    #expect(try SnapshotReader(path).manifest.identifier == second.identifier)
    #expect(try folder.names == ["snapshot"])
  }

  @Test func theIdentifierIsReadFromAManifestThatIsWhole() throws {
    let path = folder.path("snapshot")
    let written = try write(path, TestMemory(pages: 1))

    let read = try SnapshotReader.identifier(of: path)
    let text = try #require(folder.read("snapshot/manifest.json"))
    try folder.write("snapshot/manifest.json", text.dropLast(3))

    #expect(read == written.identifier)
    #expect(throws: SnapshotError.self) { try SnapshotReader.identifier(of: path) }
    #expect(throws: SnapshotError.noSnapshot(folder.path(""))) { try SnapshotReader.identifier(of: folder.path("")) }
  }

  @Test func whatIsNoSnapshotIsNotReplaced() throws {
    let path = try folder.makeFolder("snapshot")
    try folder.write("snapshot/precious", [1])

    #expect(throws: SnapshotError.notToBeReplaced(path)) { _ = try SnapshotWriter(path, replacing: true) }
    #expect(folder.read("snapshot/precious") == [1])
  }

  @Test func aSnapshotWithSomethingElseInItIsNotReplaced() throws {
    let path = folder.path("snapshot")
    let first = try write(path, TestMemory(pages: 1))
    try folder.write("snapshot/precious", [1])

    #expect(throws: SnapshotError.notToBeReplaced(path)) { _ = try SnapshotWriter(path, replacing: true) }
    #expect(folder.read("snapshot/precious") == [1])
    #expect(try SnapshotReader(path).manifest == first)
  }

  @Test func aSnapshotThatIsReadIsNotReplaced() throws {
    let path = folder.path("snapshot")
    try write(path, TestMemory(pages: 1))
    let reader = try SnapshotReader(path)

    #expect(throws: SnapshotError.inUse(path)) { _ = try SnapshotWriter(path, replacing: true) }
    #expect(reader.part("test") != nil)
  }

  @Test func aSnapshotThatIsReplacedIsReadUntilThen() throws {
    let path = folder.path("snapshot")
    let first = try write(path, TestMemory(pages: 1))
    let writer = try SnapshotWriter(path, replacing: true)

    var reader: SnapshotReader? = try SnapshotReader(path)
    #expect(reader?.manifest == first)
    #expect(throws: SnapshotError.inUse(path)) { try writer.commit(testManifest()) }
    reader = nil

    #expect(try SnapshotReader(path).manifest == first)
  }

  @Test(arguments: [
    ("a", "../a"), ("deep/b", "../deep/b"), ("deep/../a", "../a"), ("link", "../deep"),
  ])
  func aPathToAnotherSnapshotLeadsFromTheDirectory(other: String, expected: String) throws {
    _ = try folder.makeFolder("a")
    _ = try folder.makeFolder("deep")
    _ = try folder.makeFolder("deep/b")
    // SAFETY: the paths hold for the call.
    #expect(unsafe symlink("deep", folder.path("link")) == 0)

    let writer = try SnapshotWriter(folder.path("snapshot"))
    let below = try SnapshotWriter(folder.path("deep/snapshot"))

    #expect(try writer.path(to: folder.path(other)) == expected)
    #expect(try below.path(to: folder.path("a")) == "../../a")
  }

  @Test func aSnapshotIsNotTheBaseOfWhatReplacesIt() throws {
    let path = folder.path("snapshot")
    try write(path, TestMemory(pages: 1))
    let writer = try SnapshotWriter(path, replacing: true)

    #expect(throws: SnapshotError.replacesBase(path)) {
      _ = try writer.path(to: path)
    }
  }

  @Test func aWriterThatIsNotCommittedLeavesNothing() throws {
    do {
      let writer = try SnapshotWriter(folder.path("snapshot"))
      try writer.addPart("test", [1])
      #expect(try folder.names.count == 1)
    }

    #expect(try folder.names.isEmpty)
  }

  @Test func leftoversOfDeadWritersGoAndThoseOfLivingOnesStay() throws {
    let path = folder.path("snapshot")
    let living = try SnapshotWriter(path)
    _ = try folder.makeFolder(".snapshot.000000000000.apus-snapshot")
    try folder.write(".snapshot.000000000000.apus-snapshot/ram.memory", [1])

    let other = try SnapshotWriter(path)

    #expect(try folder.names.count == 2)
    try living.commit(testManifest())
    #expect(throws: SnapshotError.exists(path)) { try other.commit(testManifest()) }
  }

  @Test(arguments: ["", "/", ".", "..", "a/..", "a/."])
  func aPathWithoutANameIsRefused(path: String) {
    #expect(throws: SnapshotError.badName(path)) { _ = try SnapshotWriter(path) }
  }

  @Test func aFolderThatIsNotThereIsTold() {
    #expect(throws: SnapshotError.host(.write, path: "/nowhere/at/all", errno: ENOENT)) {
      _ = try SnapshotWriter("/nowhere/at/all")
    }
    #expect(throws: SnapshotError.host(.read, path: "/nowhere/at/all", errno: ENOENT)) {
      _ = try SnapshotReader("/nowhere/at/all")
    }
  }
}
