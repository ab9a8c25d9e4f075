import Glibc
import Snapshot
import TestSupport
import Testing

/// Snapshots whose files are not what was written.
@Suite struct DamagedSnapshotTests {
  let folder: TemporaryFolder
  let path: String
  static let files = ["manifest.json", "test.state", "memory.state", "ram.memory"]

  init() throws {
    folder = try TemporaryFolder()
    path = folder.path("snapshot")
    try writeSmall("snapshot")
  }

  private func writeSmall(_ name: String) throws {
    let memory = TestMemory(pages: 4)
    memory.fill(1, 1)
    memory.fill(2, 1)
    try write(folder.path(name), memory, state: TestState(name: name))
  }

  /// Writes bytes over those of a file of the snapshot, which is as long as they are then.
  private func put(_ file: String, _ bytes: [UInt8]) throws {
    // SAFETY: path and buffer hold for the calls, and the size goes along.
    let descriptor = unsafe open("\(path)/\(file)", O_WRONLY)
    defer { close(descriptor) }
    try #require(unsafe pwrite(descriptor, bytes, bytes.count, 0) == bytes.count)
    try #require(ftruncate(descriptor, off_t(bytes.count)) == 0)
  }

  /// What somebody hears who opens the snapshot and asks for all of it.
  private func complaint() -> String? {
    do {
      let chain = try SnapshotChain(path)
      _ = try chain.newest.state(TestState.self, "test")
      return try chain.newest.damagedMemory().first?.description
    } catch {
      return "\(error)"
    }
  }

  @Test func whatIsWholeHasNoDamage() throws {
    #expect(complaint() == nil)
  }

  @Test(arguments: files)
  func everyTruncationIsTold(file: String) throws {
    let bytes = try #require(folder.read("snapshot/\(file)"))

    for count in bytes.indices.reversed() where count < 600 || count % Effort.step(1, brief: 97) == 0 {
      // SAFETY: the path holds for the call.
      try #require(unsafe truncate("\(path)/\(file)", off_t(count)) == 0)
      #expect(complaint() != nil, "\(file) cut to \(count) bytes")
    }
  }

