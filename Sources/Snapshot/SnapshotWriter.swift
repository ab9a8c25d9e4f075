internal import CHost
internal import CSnapshot
internal import Glibc
internal import Host

/// Writes a snapshot: into a directory beside the one that it becomes with ``commit(_:)``.
///
/// Until then nobody sees anything of it, and it goes with its writer. What a writer leaves that dies, the next one of
/// that name removes. Used by one thread at a time.
package final class SnapshotWriter: @unchecked Sendable {
  // SAFETY: @unchecked: one thread at a time uses it, as its description says.

  /// Which snapshot it becomes.
  package let identifier = SnapshotIdentifier()
  /// As it was given.
  package let path: String

  private let folder: OwnedDescriptor
  private let directory: OwnedDescriptor
  /// The snapshot that is replaced, locked only as long as that takes.
  private let replaced: SharedFile?
  private let name: String
  private let temporaryName: String
  private var parts: [SnapshotManifest.Part] = []
  private var partFiles: [SharedFile] = []
  private var images: [MemoryImage] = []
  private var isCommitted = false

  /// A file that stays open until the end.
  private final class SharedFile {
    let descriptor: OwnedDescriptor

    init(_ descriptor: consuming OwnedDescriptor) {
      self.descriptor = descriptor
    }
  }

  static let suffix = ".apus-snapshot"

  /// Begins a snapshot, and removes what writers of one of that name have left that died.
  ///
  /// - Parameters:
  ///   - path: of the directory that it becomes.
  ///   - replacing: whether a snapshot that is there goes for it.
  /// - Throws: ``SnapshotError``; then nothing is there.
  package init(_ path: String, replacing: Bool = false) throws(SnapshotError) {
    let (parent, name) = try Self.parts(of: path)
    let folder = try Self.open(parent, path)
    let place = unsafe name.withHostPath { unsafe csnapshot_look(folder.rawValue, $0, SnapshotManifest.file) }
    var old: SharedFile?
    switch place {
    case csnapshot_place_free: break
    case csnapshot_place_snapshot, csnapshot_place_empty:
      guard replacing else { throw .exists(path) }
      // SAFETY: the name holds for the call.
      let opened = unsafe name.withHostPath { unsafe csnapshot_open_directory(folder.rawValue, $0) }
      guard opened >= 0 else { throw .host(.read, path: path, errno: -opened) }
      old = SharedFile(OwnedDescriptor(owning: opened))
      // Known now what would be known when all is written. Until then it may still be read.
      guard csnapshot_lock(opened, false) == 0 else { throw .inUse(path) }
      csnapshot_unlock(opened)
    default: throw replacing ? .notToBeReplaced(path) : .exists(path)
    }
    let prefix = ".\(name.utf8.count <= 150 ? name : Hexadecimal.text(Checksum.of(Array(name.utf8))))."
    unsafe prefix.withHostPath { unsafe csnapshot_remove_leftovers(folder.rawValue, $0, Self.suffix) }
    let temporaryName = prefix + Hexadecimal.text(Array(identifier.bytes.prefix(6))) + Self.suffix
    // SAFETY: the name holds for the call.
    let made = unsafe temporaryName.withHostPath { unsafe csnapshot_make_directory(folder.rawValue, $0) }
    guard made >= 0 else { throw .host(.write, path: path, errno: -made) }
    directory = OwnedDescriptor(owning: made)
    replaced = old
    self.folder = folder
    self.path = path
    self.name = name
    self.temporaryName = temporaryName
  }

  deinit { discard() }

  /// Removes what was written where it has not become a snapshot.
  package func discard() {
    if !isCommitted { remove(temporaryName) }
  }

  private static func open(_ parent: String, _ path: String) throws(SnapshotError) -> OwnedDescriptor {
    // SAFETY: the path holds for the call.
    let opened = unsafe parent.withHostPath { unsafe csnapshot_open_directory(AT_FDCWD, $0) }
    guard opened >= 0 else { throw .host(.write, path: path, errno: -opened) }
    return OwnedDescriptor(owning: opened)
  }

  /// The folder that a path's last part is in, and that part.
  static func parts(of path: String) throws(SnapshotError) -> (folder: String, name: String) {
    var end = path.endIndex
    while end > path.startIndex, path[path.index(before: end)] == "/" { end = path.index(before: end) }
    let plain = path[..<end]
    let slash = plain.lastIndex(of: "/")
    let name = slash.map { plain[plain.index(after: $0)...] } ?? plain
    guard !name.isEmpty, name != ".", name != "..", name.utf8.count <= 255, !name.utf8.contains(0) else {
      throw .badName(path)
    }
    let folder = slash.map { $0 == plain.startIndex ? "/" : String(plain[..<$0]) } ?? "."
    return (folder, String(name))
  }

  @discardableResult
  private func remove(_ name: String) -> Int32 {
    // SAFETY: the name holds for the call.
    unsafe name.withHostPath { unsafe csnapshot_remove(folder.rawValue, $0) }
  }

  private func failed(_ errno: Int32) -> SnapshotError { .host(.write, path: path, errno: errno) }

  private func create(_ file: String) throws(SnapshotError) -> OwnedDescriptor {
    precondition(SnapshotFile.isName(file), "a file of a snapshot has a name that it can have")
    // SAFETY: the name holds for the call.
    let made = unsafe file.withHostPath { unsafe csnapshot_create_file(directory.rawValue, $0) }
    guard made >= 0 else { throw failed(-made) }
    return OwnedDescriptor(owning: made)
  }

  /// The path that leads to another snapshot from this one's directory, once that has its name: for
  /// ``SnapshotManifest/Base``. It holds as long as both stay where they are, or move together.
  ///
  /// - Throws: ``SnapshotError`` where the other one is not there, or is the one that this one replaces.
  package func path(to other: String) throws(SnapshotError) -> String {
    // SAFETY: the path holds for the call.
    let opened = unsafe other.withHostPath { unsafe csnapshot_open_directory(AT_FDCWD, $0) }
    guard opened >= 0 else { throw .host(.read, path: other, errno: -opened) }
    let directory = OwnedDescriptor(owning: opened)
    let target = try Self.resolve(directory.rawValue, other)
    let own = try Self.resolve(folder.rawValue, path) + [name]
    guard target != own else { throw .replacesBase(path) }
    var common = 0
    while common < min(target.count, own.count), target[common] == own[common] { common += 1 }
    return SnapshotFile.path(of: [String](repeating: "..", count: own.count - common) + target[common...])
  }

  /// The parts of the path that leads to a directory from the root.
  private static func resolve(_ directory: Int32, _ path: String) throws(SnapshotError) -> [String] {
    var result: Int32 = 0
    // SAFETY: the buffer is this call's own and its size goes along; the shim ends the text with a zero.
    let text = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
      guard let base = buffer.baseAddress else { return "" }
      result = unsafe csnapshot_resolve(directory, base, buffer.count)
      guard result == 0 else { return "" }
      return unsafe HostPath.text(UnsafeRawBufferPointer(start: base, count: strlen(base)))
    }
    guard result == 0 else { throw .host(.read, path: path, errno: -result) }
    return text.split(separator: "/" as Character).map(String.init)
  }

  /// Writes a state.
  ///
  /// - Parameters:
  ///   - name: by which it is found again, of which there is no second one; letters, digits and `-`.
  ///   - bytes: any.
  /// - Throws: ``SnapshotError``.
  package func addPart(_ name: String, _ bytes: [UInt8]) throws(SnapshotError) {
    precondition(!parts.contains { $0.name == name }, "a part is there once")
    let file = "\(name).state"
    let descriptor = try create(file)
    // SAFETY: the buffer holds for the call and its size goes along.
    let result: Int32 = unsafe bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return 0 }
      return unsafe csnapshot_write_at(descriptor.rawValue, base, buffer.count, 0)
    }
    guard result == 0 else { throw failed(-result) }
    let checksum = Checksum.of(bytes, after: identifier.seed)
    parts.append(.init(name: name, file: file, length: UInt64(bytes.count), checksum: checksum))
    partFiles.append(SharedFile(descriptor))
  }

  /// Makes the file of a region's memory, which has yet to be written: see ``MemoryImage``.
  ///
  /// - Throws: ``SnapshotError``.
  package func addMemory(_ region: MemoryRegion, _ pages: MemoryPages) throws(SnapshotError) -> MemoryImage {
    let descriptor = try create(region.file)
    let image = try MemoryImage(region, pages, file: descriptor, seed: identifier.seed, path: path)
    images.append(image)
    return image
  }

  /// Makes a snapshot of what was written, whose memory has all been written: the directory has its name from then on.
  ///
  /// - Parameter manifest: what it is of; what the writer knows itself is filled in.
  /// - Returns: the manifest as it was written.
  /// - Throws: ``SnapshotError``; then what was there before is there still.
  @discardableResult
  package func commit(_ manifest: SnapshotManifest) throws(SnapshotError) -> SnapshotManifest {
    precondition(!isCommitted, "a snapshot is made once")
    var indices: [MemoryIndex] = []
    for image in images {
      let index = image.index
      let trailer = index.trailer(identifier)
      // SAFETY: the buffer holds for the call and its size goes along.
      let result: Int32 = unsafe trailer.withUnsafeBytes { buffer in
        guard let base = buffer.baseAddress else { return 0 }
        return unsafe csnapshot_write_at(image.file.rawValue, base, buffer.count, image.region.size)
      }
      guard result == 0 else { throw failed(-result) }
      indices.append(index)
    }
    let coded: [UInt8]
    do { coded = try StateCoding.encode(indices) } catch { preconditionFailure("an index encodes itself: \(error)") }
    try addPart(MemoryIndex.part, coded)
    var manifest = manifest
    manifest.identifier = identifier
    manifest.pageSize = UInt64(chost_page_size())
    manifest.parts = parts
    manifest.memory = images.map(\.described)
    let file = try create(SnapshotManifest.file)
    if let errno = writeAll(manifest.text, to: file.rawValue) { throw failed(errno) }
    try flush(file.rawValue)
    for part in partFiles { try flush(part.descriptor.rawValue) }
    for image in images { try flush(image.file.rawValue) }
    try flush(directory.rawValue)
    try rename()
    return manifest
  }

  private func flush(_ descriptor: Int32) throws(SnapshotError) {
    let result = csnapshot_flush(descriptor)
    guard result == 0 else { throw failed(-result) }
  }

  private func rename() throws(SnapshotError) {
    var isExchange = false
    if let replaced = replaced?.descriptor.rawValue {
      guard csnapshot_lock(replaced, false) == 0 else { throw .inUse(path) }
      isExchange = true
    }
    // SAFETY: the names hold for the call.
    let result = unsafe temporaryName.withHostPath { from in
      unsafe name.withHostPath { unsafe csnapshot_rename(folder.rawValue, from, $0, isExchange) }
    }
    guard result == 0 else {
      if let replaced = replaced?.descriptor.rawValue { csnapshot_unlock(replaced) }
      throw result == -EEXIST ? .exists(path) : failed(-result)
    }
    isCommitted = true
    csnapshot_unlock(directory.rawValue)
    // The new one stands. What of the old one can't be removed doesn't change that.
    if isExchange { remove(temporaryName) }
    try flush(folder.rawValue)
  }
}
