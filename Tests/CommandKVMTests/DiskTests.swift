import ApusTesting
import CTestSupport
import Glibc
import GuestSupport
import Host
import Testing

extension CommandKVMTests {
  @Suite("Disks in trouble")
  struct DiskTests {
    /// The arguments that run one command line in a Linux guest.
    private static func linux(_ command: String, _ arguments: String...) throws -> [String] {
      [
        "run", "--memory", "128M", "--kernel", try GuestFile.linux(), "--initrd", try GuestFile.initramfs(),
        "--append",
        "console=ttyAMA0 quiet initcall_blacklist=trace_eval_init apus_mode=exec apus_exec=\"dmesg -n 1; \(command)\"",
      ] + arguments
    }

    @Test("a guest goes on after its images were deleted, truncated and stopped from growing, with errors where due")
    func trouble() throws {
      let workspace = try Workspace()
      for name in ["deleted", "truncated", "full"] {
        workspace.write("", to: name)
        workspace.resize(name, to: 16 << 20)
      }
      let command = """
        W() { dd if=/dev/zero of=/dev/$1 bs=64k seek=$2 count=1 oflag=direct 2>/dev/null && echo $3-write \
        || echo $3-none; }; \
        R() { dd if=/dev/$1 of=/dev/null bs=64k skip=$2 count=1 iflag=direct 2>/dev/null && echo $3-read || echo $3-none; }; \
        W vda 8 a; W vdb 1 b; echo ready; read x; \
        W vda 9 deleted; R vda 8 deleted; R vdb 1 kept; R vdb 32 gone; W vdc 1 low; W vdc 192 high; R vdc 192 high; \
        echo again; read x; R vdb 32 back; exit 5
        """
      // Files that may not grow beyond 4 MiB are how a disk that is full looks, without a disk to fill.
      let process = try CommandProcess(
        ["-c", "ulimit -f 8192; exec \"$0\" \"$@\"", GuestFile.command()]
          + Self.linux(
            command,
            "--block",
            workspace.file("deleted"),
            "--block",
            workspace.file("truncated"),
            "--block",
            workspace.file("full"),
            "--dma",
            "4M"
          ),
        program: "/bin/sh",
        input: .pipe
      )

      try process.expect("ready", within: .seconds(90))
      workspace.remove("deleted")
      workspace.resize("truncated", to: 1 << 20)
      try process.send("\n")
      try process.expect("again", within: .seconds(60))
      workspace.resize("truncated", to: 16 << 20)
      try process.send("\n")

      #expect(try process.wait(within: .seconds(60)) == .exited(0))
      for text in [
        "deleted-write", "deleted-read", "kept-read", "gone-none", "low-write", "high-none", "back-read",
        "exit status 5",
      ] {
        #expect(process.outputText.contains(text), "\(text)")
      }
      let (truncated, full) = (workspace.file("truncated"), workspace.file("full"))
      #expect(process.errorText.contains("block1: reading at byte 2097152 of disk '\(truncated)' failed"))
      #expect(process.errorText.contains("block2: writing at byte 12582912 of disk '\(full)' failed"))
      #expect(process.errorText.contains("File too large: the guest gets an I/O error"))
      #expect(!process.errorText.contains("block0"))
    }

