internal import CHost
internal import CSnapshot
internal import Glibc
internal import Host

/// One snapshot's directory, whose manifest and states have been checked.
///
/// It is locked as long as the object lives, so that no other Apus replaces it. Its files are those that were opened
/// with it, whatever becomes of their names.
package final class SnapshotReader: Sendable {
  /// As it was given, for messages.
  package let path: String
  /// What the first file says, checked for what its readers rely on.
  package let manifest: SnapshotManifest
  /// The files with memory, in the manifest's order.
  package let memory: [MemoryFile]
  /// Its own, to find its base from.
  let directory: OwnedDescriptor
  private let parts: [[UInt8]]

  /// Opens a snapshot.
  ///
  /// - Throws: ``SnapshotError``.
  package convenience init(_ path: String) throws(SnapshotError) {
    try self.init(path, from: AT_FDCWD, path)
  }

  /// - Parameters:
  ///   - path: for messages.
  ///   - folder: where `relative` leads from.
  init(_ path: String, from folder: Int32, _ relative: String) throws(SnapshotError) {
    let directory = try Self.open(path, from: folder, relative)
    let files = SnapshotFiles(path: path, directory: directory.rawValue)
    let manifest = try files.manifest()
    var parts: [[UInt8]] = []
    for part in manifest.parts { parts.append(try files.part(part, manifest.identifier)) }
    memory = try files.memory(manifest, parts)
    self.path = path
    self.manifest = manifest
    self.parts = parts
    self.directory = directory
  }

  private static func open(
    _ path: String,
    from folder: Int32,
    _ relative: String
  ) throws(SnapshotError) -> OwnedDescriptor {
    // SAFETY: the path holds for the call.
    let opened = unsafe relative.withHostPath { unsafe csnapshot_open_snapshot(folder, $0) }
    guard opened >= 0 else { throw opened == -EAGAIN ? .inUse(path) : .host(.read, path: path, errno: -opened) }
    return OwnedDescriptor(owning: opened)
  }

  /// Which snapshot a directory is: only its manifest is read.
  ///
  /// - Throws: ``SnapshotError``.
  package static func identifier(of path: String) throws(SnapshotError) -> SnapshotIdentifier {
    let directory = try open(path, from: AT_FDCWD, path)
    return try SnapshotFiles(path: path, directory: directory.rawValue).manifest().identifier
  }

  /// Removes the directory. What was opened of it stays.
  package func removeDirectory() {
    // SAFETY: the path holds for the call.
    _ = unsafe path.withHostPath { unsafe csnapshot_remove(AT_FDCWD, $0) }
  }

  /// The bytes of a state; nil where there is none of that name.
  package func part(_ name: String) -> [UInt8]? {
    for (part, bytes) in zip(manifest.parts, parts) where part.name == name { return bytes }
    return nil
  }

  /// The state of that name.
  ///
  /// - Throws: ``SnapshotError`` where there is none, or where it is no such state.
  package func state<State: Decodable>(_ type: State.Type, _ name: String) throws(SnapshotError) -> State {
    guard let bytes = part(name) else {
      throw .damaged(path: path, file: SnapshotManifest.file, what: "no state '\(name)'")
    }
    do {
      return try StateCoding.decode(type, from: bytes)
    } catch {
      throw .damaged(path: path, file: "\(name).state", what: Self.reason(error))
    }
  }

  /// A decoder's error in one line.
  package static func reason(_ error: any Error) -> String {
    switch error as? DecodingError {
    case .keyNotFound(let key, let context): "'\(key.stringValue)' is missing (\(context.debugDescription))"
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      context.debugDescription
    default: "\(error)"
    }
  }
}

/// A file with the memory of a region, or with what of it has changed.
package final class MemoryFile: Sendable {
  /// The manifest's line.
  package let description: SnapshotManifest.Memory
  /// The pages that it has, in their order.
  package let runs: [PageRun]
  /// For each block its checksum, or none.
  let blocks: [UInt32]
  private let file: OwnedDescriptor

  /// Byte N of the region is byte N of this file, to be read or mapped. Valid as long as the object lives.
  package var descriptor: Int32 { file.rawValue }

  fileprivate init(_ description: SnapshotManifest.Memory, _ index: MemoryIndex, _ file: consuming OwnedDescriptor) {
    self.description = description
    runs = index.runs.map(PageRun.init(coded:))
    blocks = index.blocks
    self.file = file
  }
}

/// Opens and checks the files of a directory.
private struct SnapshotFiles {
  let path: String
  let directory: Int32

  /// The longest state that is read, in bytes.
  static let partLimit: UInt64 = 1 << 30

  private func damaged(_ file: String, _ what: String) -> SnapshotError { .damaged(path: path, file: file, what: what) }

