internal import CSnapshot
internal import Host

/// A snapshot and those that it has the changes to, of which the last has everything.
package final class SnapshotChain: Sendable {
  /// From the one that was asked for to the oldest.
  package let members: [SnapshotReader]

  /// The one that was asked for, with the states.
  package var newest: SnapshotReader { members[0] }

  /// The most snapshots that stand upon each other.
  package static let limit = 64

  /// How many stand upon each other.
  package var count: Int { members.count }

  /// Opens a snapshot with all that it needs, and checks that these are the ones that it was taken after.
  ///
  /// - Throws: ``SnapshotError``.
  package init(_ path: String) throws(SnapshotError) {
    var members = [try SnapshotReader(path)]
    while let newer = members.last, let base = newer.manifest.base {
      let place = Self.path(base.path, from: newer.path)
      func wrong(_ what: String) -> SnapshotError { .base(path: place, of: newer.path, what: what) }
      guard members.count < Self.limit else { throw wrong("more than \(Self.limit) stand upon each other") }
      // A snapshot is known before those that are taken after it, so only a forged one comes back.
      guard !members.contains(where: { $0.manifest.identifier == base.identifier }) else {
        throw wrong("it needs itself")
      }
      let older: SnapshotReader
      do throws(SnapshotError) {
        older = try SnapshotReader(place, from: newer.directory.rawValue, base.path)
      } catch {
        guard case .host(.read, _, let errno) = error else { throw error }
        throw wrong(errorText(errno))
      }
      guard older.manifest.identifier == base.identifier else { throw wrong("another one is there") }
      try Self.compare(newer, older)
      members.append(older)
    }
    self.members = members
  }

  /// Where a base is, for messages.
  private static func path(_ base: String, from newer: String) -> String {
    if base.utf8.first == 0x2F { return base }
    var parts = newer.split(separator: "/" as Character, omittingEmptySubsequences: false).map(String.init)
    for part in base.split(separator: "/" as Character).map(String.init) {
      if part == "..", let last = parts.last, last != "", last != ".", last != ".." {
        parts.removeLast()
      } else {
        parts.append(part)
      }
    }
    return SnapshotFile.path(of: parts)
  }

  /// Checks that changes are to what the base has.
  private static func compare(_ newer: SnapshotReader, _ older: SnapshotReader) throws(SnapshotError) {
    for memory in newer.manifest.memory where memory.isChanges {
      let isThere = older.manifest.memory.contains {
        $0.name == memory.name && $0.start == memory.start && $0.size == memory.size
      }
      guard isThere, newer.manifest.pageSize == older.manifest.pageSize else {
        throw .base(path: older.path, of: newer.path, what: "its memory '\(memory.name)' is another")
      }
    }
  }

  /// The memory of a region, put together; nil where there is none of that name.
  package func memory(_ name: String) -> ChainedMemory? {
    var files: [MemoryFile] = []
    for member in members {
      guard let file = member.memory.first(where: { $0.description.name == name }) else { return nil }
      files.append(file)
      if !file.description.isChanges { return ChainedMemory(files, pageSize: Int(newest.manifest.pageSize)) }
    }
    return nil
  }
}

/// A region's memory as one or more files have it.
package final class ChainedMemory: Sendable {
  /// Pages that are to be put over those of the oldest file.
  package struct Overlay: Sendable {
    /// Where they are read from; nil for zeroes.
    package let file: MemoryFile?
    /// Offset and length in bytes, in region and file.
    package let bytes: Range<UInt64>
  }

  /// The oldest file, which has everything that it had then: what is mapped.
  package let base: MemoryFile
  /// What newer files have, each page once, as the newest has it.
  package let overlays: [Overlay]
  private let pageSize: Int

  /// - Parameter files: from the newest to the oldest, which is the only one that has more than changes.
  init(_ files: [MemoryFile], pageSize: Int) {
    guard let base = files.last else { preconditionFailure("memory has a file") }
    self.base = base
    self.pageSize = pageSize
    var overlays: [Overlay] = []
    var taken = PageSet(count: Int(base.description.size) / pageSize)
    for file in files.dropLast() {
      for run in file.runs {
        taken.insert(run) { pages in
          let bytes = UInt64(pages.lowerBound * pageSize)..<UInt64(pages.upperBound * pageSize)
          overlays.append(Overlay(file: run.isZero ? nil : file, bytes: bytes))
        }
      }
    }
    self.overlays = overlays
  }

  /// The bytes that the region has, by the manifest.
  package var description: SnapshotManifest.Memory { base.description }

  /// The pages that the oldest file has, a bit for each as ``MemoryPages`` has them: what a mapping of it shows without
  /// having been touched.
  package var backed: [UInt64] {
    var set = PageSet(count: Int(base.description.size) / pageSize)
    for run in base.runs { set.insert(run) { _ in } }
    return set.words
  }

  /// Reads all into memory that is zero, and leaves what is zero alone.
  ///
  /// - Parameter memory: of the region's size.
  /// - Throws: ``MemoryReadError``.
  @unsafe
  package func read(into memory: UnsafeMutableRawBufferPointer) throws(MemoryReadError) {
    precondition(memory.count == Int(base.description.size), "memory is as large as the region")
    // SAFETY: runs and overlays lie in the region, which the caller vouches for, here and below.
    for run in base.runs {
      try unsafe Self.read(base, run.first * pageSize..<run.end * pageSize, into: memory)
    }
    for overlay in overlays {
      let range = Int(overlay.bytes.lowerBound)..<Int(overlay.bytes.upperBound)
      guard let file = overlay.file else {
        unsafe UnsafeMutableRawBufferPointer(rebasing: memory[range]).initializeMemory(as: UInt8.self, repeating: 0)
        continue
      }
      // SAFETY: as above.
      try unsafe Self.read(file, range, into: memory)
    }
  }

  private static func read(
    _ file: MemoryFile,
    _ range: Range<Int>,
    into memory: UnsafeMutableRawBufferPointer
  ) throws(MemoryReadError) {
    guard let base = memory.baseAddress, !range.isEmpty else { return }
    // SAFETY: the range lies in the region, which the caller vouches for.
    let start = unsafe base + range.lowerBound
    let result = unsafe csnapshot_read_at(file.descriptor, start, range.count, UInt64(range.lowerBound))
    guard result == 0 else { throw MemoryReadError(file: file.description.file, errno: -result) }
  }
}

/// A file of memory that cannot be read.
package struct MemoryReadError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Its name.
  package let file: String
  /// The reason: EIO where it was cut.
  package let errno: Int32

  package var description: String {
    "cannot read the snapshot's memory '\(file)': \(errorText(errno)); \(ErrorNumber.adviceForInput(errno))"
  }
}

/// A set of pages.
struct PageSet {
  private(set) var words: [UInt64]

  init(count: Int) {
    words = [UInt64](repeating: 0, count: (count + 63) / 64)
  }

  func contains(_ page: Int) -> Bool { words[page / 64] >> UInt64(page % 64) & 1 == 1 }

  /// Adds pages, and tells which runs of them were not there yet.
  mutating func insert(_ run: PageRun, new: (Range<Int>) -> Void) {
    var start = run.first
    for page in run.first..<run.end {
      if contains(page) {
        if start < page { new(start..<page) }
        start = page + 1
      } else {
        words[page / 64] |= 1 << UInt64(page % 64)
      }
    }
    if start < run.end { new(start..<run.end) }
  }
}
