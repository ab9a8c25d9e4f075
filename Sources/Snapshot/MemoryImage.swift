internal import CHost
internal import CSnapshot
internal import Glibc
internal import Host

/// A region of the guest's memory and the file that it goes into.
package struct MemoryRegion: Equatable, Sendable {
  /// By which it is found again.
  package var name: String
  /// The file's name: letters, digits, `-`, `_` and `.`.
  package var file: String
  /// Where the guest sees it, a multiple of the host's page size.
  package var start: UInt64
  /// In bytes, a multiple of the host's page size.
  package var size: UInt64

  package init(name: String, file: String, start: UInt64, size: UInt64) {
    self.name = name
    self.file = file
    self.start = start
    self.size = size
  }
}

/// Which pages of a mapping go into a file. Sets of pages have a bit for each: bit N % 64 of word N / 64 is page N's.
package enum MemoryPages: Sendable {
  /// All that are not zero, of a private mapping: those that the process has, and those of `backed`, the pages that the
  /// mapped file has.
  case all(base: UInt, backed: [UInt64] = [])
  /// All that are not zero, of a mapping of a whole file in memory, which may be others' too.
  case shared(base: UInt, descriptor: Int32)
  /// What has changed since the base, and is known: zero or not.
  case changed(base: UInt, [UInt64])
  /// What of a private mapping is no longer the mapped file's, which is what has changed since the base; `unmapped` are
  /// pages where the file isn't mapped any more, so that what isn't there is zero.
  case privately(base: UInt, unmapped: [UInt64] = [])

  /// Whether only changes are written.
  var isChanges: Bool {
    switch self {
    case .all, .shared: false
    case .changed, .privately: true
    }
  }
}

/// The memory of a region on its way into its file.
///
/// Nothing of the mapping may go before it is written, and where it is written by this process nothing may write it.
/// Used by one thread at a time.
@safe
package final class MemoryImage: @unchecked Sendable {
  // SAFETY: @unchecked: one thread at a time uses it, as its description says.

  /// What is written.
  package let region: MemoryRegion
  let file: OwnedDescriptor
  let isChanges: Bool
  let path: String
  private let marks: [UInt64]
  private let pageSize = UInt64(chost_page_size())
  private let image: UnsafeMutablePointer<csnapshot_image>
  private var isWritten = false

  init(
    _ region: MemoryRegion,
    _ pages: MemoryPages,
    file: consuming OwnedDescriptor,
    seed: UInt32,
    path: String
  ) throws(SnapshotError) {
    precondition(
      region.size > 0 && region.size % pageSize == 0 && region.start % pageSize == 0 && region.size <= 1 << 43,
      "a region has whole pages"
    )
    // SAFETY: the call takes numbers, and what it returns is freed by this object alone.
    guard let image = unsafe csnapshot_image_make(region.size, UInt32(pageSize)) else {
      throw .host(.write, path: path, errno: chost_errno())
    }
    unsafe self.image = image
    let base: UInt
    var source: Int32 = -1
    // SAFETY: the structure is this object's, in each line.
    switch pages {
    case .all(let address, let backed):
      unsafe image.pointee.pages = csnapshot_pages_all
      (base, marks) = (address, backed)
    case .shared(let address, let descriptor):
      unsafe image.pointee.pages = csnapshot_pages_all
      (base, marks, source) = (address, [], descriptor)
    case .changed(let address, let changed):
      unsafe image.pointee.pages = csnapshot_pages_marked
      (base, marks) = (address, changed)
    case .privately(let address, let unmapped):
      unsafe image.pointee.pages = csnapshot_pages_private
      (base, marks) = (address, unmapped)
    }
    guard let start = unsafe UnsafePointer<UInt8>(bitPattern: base) else { preconditionFailure("memory is somewhere") }
    // SAFETY: as above; the caller vouches for the memory.
    unsafe image.pointee.base = start
    unsafe image.pointee.source = source
    unsafe image.pointee.file = file.rawValue
    unsafe image.pointee.seed = seed
    unsafe image.pointee.has_checksums = true
    precondition(marks.isEmpty || marks.count * 64 >= Int(region.size / pageSize), "a set has a bit for each page")
    isChanges = pages.isChanges
    self.region = region
    self.file = file
    self.path = path
  }

  deinit {
    // SAFETY: it is this object's, and nobody else has the pointer.
    unsafe csnapshot_image_free(image)
  }

  /// Leaves checksums out, for a file that nobody wants to check.
  package func leaveOutChecksums() {
    // SAFETY: the structure is this object's.
    unsafe image.pointee.has_checksums = false
  }

  /// How many bytes were written.
  package var stored: UInt64 {
    // SAFETY: as above.
    unsafe image.pointee.stored
  }

  /// Nothing was written after all, and may still be.
  fileprivate func begin() { isWritten = false }

  /// Gives a call the structure with the marks in it.
  fileprivate func withImage<Result>(_ body: (UnsafeMutablePointer<csnapshot_image>) -> Result) -> Result {
    precondition(!isWritten, "memory is written once")
    isWritten = true
    // SAFETY: the marks hold for the call, and nobody looks at them after it: a child has its own.
    return unsafe marks.withUnsafeBufferPointer { marks in
      unsafe image.pointee.marks = marks.isEmpty ? nil : marks.baseAddress
      return unsafe body(image)
    }
  }

  /// Writes the memory. A process that hides its own, and isn't root's, has to look at all pages to know which there
  /// are, and can't tell ``MemoryPages/privately(base:unmapped:)``: a ``MemoryChild`` can.
  ///
  /// - Throws: ``SnapshotError``.
  package func write() throws(SnapshotError) {
    // SAFETY: the structure holds for the call.
    let result = unsafe withImage { unsafe csnapshot_image_write($0) }
    guard result == 0 else { throw .host(.write, path: path, errno: -result) }
  }

  /// What went wrong with it in a child, or nil.
  var failure: SnapshotError? {
    // SAFETY: the structure is this object's.
    let error = unsafe image.pointee.error
    if error == 0 { return nil }
    return error == -ECHILD || error == -ECANCELED ? .writerEnded : .host(.write, path: path, errno: -error)
  }

  /// Which pages were written.
  var index: MemoryIndex {
    precondition(isWritten, "memory is written before the snapshot is made")
    let blocks = (Int(region.size) + MemoryIndex.blockSize - 1) / MemoryIndex.blockSize
    // SAFETY: the arrays have as many elements as are copied, and are this object's.
    return unsafe MemoryIndex(
      name: region.name,
      runs: Array(UnsafeBufferPointer(start: image.pointee.runs, count: Int(image.pointee.run_count))),
      blocks: image.pointee.has_checksums ? Array(UnsafeBufferPointer(start: image.pointee.blocks, count: blocks)) : []
    )
  }

  var described: SnapshotManifest.Memory {
    SnapshotManifest.Memory(
      name: region.name,
      file: region.file,
      start: region.start,
      size: region.size,
      stored: stored,
      isChanges: isChanges
    )
  }
}