    @Test(
      "a guest goes on when the file system under its image and a port's file is full, and writes again when it is not",
      .requiresUserNamespaces
    )
    func noSpaceLeft() throws {
      let workspace = try Workspace()
      let command = """
        W() { dd if=/dev/zero of=/dev/vda bs=64k seek=$1 count=1 oflag=direct 2>/dev/null; }; \
        n=0; while [ $n -lt 128 ] && W $n; do n=$((n + 1)); done; echo full after $n; \
        for p in /sys/class/virtio-ports/*; do [ $(cat $p/name) != log ] || p=/dev/${p##*/}; [ ! -c $p ] || seq 20000 >$p & \
        done; dd if=/dev/vda of=/dev/null bs=64k count=$n iflag=direct 2>/dev/null && echo all read; \
        W $n || echo full still; echo ready; read x; W $n && echo written; exit 6
        """
      // Half of the file system is somebody else's at first.
      let mount = """
        mount -t tmpfs -o size=4m none "$0" && cd "$0" && truncate -s 16M image && \
        dd if=/dev/zero of=other bs=1M count=2 2>/dev/null && exec "$@"
        """
      let process = try CommandProcess(
        ["-c", "exec unshare -r -m /bin/sh -c \"$0\" \"$@\"", mount, workspace.path, GuestFile.command()]
          + Self.linux(command, "--block", "image", "--port", "log=file=log", "--dma", "4M"),
        program: "/bin/sh",
        input: .pipe
      )

      try process.expect("ready", within: .seconds(90))
      // SAFETY: the path holds for the call.
      let removed = unsafe unlink("/proc/\(process.processID)/root\(workspace.path)/other")
      try process.send("\n")

      #expect(removed == 0)
      #expect(try process.wait(within: .seconds(60)) == .exited(6))
      let count = process.outputText.split(separator: "\n").first { $0.hasPrefix("full after ") }?
        .split(separator: " ").last.flatMap { Int($0) }
      let isHalf = 16...32 ~= (count ?? 0)
      #expect(isHalf, "64 KiB each")
      for text in ["all read", "full still", "written", "exit status 6"] {
        #expect(process.outputText.contains(text), "\(text)")
      }
      #expect(process.errorText.contains("disk 'image' failed: No space left on device: the guest gets an I/O error"))
      #expect(process.errorText.contains("port log: writing failed: No space left on device; the port is closed"))
    }

    @Test("a disk whose file system does not answer any more keeps no machine")
    func deadFileSystem() throws {
      let workspace = try Workspace()
      // SAFETY: the path holds for the calls, and none is told how it ended.
      let server = unsafe ctest_file_system_start(workspace.path)
      try #require(server > 0, "no file system in user space: errno \(-server)")
      defer {
        unsafe ctest_file_system_end(server, workspace.path)
        _ = waitpid(server, nil, 0)
      }
      let command =
        "R() { dd if=/dev/vda of=/dev/null bs=64k skip=$1 count=1 iflag=direct 2>/dev/null; }; "
        + "R 3 && echo ready; read x; R 7; echo came back"
      let arguments = try Self.linux(command, "--block", workspace.file("image") + ",readonly")
      let enter = ["/usr/bin/nsenter", "--user", "--mount", "--preserve-credentials", "--target", "\(server)"]
      let words = try (geteuid() == 0 ? [] : enter) + [GuestFile.command()] + arguments
      let process = try CommandProcess(Array(words.dropFirst()), program: words[0], input: .pipe)
      try process.expect("ready", within: .seconds(90))

      kill(server, SIGSTOP)
      try process.send("\n")
      sleep(1)
      process.signal(SIGTERM)

      #expect(try process.wait(within: .seconds(60)) == .exited(143))
      #expect(process.errorText.contains("does not answer: what waits for it is left behind"))
      #expect(!process.outputText.contains("came back"))
    }

    @Test("an image that another Apus has open is refused with advice, but to those who all only read")
    func locked() throws {
      let workspace = try Workspace()
      workspace.write(String(repeating: " ", count: 65_536), to: "image")
      let image = workspace.file("image")
      let first = try CommandProcess(CommandKVMTests.run("spin", "--block", image))
      try first.expect("Waiting\n")

      let second = try CommandProcess(CommandKVMTests.run("spin", "--block", image))
      let reader = try CommandProcess(CommandKVMTests.run("spin", "--block", "\(image),readonly"))

      #expect(try second.wait() == .exited(71))
      #expect(second.errorText.contains("disk '\(image)' is in use by another Apus; end that one, copy the image"))
      #expect(try reader.wait() == .exited(71))
      first.signal(SIGTERM)
      _ = try first.wait()
      let readers = try (0..<2).map { _ in
        try CommandProcess(CommandKVMTests.run("spin", "--block", "\(image),readonly"))
      }
      for reader in readers { try reader.expect("Waiting\n") }
    }
  }
}
