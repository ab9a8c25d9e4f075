import Glibc
import GuestSupport
import TestSupport
import Testing

extension CommandKVMTests {
  /// Snapshots by the command, and what it refuses.
  @Suite("The commands of snapshots on KVM")
  struct SnapshotCommandTests {
    private let workspace: Workspace

    init() throws {
      workspace = try Workspace()
    }

    /// A guest that sends back what it reads, and can be steered.
    private func echo() throws -> CommandProcess {
      let guest = try CommandProcess(
        CommandKVMTests.run("echo", "--control", workspace.file("socket")),
        input: .pipe
      )
      try guest.expect("Echo\n")
      return guest
    }

    private func control(_ words: String...) throws -> CommandProcess {
      try CommandProcess(["control", workspace.file("socket")] + words)
    }

    /// Expects a refusal of the machine's, which goes on.
    private func expectRefusal(_ message: String, _ words: String...) throws {
      let refused = try CommandProcess(["control", workspace.file("socket"), "snapshot"] + words)
      let end = try refused.wait()
      #expect(end == .exited(1))
      #expect(refused.outputText.isEmpty)
      #expect(refused.errorText.contains(message), "\(refused.errorText)")
    }

    @Test("what is there, what is no snapshot and a base that is none are refused with advice, and the guest goes on")
    func refusals() throws {
      let guest = try echo()
      let (first, later) = (workspace.file("first"), workspace.file("later"))
      workspace.write("a file", to: "file")

      try expectRefusal("the machine has no snapshot yet; take a full one", later, "--differential", first)
      #expect(try control("snapshot", first, "--log").wait() == .exited(0))
      let files = HostFiles.names(in: first).sorted()
      try expectRefusal("'\(first)' is there already; name another directory, or have it replaced", first)
      try expectRefusal(
        "'\(first)' is not replaced by the changes to it, which are none without it; name another directory",
        first,
        "--differential",
        first,
        "--replace"
      )
      let file = workspace.file("file")
      try expectRefusal(
        "'\(file)' is no snapshot, or has something else in it, so it is not replaced; name another directory",
        file,
        "--replace"
      )
      try expectRefusal("check the path", later, "--differential", workspace.file("none"))
      let below = workspace.file("no/folder")
      try expectRefusal("cannot write the snapshot '\(below)': No such file or directory; name a directory in", below)
      #expect(HostFiles.names(in: first).sorted() == files)
      #expect(workspace.files.sorted() == ["file", "first", "socket"])
      #expect(try control("snapshot", later, "--differential", first).wait() == .exited(0))
      try guest.send("ahead")
      try guest.expect("ahead")
      try guest.send("q")
      #expect(try guest.wait() == .exited(0))
    }

    @Test(
      "a full disk is named with what to do, nothing is left on it, and the guest goes on",
      .enabled(if: geteuid() == 0, "a file system of its own is root's to mount")
    )
    func fullDisk() throws {
      let guest = try echo()
      let disk = workspace.file("disk")
      // SAFETY: the texts hold for the calls.
      try #require(unsafe mkdir(disk, 0o700) == 0)
      let mounted = unsafe "size=16k".withCString { unsafe mount("apus-test", disk, "tmpfs", 0, $0) }
      try #require(mounted == 0)
      defer { _ = unsafe umount2(disk, Int32(MNT_DETACH)) }

      try expectRefusal(
        "cannot write the snapshot '\(disk)/new': No space left on device; free some space on its file system",
        "\(disk)/new"
      )

      #expect(HostFiles.names(in: disk).isEmpty)
      try guest.send("on")
      try guest.expect("on")
      try guest.send("q")
      #expect(try guest.wait() == .exited(0))
    }

    @Test("what the guest was promised otherwise is refused all at once, with status 65 and before it runs")
    func otherMachine() throws {
      let guest = try echo()
      let first = workspace.file("first")
      #expect(try control("snapshot", first).wait() == .exited(0))
      try guest.send("q")
      #expect(try guest.wait() == .exited(0))

      let other = try CommandProcess([
        "run", "--restore", first, "--cpus", "2", "--memory", "64M", "--entropy", "--dma", "open",
      ])
      let end = try other.wait()
      let same = try CommandProcess(
        ["run", "--restore", first, "--verify", "--clone", "--clock", "host"],
        input: .pipe
      )
      try same.send("onq")

      #expect(end == .exited(65))
      #expect(other.outputText.isEmpty)
      for words in [
        "--cpus is 1 in the snapshot, not 2", "--memory is 32M in the snapshot, not 64M",
        "the devices are none in the snapshot, not entropy",
        "in the snapshot, not open",
      ] { #expect(other.errorText.contains(words), "\(other.errorText)") }
      #expect(try same.wait() == .exited(0), "\(same.errorText)")
      #expect(same.outputText == "on\nBye\n")
    }
  }
}
