import CHost
import Glibc
import GuestMemory
import TestSupport

/// A disk's image: a file, or memory that the host takes for a file.
final class TestImage: Sendable {
  /// Where an image lies.
  enum Place: CaseIterable, Sendable {
    /// The file system of temporary files, whatever that is.
    case folder
    /// A tmpfs.
    case memory
  }

  let path: String
  let descriptor: Int32
  private let folder: TemporaryFolder

  /// A hole of so many bytes.
  init(_ place: Place, size: Int) throws {
    folder = try TemporaryFolder()
    switch place {
    case .folder:
      path = try folder.write("image", [])
      // SAFETY: the path holds for the call.
      descriptor = unsafe path.withCString { unsafe open($0, O_RDWR | O_CLOEXEC) }
    case .memory:
      // SAFETY: the name holds for the call.
      descriptor = unsafe chost_open_memory_file("test image")
      path = "/proc/self/fd/\(descriptor)"
    }
    precondition(descriptor >= 0, "the host gives files")
    resize(size)
  }

  deinit {
    close(descriptor)
  }

  func resize(_ size: Int) {
    precondition(ftruncate(descriptor, size) == 0, "a file that was just made can be resized")
  }

  func write(_ bytes: [UInt8], at offset: Int = 0) {
    // SAFETY: the bytes hold for the call.
    let count = unsafe bytes.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, offset) }
    precondition(count == bytes.count, "the host has room")
  }

  /// Fewer behind the file's end.
  func read(_ count: Int, at offset: Int = 0) -> [UInt8] {
    var bytes = [UInt8](repeating: 0xEE, count: count)
    // SAFETY: the bytes hold for the call.
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, offset) }
    return Array(bytes.prefix(max(0, count)))
  }

  /// The length of the file, and how much of it takes space, in bytes.
  var size: (length: Int, taken: Int) {
    var status = stat()
    // SAFETY: the structure holds for the call.
    let result = unsafe fstat(descriptor, &status)
    precondition(result == 0, "an open file can be asked")
    return (Int(status.st_size), Int(status.st_blocks) * 512)
  }
}

/// Memory that segments point into, at one place as long as it lives.
@safe
final class TestBuffer {
  // SAFETY: both are allocated in init or `segments`, and released in deinit.
  private let bytes: UnsafeMutableRawBufferPointer
  private var lists: [UnsafeMutableBufferPointer<DMASegment>]

  init(_ content: [UInt8]) {
    unsafe bytes = .allocate(byteCount: content.count, alignment: 4096)
    unsafe bytes.copyBytes(from: content)
    unsafe lists = []
  }

  deinit {
    unsafe lists.forEach { unsafe $0.deallocate() }
    unsafe bytes.deallocate()
  }

  @unsafe
  func segments(_ parts: [(offset: Int, count: Int)]) -> UnsafeMutableBufferPointer<DMASegment> {
    let list = UnsafeMutableBufferPointer<DMASegment>.allocate(capacity: parts.count)
    for (index, part) in parts.enumerated() {
      // SAFETY: the slice checks that the part lies inside, and has an address, since it is not empty.
      let slice = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[part.offset..<part.offset + part.count])
      guard let base = slice.baseAddress else { preconditionFailure("a part has bytes") }
      unsafe list.initializeElement(at: index, to: DMASegment(base: base, count: part.count))
    }
    unsafe lists.append(list)
    return unsafe list
  }

  func put(_ value: UInt32, at offset: Int) {
    unsafe bytes.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
  }

  func isEqual(to other: TestBuffer) -> Bool {
    guard let left = unsafe bytes.baseAddress, let right = unsafe other.bytes.baseAddress else { return false }
    return unsafe bytes.count == other.bytes.count && memcmp(left, right, bytes.count) == 0
  }
}
