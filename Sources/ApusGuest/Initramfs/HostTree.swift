internal import Glibc
public import Host

/// A folder of the host's, as what goes into an initramfs.
public enum HostTree {
  /// The most bytes that a folder's files may have.
  public static let sizeLimit: UInt64 = 512 << 20
  /// The most files, and how deep.
  public static let countLimit = 100_000
  static let depthLimit = 64

  /// A file that was added.
  public struct File: Sendable {
    /// In the folder.
    public let path: String
    /// Whether it may be run.
    public let isProgram: Bool
  }

  /// Why a folder cannot be taken.
  public struct Failure: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public let kind: FailureKind
    /// What is wrong, and what to do about it.
    public let description: String

    init(_ kind: FailureKind, _ description: String) {
      self.kind = kind
      self.description = description
    }
  }
}

extension HostTree {
  /// What is found in a folder, by its path in there.
  enum Entry {
    case folder(String)
    /// A file, where it is on the host, and its permissions.
    case file(String, source: String, mode: UInt32)
    case link(String, target: String)
  }

  /// All that is in a folder, in the order of the names, each folder before what is in it. What is neither a file, a
  /// folder nor a link is left out.
  ///
  /// - Parameters:
  ///   - folder: its path on the host.
  ///   - limit: the most bytes of all files.
  static func entries(of folder: String, limit: UInt64) throws(Failure) -> [Entry] {
    var walk = Walk(limit: limit)
    try walk.add(folder, "", depth: 0)
    return walk.entries
  }

  /// The bytes of a file that was found.
  static func read(_ source: String) throws(Failure) -> [UInt8] {
    do {
      return try InputFile.read(source)
    } catch {
      throw Failure(.inputNotFound, "\(error)")
    }
  }

  private struct Walk {
    let limit: UInt64
    var size: UInt64 = 0
    var entries: [Entry] = []

    mutating func add(_ folder: String, _ inside: String, depth: Int) throws(Failure) {
      guard depth <= depthLimit else {
        throw Failure(.badInput, "'\(folder)' is more than \(depthLimit) folders deep")
      }
      for name in try names(in: folder) {
        let source = "\(folder)/\(name)"
        let path = inside.isEmpty ? name : "\(inside)/\(name)"
        var status = stat()
        // SAFETY: the path and the structure hold for the call.
        guard unsafe lstat(source, &status) == 0 else { continue }  // gone meanwhile
        guard entries.count < countLimit else {
          throw Failure(
            .badInput,
            "more than \(countLimit) files are in it; share the folder with the guest instead, or name a smaller one"
          )
        }
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
          entries.append(.folder(path))
          try add(source, path, depth: depth + 1)
        case S_IFLNK: entries.append(.link(path, target: try linkTarget(source)))
        case S_IFREG:
          size += UInt64(max(0, status.st_size))
          guard size <= limit else {
            throw Failure(
              .badInput,
              "'\(folder)' and what lies beside it have more than \(limit >> 20) MiB, which would all be in the "
                + "guest's memory; share the folder with the guest instead, or name a smaller one"
            )
          }
          entries.append(.file(path, source: source, mode: UInt32(status.st_mode & 0o7777)))
        default: break
        }
      }
    }
  }

  private static func names(in folder: String) throws(HostTree.Failure) -> [String] {
    // SAFETY: the folder is open for the loop, and each name is copied before the next call.
    guard let handle = unsafe opendir(folder) else {
      let kind: FailureKind = errno == ENOENT || errno == ENOTDIR || errno == EACCES ? .inputNotFound : .hostFailure
      throw HostTree.Failure(kind, "'\(folder)': \(errorText(errno)); name a folder that can be read")
    }
    defer { unsafe closedir(handle) }
    var names: [String] = []
    while let entry = unsafe readdir(handle) {
      let bytes = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe Array($0.prefix { $0 != 0 }) }
      // An initramfs has names of bytes, and texts here are UTF-8.
      guard let name = String(validating: bytes, as: UTF8.self) else {
        throw HostTree.Failure(.badInput, "'\(folder)' has a file whose name is no UTF-8; rename it")
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  private static func linkTarget(_ path: String) throws(HostTree.Failure) -> String {
    var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
    // SAFETY: the buffer holds for the call and its size goes along.
    let count = unsafe bytes.withUnsafeMutableBytes { buffer in
      guard let base = buffer.baseAddress else { return -1 }
      return unsafe readlink(path, base.assumingMemoryBound(to: CChar.self), buffer.count)
    }
    guard count >= 0 else { throw HostTree.Failure(.inputNotFound, "'\(path)': \(errorText(errno))") }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }
}

extension InitramfsArchive {
  /// Adds a folder of the host's with all that is in it, in the order of the names. Links stay links; what is neither a
  /// file, a folder nor a link is left out.
  ///
  /// - Parameters:
  ///   - folder: its path on the host.
  ///   - path: where it is in the archive; the folder above has to be there.
  ///   - limit: the most bytes of all files.
  /// - Returns: its files.
  /// - Throws: ``HostTree/Failure`` for what cannot be read, and what is too large.
  public mutating func add(
    folder: String,
    as path: String,
    limit: UInt64 = HostTree.sizeLimit
  ) throws(HostTree.Failure) -> [HostTree.File] {
    var files: [HostTree.File] = []
    let entries = try HostTree.entries(of: folder, limit: limit)
    addFolder(path)
    for entry in entries {
      switch entry {
      case .folder(let inside): addFolder("\(path)/\(inside)")
      case .link(let inside, let target): addLink("\(path)/\(inside)", to: target)
      case .file(let inside, let source, let mode):
        addFile("\(path)/\(inside)", mode: mode, try HostTree.read(source))
        files.append(HostTree.File(path: inside, isProgram: mode & 0o111 != 0))
      }
    }
    return files
  }
}
