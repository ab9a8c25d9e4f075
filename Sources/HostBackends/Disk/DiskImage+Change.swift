internal import CHost
internal import Glibc
import Host
import Synchronization

/// What becomes of an image while a machine runs. It may wait for the host.
extension DiskImage {
  /// Bytes that the disk has.
  package var size: UInt64 { presentSize.load(ordering: .acquiring) }

  /// Whether nothing on it ever waits for a disk.
  var neverWaits: Bool { presentNeverWaits.load(ordering: .acquiring) }

  /// In bytes: the most of whole sectors that a file's size (off_t) holds.
  private static let largest = UInt64(Int64.max) / 512 * 512

  private var present: chost_disk? {
    var description = chost_disk()
    // SAFETY: the structure holds for the call.
    return unsafe chost_disk_describe(descriptor.rawValue, &description) == 0 ? description : nil
  }

  /// Takes notice of the size that the file or block device has now.
  ///
  /// - Returns: that size.
  /// - Throws: where it is smaller than before, or no multiple of a block.
  package func refreshSize() throws(DiskError) -> UInt64 {
    guard let present else { throw .notADisk(path: path) }
    guard present.size >= size else {
      throw .cannotChange(path: path, reason: "has become smaller, which no guest expects; make it \(size) bytes again")
    }
    guard present.size % UInt64(present.logical_block) == 0 else { throw .odd(path: path, size: present.size) }
    presentSize.store(present.size, ordering: .releasing)
    return present.size
  }

  /// Makes a file longer.
  ///
  /// - Parameter size: in bytes.
  /// - Returns: the size that it has now.
  /// - Throws: for a size that is none or less than before, and where the host refuses.
  package func grow(to size: UInt64) throws(DiskError) -> UInt64 {
    guard !isReadOnly else {
      throw .cannotChange(
        path: path,
        reason: "is read-only for the guest; make the file longer, and leave out the size"
      )
    }
    guard !isDevice else {
      throw .cannotChange(path: path, reason: "is a block device; let that grow, and leave out the size")
    }
    guard size <= Self.largest else {
      throw .cannotChange(path: path, reason: "cannot have \(size) bytes; a file has at most \(Self.largest)")
    }
    guard size % 512 == 0 else {
      throw .cannotChange(path: path, reason: "cannot have \(size) bytes; give a multiple of 512")
    }
    guard size >= self.size else {
      throw .cannotChange(
        path: path,
        reason: "has \(self.size) bytes; a smaller one would lose what is behind \(size), so give at least as many"
      )
    }
    if size > self.size, ftruncate(descriptor.rawValue, off_t(size)) != 0 {
      let error = chost_errno()
      let advice = ErrorNumber.advice(error, otherwise: "give less, or move it to another file system")
      throw .cannotChange(path: path, reason: "cannot have \(size) bytes: \(errorText(error)); \(advice)")
    }
    return try refreshSize()
  }

  /// Becomes another image, which this value's descriptor leads to from then on. Nothing may be under way.
  ///
  /// - Throws: where the other one's blocks are of another size.
  package func replace(with other: DiskImage) throws(DiskError) {
    guard other.description.logical_block == description.logical_block else {
      throw .cannotChange(
        path: other.path,
        reason: "has blocks of \(other.description.logical_block) bytes, and the guest has seen a disk with blocks of "
          + "\(description.logical_block); give another one"
      )
    }
    let error = -chost_replace(descriptor.rawValue, other.descriptor.rawValue)
    guard error == 0 else {
      throw .cannotChange(path: other.path, reason: "cannot take its place: \(errorText(error))")
    }
    presentSize.store(other.size, ordering: .releasing)
    presentNeverWaits.store(other.neverWaits, ordering: .releasing)
  }
}