  private func open(_ name: String) throws(SnapshotError) -> (descriptor: Int32, file: csnapshot_file) {
    var file = csnapshot_file()
    // SAFETY: name and structure hold for the call.
    let opened = unsafe name.withHostPath { unsafe csnapshot_open_file(directory, $0, &file) }
    switch opened {
    case 0...: return (opened, file)
    case -ENOENT: throw name == SnapshotManifest.file ? .noSnapshot(path) : damaged(name, "it is missing")
    case -ELOOP: throw damaged(name, "it is a symbolic link")
    case -EBADF, -EISDIR, -ENXIO: throw damaged(name, "it is no file")
    default: throw .host(.read, path: path, errno: -opened)
    }
  }

  private func read(_ name: String, _ descriptor: Int32, count: Int, at offset: UInt64) throws(SnapshotError) -> [UInt8]
  {
    var result: Int32 = 0
    // SAFETY: the buffer has room for so many bytes, and all are there unless it is an error.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      guard let base = buffer.baseAddress, count > 0 else { return }
      result = unsafe csnapshot_read_at(descriptor, base, count, offset)
      filled = result == 0 ? count : 0
    }
    guard result == 0 else {
      throw result == -EIO ? damaged(name, "it was cut") : .host(.read, path: path, errno: -result)
    }
    return bytes
  }

  func manifest() throws(SnapshotError) -> SnapshotManifest {
    let name = SnapshotManifest.file
    let (descriptor, file) = try open(name)
    let owner = OwnedDescriptor(owning: descriptor)
    guard file.size <= UInt64(SnapshotManifest.limit) else { throw damaged(name, "it is too long") }
    let text = try read(name, owner.rawValue, count: Int(file.size), at: 0)
    do throws(SnapshotManifest.Refusal) {
      return try SnapshotManifest(text: text)
    } catch {
      switch error {
      case .mistake(let what): throw damaged(name, what)
      case .version(let version): throw .unknownFormat(path: path, version: version)
      }
    }
  }

  func part(
    _ part: SnapshotManifest.Part,
    _ identifier: SnapshotIdentifier
  ) throws(SnapshotError) -> [UInt8] {
    let (descriptor, file) = try open(part.file)
    let owner = OwnedDescriptor(owning: descriptor)
    // The file's size is what there is: nothing is made for what the manifest only says.
    guard file.size == part.length, file.size <= Self.partLimit else {
      throw damaged(part.file, "it has \(file.size) bytes, and \(part.length) were written")
    }
    let bytes = try read(part.file, owner.rawValue, count: Int(file.size), at: 0)
    guard Checksum.of(bytes, after: identifier.seed) == part.checksum else {
      throw damaged(part.file, "it was changed after it was written, or is another snapshot's")
    }
    return bytes
  }

  func memory(_ manifest: SnapshotManifest, _ parts: [[UInt8]]) throws(SnapshotError) -> [MemoryFile] {
    guard let number = manifest.parts.firstIndex(where: { $0.name == MemoryIndex.part }) else {
      throw damaged(SnapshotManifest.file, "no index of the memory")
    }
    let indices: [MemoryIndex]
    do {
      indices = try StateCoding.decode([MemoryIndex].self, from: parts[number])
    } catch {
      throw damaged(manifest.parts[number].file, SnapshotReader.reason(error))
    }
    guard indices.map(\.name) == manifest.memory.map(\.name) else {
      throw damaged(manifest.parts[number].file, "it is of other memory than the manifest")
    }
    var files: [MemoryFile] = []
    for (memory, index) in zip(manifest.memory, indices) { files.append(try self.memory(memory, index, manifest)) }
    return files
  }

  private func memory(
    _ memory: SnapshotManifest.Memory,
    _ index: MemoryIndex,
    _ manifest: SnapshotManifest
  ) throws(SnapshotError) -> MemoryFile {
    if let mistake = index.mistake(memory, pageSize: manifest.pageSize) { throw damaged(memory.file, mistake) }
    let (descriptor, file) = try open(memory.file)
    let owner = OwnedDescriptor(owning: descriptor)
    let length = memory.size + UInt64(MemoryIndex.trailerSize)
    guard file.size == length else {
      throw damaged(memory.file, "it has \(file.size) bytes, and \(length) were written")
    }
    guard file.allocated >= memory.stored else {
      throw damaged(memory.file, "it has holes where memory was: \(memory.stored) bytes were written")
    }
    let trailer = try read(memory.file, descriptor, count: MemoryIndex.trailerSize, at: memory.size)
    guard trailer == index.trailer(manifest.identifier) else {
      throw damaged(memory.file, "it is another snapshot's, or was changed")
    }
    return MemoryFile(memory, index, owner)
  }
}
