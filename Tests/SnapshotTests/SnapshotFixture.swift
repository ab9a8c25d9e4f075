import CHost
import Glibc
import Snapshot
import TestSupport

/// Memory of this process that tests write snapshots of.
@safe
final class TestMemory: @unchecked Sendable {
  // SAFETY: @unchecked: each test has its own, and one thread at a time uses it.

  let base: UnsafeMutableRawPointer
  let pages: Int
  static let pageSize = Int(chost_page_size())

  init(pages: Int) {
    guard let base = unsafe chost_map_private(pages * Self.pageSize) else { preconditionFailure("no memory") }
    unsafe self.base = base
    self.pages = pages
  }

  deinit {
    // SAFETY: it was mapped with this size.
    unsafe chost_unmap(base, pages * Self.pageSize)
  }

  var address: UInt {
    // SAFETY: the address is a number here.
    unsafe UInt(bitPattern: base)
  }
  var size: UInt64 { UInt64(pages * Self.pageSize) }

  /// Fills a page with bytes that tell it from others.
  func fill(_ page: Int, _ value: UInt8) {
    // SAFETY: the page is one of the mapping's.
    unsafe memset(base + page * Self.pageSize, Int32(value), Self.pageSize)
  }

  var bytes: [UInt8] {
    // SAFETY: the mapping has so many bytes.
    unsafe [UInt8](UnsafeRawBufferPointer(start: base, count: Int(size)))
  }

  /// Puts a snapshot's memory into this one.
  func read(_ memory: ChainedMemory) throws {
    // SAFETY: as above.
    try unsafe memory.read(into: UnsafeMutableRawBufferPointer(start: base, count: Int(size)))
  }
}

struct TestState: Codable, Equatable {
  var registers: [UInt64] = [1, 2, 3, .max]
  var name = "a state"
}

func testManifest(base: SnapshotManifest.Base? = nil) -> SnapshotManifest {
  var manifest = SnapshotManifest(
    apusVersion: "0.6.0",
    created: 1_796_025_440,
    machine: .init(name: "machine \"one\"\n", uuid: "9f0c", cpus: 4, gic: 3),
    model: "host",
    pause: 12_345
  )
  manifest.base = base
  manifest.disks = [.init(device: "vda", path: "/tmp/disk", size: 1 << 40, inode: .max, changeTime: -1, checksum: "00")]
  manifest.details = [.init("clock", "continue")]
  return manifest
}

func testRegion(_ memory: TestMemory, _ name: String = "ram") -> MemoryRegion {
  MemoryRegion(name: name, file: "\(name).memory", start: 0x4000_0000, size: memory.size)
}

/// Writes a snapshot of memory and one state.
@discardableResult
func write(
  _ path: String,
  _ memory: TestMemory,
  _ pages: MemoryPages? = nil,
  base: SnapshotManifest.Base? = nil,
  replacing: Bool = false,
  state: TestState = TestState()
) throws -> SnapshotManifest {
  let writer = try SnapshotWriter(path, replacing: replacing)
  try writer.addPart("test", StateCoding.encode(state))
  try writer.addMemory(testRegion(memory), pages ?? .all(base: memory.address)).write()
  return try writer.commit(testManifest(base: base))
}
