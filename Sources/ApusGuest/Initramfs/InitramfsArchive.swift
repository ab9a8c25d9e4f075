/// An archive that the kernel unpacks into its first file system: cpio in the form `newc`, as
/// Linux's buffer-format.rst (driver-api, early-userspace) has it.
///
/// Several of them may stand one behind the other in one initramfs; what a later one has takes the place of an earlier
/// one's.
public struct InitramfsArchive: Sendable {
  /// What is complete, in pieces: a large file is one that is not copied.
  private var pieces: [[UInt8]] = []
  private var bytes: [UInt8] = []
  private var inode: UInt32 = 0
  /// What was added, in order, for a guest that has its first file system already.
  private(set) var entries: [Entry] = []

  /// One that is empty.
  public init() {}

  /// The kinds of file, and the bits of `st_mode` that say so.
  private enum Kind: UInt32 {
    case folder = 0o040000
    case regular = 0o100000
    case link = 0o120000
  }

  /// Something that was added.
  struct Entry: Sendable {
    /// Without a leading slash.
    let path: String
    /// Permissions.
    let mode: UInt32
    let content: Content
  }

  /// What it is.
  enum Content: Sendable {
    case folder
    case file([UInt8])
    case link(to: String)
  }

  /// The most that fits into a field of the header.
  public static let fileLimit = Int(UInt32.max)
  /// From so many bytes on a file is a piece of its own.
  private static let largeFile = 64 << 10

  /// Adds a regular file.
  ///
  /// - Parameters:
  ///   - path: without a leading slash; its folders have to be there.
  ///   - mode: permissions.
  ///   - contents: at most ``fileLimit`` bytes.
  public mutating func addFile(_ path: String, mode: UInt32, _ contents: [UInt8]) {
    entries.append(Entry(path: path, mode: mode, content: .file(contents)))
    add(.regular, path, mode, contents)
  }

  /// Adds a folder, with nothing in it.
  ///
  /// - Parameters:
  ///   - path: without a leading slash; the folders above have to be there.
  ///   - mode: permissions.
  public mutating func addFolder(_ path: String, mode: UInt32 = 0o755) {
    entries.append(Entry(path: path, mode: mode, content: .folder))
    add(.folder, path, mode, [])
  }

  /// Adds a symbolic link.
  public mutating func addLink(_ path: String, to target: String) {
    entries.append(Entry(path: path, mode: 0o777, content: .link(to: target)))
    add(.link, path, 0o777, Array(target.utf8))
  }

  /// Whether nothing was added.
  public var isEmpty: Bool { inode == 0 }

  /// The archive with its end, in pieces that belong one behind the other: a multiple of four bytes in all.
  package var complete: [[UInt8]] {
    var end = InitramfsArchive()
    end.add(.regular, "TRAILER!!!", 0, [])
    return pieces + [bytes, end.bytes]
  }

  /// Whether the kernel unpacks these bytes and goes on to the archive behind them: it knows archives and compressed
  /// ones by their first bytes (`lib/decompress.c` of Linux).
  static func canPrecede(_ bytes: [UInt8]) -> Bool {
    // It passes over zeroes.
    guard let start = bytes.firstIndex(where: { $0 != 0 }) else { return true }
    let magics: [[UInt8]] = [
      Array("070701".utf8), Array("070702".utf8), [0x1F, 0x8B], [0x1F, 0x9E], Array("BZh".utf8), [0x5D, 0],
      [0xFD, 0x37, 0x7A, 0x58, 0x5A], [0x89, 0x4C, 0x5A, 0x4F], [2, 0x21, 0x4C, 0x18], [0x28, 0xB5, 0x2F, 0xFD],
    ]
    return magics.contains { bytes[start...].starts(with: $0) }
  }

  private mutating func add(_ kind: Kind, _ path: String, _ mode: UInt32, _ contents: [UInt8]) {
    precondition(contents.count <= Self.fileLimit, "a file's size has eight digits")
    inode += 1
    bytes += "070701".utf8
    // Inode, mode, user, group, links, time, size, device twice two numbers, size of the name, checksum.
    let isLast = path == "TRAILER!!!"
    appendHexadecimal(isLast ? 0 : inode)
    appendHexadecimal(isLast ? 0 : kind.rawValue | mode)
    for field: UInt32 in [0, 0, 1, 0, UInt32(contents.count), 0, 0, 0, 0, UInt32(path.utf8.count + 1), 0] {
      appendHexadecimal(field)
    }
    bytes += path.utf8
    bytes.append(0)
    pad()
    guard contents.count >= Self.largeFile else {
      bytes += contents
      return pad()
    }
    pieces += [bytes, contents, [UInt8](repeating: 0, count: (4 - contents.count % 4) % 4)]
    bytes = []
  }

  private mutating func appendHexadecimal(_ number: UInt32) {
    for place in (0..<8).reversed() {
      let digit = UInt8(truncatingIfNeeded: number >> UInt32(4 * place) & 0xF)
      bytes.append(digit + (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10))
    }
  }

  /// What is in the pieces is a multiple of four bytes.
  private mutating func pad() {
    while bytes.count % 4 != 0 { bytes.append(0) }
  }
}