  @Test func everyFlippedBitIsTold() throws {
    var random = SplitMix64(seed: 14)
    let whole = try Self.files.map { try #require(folder.read("snapshot/\($0)")) }

    for _ in 0..<Effort.cases(10_000) {
      let number = Int.random(in: 0..<4, using: &random)
      var bytes = whole[number]
      let place = Int.random(in: bytes.indices, using: &random)
      bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      try put(Self.files[number], bytes)
      #expect(complaint() != nil, "\(Self.files[number]), byte \(place)")
      try put(Self.files[number], whole[number])
    }
    #expect(complaint() == nil)
  }

  @Test(arguments: files)
  func aFileOfAnotherSnapshotIsTold(file: String) throws {
    // It has the same memory, and differs in little but its identifier.
    try writeSmall("other")

    try put(file, #require(folder.read("other/\(file)")))

    #expect(complaint()?.contains("damaged") == true)
  }

  @Test(arguments: files)
  func aFileThatIsMissingIsTold(file: String) throws {
    // SAFETY: the path holds for the call.
    #expect(unsafe unlink("\(path)/\(file)") == 0)

    #expect(complaint()?.contains(file) == true)
  }

  @Test(arguments: files)
  func aSymbolicLinkIsNotFollowed(file: String) throws {
    // SAFETY: the paths hold for the calls.
    #expect(unsafe rename("\(path)/\(file)", folder.path("outside")) == 0)
    #expect(unsafe symlink(folder.path("outside"), "\(path)/\(file)") == 0)

    let said = try #require(complaint())
    #expect(said.contains("\(file): it is a symbolic link"))
  }

  @Test(arguments: files)
  func aPipeInAFilesPlaceIsToldWithoutWaiting(file: String) throws {
    // SAFETY: the paths hold for the calls.
    #expect(unsafe unlink("\(path)/\(file)") == 0)
    #expect(unsafe mkfifo("\(path)/\(file)", 0o600) == 0)

    let said = try #require(complaint())
    #expect(said.contains("\(file): it is no file"))
  }

  @Test func aHoleWhereMemoryWasIsTold() throws {
    let memory = try #require(folder.read("snapshot/ram.memory"))
    // SAFETY: the path holds for the calls.
    try #require(unsafe truncate("\(path)/ram.memory", 0) == 0)
    try #require(unsafe truncate("\(path)/ram.memory", off_t(memory.count)) == 0)

    #expect(complaint() != nil)
  }

  @Test func memoryWhereAHoleWasIsFoundByVerification() throws {
    var memory = try #require(folder.read("snapshot/ram.memory"))
    memory[0] = 1
    try put("ram.memory", memory)

    let damages = try SnapshotReader(path).damagedMemory()

    #expect(damages.map(\.bytes) == [0..<UInt64(4 * TestMemory.pageSize)])
    #expect(damages.first?.isExtra == true)
  }

  @Test func everyDamagedBlockIsFoundByVerification() throws {
    let memory = TestMemory(pages: 2000)
    for page in stride(from: 0, to: 2000, by: 2) { memory.fill(page, 5) }
    try write(path, memory, replacing: true)
    var bytes = try #require(folder.read("snapshot/ram.memory"))
    bytes[100] ^= 1
    bytes[5 << 20] ^= 0x80
    try put("ram.memory", bytes)

    let damages = try SnapshotReader(path).damagedMemory()

    #expect(damages.map(\.bytes) == [0..<2 << 20, 4 << 20..<6 << 20])
    #expect(damages.allSatisfy { !$0.isExtra })
  }

  /// Manifests that are whole and say what can't be: of memory in small pages.
  @Test(
    .enabled(if: TestMemory.pageSize == 4096),
    arguments: [
      ("\"format\": 1", "\"format\": 2", "has format 2"),
      ("\"length\": ", "\"length\": 9", "bytes, and 9"),
      ("\"size\": 16384", "\"size\": 16385", "of a place or size that can't be"),
      ("\"size\": 16384", "\"size\": 1152921504606846976", "of a place or size that can't be"),
      ("\"size\": 16384", "\"size\": 32768", "and 32832 were written"),
      ("\"stored\": 8192", "\"stored\": 4096", "another number of pages"),
      ("\"start\": 1073741824", "\"start\": 18446744073709547520", "of a place or size that can't be"),
      ("\"changes\": false", "\"changes\": true", "that is not named"),
      ("\"file\": \"test.state\"", "\"file\": \"../test.state\"", "can't be a file of a snapshot"),
      ("\"file\": \"test.state\"", "\"file\": \".state\"", "can't be a file of a snapshot"),
      ("\"file\": \"test.state\"", "\"file\": \"ram.memory\"", "is there twice"),
      ("\"file\": \"test.state\"", "\"file\": \"memory.state\"", "is there twice"),
      ("\"name\": \"test\"", "\"name\": \"memory\"", "two parts of one name"),
      ("\"pageSize\": 4096", "\"pageSize\": 4095", "which no host has"),
      ("\"pageSize\": 4096", "\"pageSize\": 8192", "the index"),
      ("\"cpus\": 4", "\"cpus\": -0.5", "an integer"), ("\"cpus\": 4", "\"cpus\": 0", "an integer above 0"),
      ("\"gic\": 3", "\"gic\": -3", "an integer above 0, and is -3"),
      ("\"gic\": 3", "\"gic\": 3, \"its\": true", "is not known"),
      ("\"identifier\": \"", "\"identifier\": \"0", "32 digits"),
      ("\"disks\": [", "\"disks\": [null, ", "an object is wanted"),
      ("\"details\": {", "\"details\": {\"a\": 1, ", "a string is wanted"),
    ]
  )
  func aManifestThatLiesIsTold(found: String, forged: String, reason: String) throws {
    let text = String(decoding: try #require(folder.read("snapshot/manifest.json")), as: UTF8.self)
    let parts = text.components(around: found)
    try #require(parts.count == 2, "\(found)")
    let content = (parts[0] + forged + parts[1]).components(around: ",\n  \"crc32c\"")[0]

    try put("manifest.json", SnapshotManifest.sealed(Array(content.utf8)))

    let said = try #require(complaint())
    #expect(said.contains(reason == "the index" ? "index" : reason), "\(said)")
  }
}

extension String {
  /// What is before and behind the first place of a text, or all of it.
  fileprivate func components(around text: String) -> [String] {
    let bytes = Array(utf8), wanted = Array(text.utf8)
    for start in bytes.indices where bytes[start...].starts(with: wanted) {
      return [
        String(decoding: bytes[..<start], as: UTF8.self),
        String(decoding: bytes[(start + wanted.count)...], as: UTF8.self),
      ]
    }
    return [self]
  }
}