/// A process that writes memory as it was when the process was started, while this one goes on.
///
/// It has nothing of this process's but the memory and the files, and ends with this object. Used by one thread at a
/// time.
package final class MemoryChild: @unchecked Sendable {
  // SAFETY: @unchecked: one thread at a time uses it, as its description says.

  /// Can be read when all is written, or the process has ended. It is open until ``end()``.
  package let descriptor: Int32
  private let process: Int32
  private let images: [MemoryImage]
  private var hasEnded = false

  /// Starts the process. The memory may change as soon as this returns.
  ///
  /// - Parameter images: at least one, all of one writer, none written yet.
  /// - Throws: ``SnapshotError``; then this process may write them itself.
  package init(writing images: [MemoryImage]) throws(SnapshotError) {
    precondition(!images.isEmpty, "a process has something to write")
    var pointers: [UnsafeMutablePointer<csnapshot_image>] = unsafe []
    var process: Int32 = -1
    let descriptor = unsafe Self.start(images[...], &pointers, &process)
    guard descriptor >= 0 else {
      for image in images { image.begin() }
      throw .host(.fork, path: images[0].path, errno: -descriptor)
    }
    self.descriptor = descriptor
    self.process = process
    self.images = images
  }

  /// Collects the structures, whose marks hold one inside the other, and starts the process.
  private static func start(
    _ images: ArraySlice<MemoryImage>,
    _ pointers: inout [UnsafeMutablePointer<csnapshot_image>],
    _ process: inout Int32
  ) -> Int32 {
    guard let first = images.first else {
      // SAFETY: the array holds for the call, and its size goes along.
      return unsafe pointers.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return -EINVAL }
        return unsafe csnapshot_images_write_in_child(base, Int32(buffer.count), &process)
      }
    }
    // SAFETY: the structure is its image's, which the caller holds.
    return unsafe first.withImage { image in
      unsafe pointers.append(image)
      return unsafe start(images.dropFirst(), &pointers, &process)
    }
  }

  /// Has the process end now. ``end()`` throws then, unless it was done already.
  package func cancel() {
    if !hasEnded { kill(process, SIGKILL) }
  }

  /// Waits until all is written.
  ///
  /// - Throws: ``SnapshotError`` for what could not be.
  package func end() throws(SnapshotError) {
    precondition(!hasEnded, "a process ends once")
    hasEnded = true
    let result = csnapshot_child_end(descriptor, process)
    for image in images {
      if let failure = image.failure { throw failure }
    }
    if result != 0 { throw .writerEnded }
  }

  deinit {
    if !hasEnded {
      cancel()
      _ = csnapshot_child_end(descriptor, process)
    }
  }
}
