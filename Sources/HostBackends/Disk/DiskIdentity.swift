internal import CHost
import Host
import Virtio

/// By what the image of a disk is known again: where a machine is to go on with what its guest has in memory of it.
package struct DiskIdentity: VersionedState, Equatable {
  package static let kind = "disk"
  package static let version: UInt32 = 1

  /// As it was given, for people.
  package var path: String
  /// In bytes.
  package var size: UInt64
  /// The file's number in its file system.
  package var inode: UInt64
  /// When file or attributes changed last, in nanoseconds since 1970. A block device's own writes are none of its
  /// node's changes.
  package var changeTime: Int64
  /// Whether it was open for reading only.
  package var isReadOnly: Bool
  /// SHA-256 of all bytes; nil: nobody has read them.
  package var checksum: [UInt8]?

  /// What of another image is not as it was with this one.
  ///
  /// - Parameters:
  ///   - present: the other image's, with a checksum where this one has one.
  ///   - acceptsOthers: whether it may be another one of the same size.
  /// - Returns: with what would be right, for people; nil: it is the same.
  package func difference(to present: DiskIdentity, acceptsOthers: Bool) -> String? {
    guard size == present.size else {
      return "the disk had \(size) bytes, and '\(present.path)' has \(present.size); give the image as it was"
    }
    guard isReadOnly == present.isReadOnly else {
      return isReadOnly
        ? "the disk was read-only, and is not here; make it read-only"
        : "the disk was the guest's to write, and is read-only here; leave that out"
    }
    if acceptsOthers { return nil }
    let advice = "give the image as it was, or name the disk once more to have this one taken"
    if let checksum {
      return checksum == present.checksum
        ? nil : "what is on '\(present.path)' is not what was on the disk; \(advice)"
    }
    guard inode == present.inode else {
      return "'\(present.path)' is another file than the disk was ('\(path)'); \(advice)"
    }
    guard changeTime == present.changeTime else {
      return "'\(present.path)' was changed since the snapshot; \(advice)"
    }
    return nil
  }
}

extension DiskImage {
  /// By what it is known again. Quick, but for the checksum, for which all of it is read.
  ///
  /// - Throws: where the host refuses to tell.
  package func identity(hasChecksum: Bool = false) throws(DiskError) -> DiskIdentity {
    var identity = chost_disk_identity()
    // SAFETY: the structure holds for the call.
    let error = unsafe chost_disk_identify(descriptor.rawValue, &identity)
    guard error == 0 else { throw .cannotOpen(path: path, errno: -error, isReadOnly: isReadOnly) }
    return DiskIdentity(
      path: path,
      size: size,
      inode: identity.inode,
      changeTime: identity.change_time,
      isReadOnly: isReadOnly,
      checksum: hasChecksum ? try checksum() : nil
    )
  }

  private func checksum() throws(DiskError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 32)
    // SAFETY: the array has as many bytes as are written, and holds for the call.
    let error = unsafe chost_sha256_of_file(descriptor.rawValue, size, &bytes)
    guard error == 0 else { throw .cannotOpen(path: path, errno: -error, isReadOnly: isReadOnly) }
    return bytes
  }

  /// Has what was written go to stable storage, and waits for it. Not for the device thread.
  ///
  /// - Throws: where it cannot.
  package func flush() throws(DiskError) {
    guard !isReadOnly else { return }
    let error = synchronize()
    guard error == 0 else { throw .cannotFlush(path: path, errno: -error) }
  }
}
