import Glibc
import GuestSupport
import Host
import Synchronization
import TestSupport

/// Debian's qemu-storage-daemon with one disk, which can be killed and started again.
final class StorageDaemon: Sendable {
  let socket: String
  private let arguments: [String]
  private let program: String
  private let state = Mutex<ChildProgram?>(nil)

  /// Starts it, and waits until it listens.
  init(disk: DiskImage, in folder: TemporaryFolder) throws {
    program = try GuestFile.storageDaemon()
    socket = folder.path("disk.sock")
    arguments = [
      "qemu-storage-daemon", "--blockdev", "driver=file,node-name=file,filename=\(disk.path)", "--export",
      "type=vhost-user-blk,id=export,node-name=file,addr.type=unix,addr.path=\(socket),writable=on",
    ]
    try start()
  }

  deinit {
    state.withLock { $0?.killAndWait() }
  }

  /// Its number.
  var process: Int32 { state.withLock { $0?.process ?? -1 } }

  func start() throws {
    // A socket that was left there is not replaced by it.
    // SAFETY: the path holds for the call.
    _ = unsafe unlink(socket)
    let child = try ChildProgram(program, arguments)
    state.withLock { $0 = child }
    let path = socket
    guard becomesTrue(within: .seconds(20), for: child.process, { Self.isThere(path) }) else {
      throw DiskImage.Failure(what: String(decoding: child.takeOutput(), as: UTF8.self))
    }
  }

  /// As a crash ends it.
  func kill() { state.withLock { $0?.killAndWait() } }

  private static func isThere(_ path: String) -> Bool {
    // SAFETY: the path holds for the call.
    unsafe access(path, F_OK) == 0
  }
}
