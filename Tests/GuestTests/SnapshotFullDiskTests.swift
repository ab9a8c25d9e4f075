import Apus
import ApusTesting
import Glibc
import TestSupport
import Testing

@Suite(
  "Snapshots on a full disk",
  .requiresKVM,
  .ownThread,
  .enabled(if: geteuid() == 0, "a file system of its own is root's to mount")
)
struct SnapshotFullDiskTests {
  /// A file system in memory, of a size that can be changed.
  private final class SmallDisk {
    let path: String
    private let folder: TemporaryFolder

    struct Failure: Error {
      let errno: Int32
    }

    init() throws {
      folder = try TemporaryFolder()
      path = try folder.makeFolder("disk")
      try mount(options: "size=256m", 0)
    }

    deinit {
      // SAFETY: the path holds for the call.
      _ = unsafe umount2(path, Int32(MNT_DETACH))
    }

    private func mount(options: String, _ flags: UInt) throws {
      // SAFETY: the texts hold for the call.
      let result = unsafe options.withCString { unsafe Glibc.mount("apus-test", path, "tmpfs", flags, $0) }
      guard result == 0 else { throw Failure(errno: errno) }
    }

    /// Leaves room for so many bytes more.
    func leave(_ room: Int) throws {
      var status = statvfs()
      // SAFETY: path and structure hold for the call.
      guard unsafe statvfs(path, &status) == 0 else { throw Failure(errno: errno) }
      let used = Int(status.f_blocks - status.f_bfree) * Int(status.f_frsize)
      try mount(options: "size=\((used + room) >> 10)k", UInt(MS_REMOUNT))
    }

    /// All that is there, what is hidden, too.
    var names: [String] { HostFiles.names(in: path).sorted() }
  }

  /// How much room there is: not for the states, not for the RAM, not for the end of it.
  static let rooms = [8 << 10, 1 << 20]

  @Test("names it and what to do, leaves nothing and what was there, and the guest goes on, running or paused")
  func full() async throws {
    let frozen = try await FrozenShell.shared
    let disk = try SmallDisk()

    try await frozen.withMachine { guest, shell in
      let old = try await guest.machine.snapshot(to: "\(disk.path)/old")
      for room in Self.rooms {
        try disk.leave(room)
        for isPaused in [false, true] {
          if isPaused { #expect(await guest.machine.pause()) }
          for name in ["old", "new"] {
            var options = SnapshotOptions()
            options.replaces = name == "old"
            let failure = await #expect(throws: SnapshotFailure.self) {
              try await guest.machine.snapshot(to: "\(disk.path)/\(name)", options)
            }
            #expect(
              failure?.description
                == "cannot write the snapshot '\(disk.path)/\(name)': No space left on device; free some space on its "
                + "file system"
            )
            #expect(failure?.isEnd == false)
            #expect(disk.names == ["old"], "\(room) bytes")
          }
          let state = await guest.machine.inspect()?.state
          #expect(state == (isPaused ? .paused : .running))
          if isPaused { #expect(await guest.machine.resume()) }
          #expect(try await shell.run("echo here") == ["here"])
        }
      }
      let kept = try MachineSnapshot(old.directory)
      try kept.verifyMemory()
      #expect(kept.identifier == old.identifier)

      try disk.leave(256 << 20)
      var options = SnapshotOptions()
      options.base = old.directory
      let changes = try await guest.machine.snapshot(to: "\(disk.path)/changes", options)
      let next = try DrivenMachine.restored(MachineSnapshot(changes.directory))
      #expect(try await next.ended { try await $0.run("echo there") } == ["there"])
    }
  }
}
