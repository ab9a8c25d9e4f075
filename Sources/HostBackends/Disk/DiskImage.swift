internal import CHost
internal import Glibc
import Host
import Synchronization

/// The image of a disk, open and locked: for a machine's whole run, whatever becomes of the path meanwhile. For any
/// thread.
package final class DiskImage: Sendable {
  /// As it was given, for messages.
  package let path: String
  /// Whether it was opened for reading only.
  package let isReadOnly: Bool
  let descriptor: OwnedDescriptor
  let description: chost_disk
  /// In bytes; it may change while a machine runs.
  let presentSize: Atomic<UInt64>
  /// Whether nothing on it ever waits for a disk; another image may take its place.
  let presentNeverWaits: Atomic<Bool>
  /// Why nothing keeps others from writing it: an errno, or 0 where it is locked.
  let lockError: Int32
  /// What went wrong when something was to go to stable storage: 0 or minus errno. Held while it is going there.
  private let lost = Mutex<Int32>(0)
  /// How often that was begun.
  private let synchronizations = Atomic(0)

  /// Opens and locks an image.
  ///
  /// - Throws: where it is missing, no disk, of an odd size, or another machine's.
  package init(path: String, isReadOnly: Bool) throws(DiskError) {
    // SAFETY: the path holds for the call.
    let number = unsafe path.withHostPath { unsafe chost_disk_open($0, isReadOnly) }
    switch number {
    case -ENOENT, -ENOTDIR: throw .missing(path: path)
    case -EISDIR: throw .notADisk(path: path)
    case ..<0: throw .cannotOpen(path: path, errno: -number, isReadOnly: isReadOnly)
    default: break
    }
    let descriptor = OwnedDescriptor(owning: number)
    var description = chost_disk()
    // SAFETY: the structure holds for the call.
    guard unsafe chost_disk_describe(number, &description) == 0 else { throw .notADisk(path: path) }
    guard description.size > 0, description.size % 512 == 0 else { throw .odd(path: path, size: description.size) }
    chost_keep_open(number)
    let lock = chost_disk_lock(number, isReadOnly)
    if lock == -EAGAIN { throw .inUse(path: path) }
    // A file system without locks leaves people to look after it.
    lockError = -lock
    self.path = path
    self.isReadOnly = isReadOnly
    self.descriptor = descriptor
    self.description = description
    presentSize = Atomic(description.size)
    presentNeverWaits = Atomic(description.never_waits)
  }

  deinit { unlock() }

  /// Lets others open the image. Nothing is done with it afterwards, though somebody may have the value a while yet.
  package func unlock() { chost_disk_unlock(descriptor.rawValue) }

  /// An open file of which nothing is known, for tests.
  init(_ descriptor: consuming OwnedDescriptor) {
    path = ""
    isReadOnly = false
    description = chost_disk()
    presentSize = Atomic(0)
    presentNeverWaits = Atomic(false)
    lockError = 0
    self.descriptor = descriptor
  }

  var isDevice: Bool { description.is_device }

  /// Has everything that was written go to stable storage.
  ///
  /// The host says once that this failed, and takes the data for written from then on, though it may be lost. So it is
  /// one thread at a time that asks, and the answer stays.
  ///
  /// - Returns: 0 or minus errno.
  func synchronize() -> Int32 {
    let before = synchronizations.load(ordering: .sequentiallyConsistent)
    return lost.withLock { lost in
      // What was begun since then, and has ended by now, is enough.
      if lost == 0, synchronizations.load(ordering: .sequentiallyConsistent) == before {
        synchronizations.add(1, ordering: .sequentiallyConsistent)
        lost = chost_disk_flush(descriptor.rawValue)
      }
      return lost
    }
  }
}
