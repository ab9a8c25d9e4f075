import Glibc
import TestSupport
import Testing

/// What `--detach` says to its caller where no guest begins.
@Suite struct DetachTests {
  @Test func theCallersStreamsAreNoConsole() throws {
    let image = try TemporaryFile(linuxImage())

    for console in ["stdio", "virtio,stdio"] {
      expectRefusal(
        try apus(["run", "--detach", "--kernel", image.path, "--console", console]),
        status: 64,
        "--console stdio: with --detach the machine leaves its caller's streams; give pty, file=PATH or none"
      )
    }
  }

  @Test func theCallersStreamsAreNoFilesByWhateverName() throws {
    let image = try TemporaryFile(linuxImage())
    let folder = try TemporaryFolder()
    let link = folder.path("link")
    // SAFETY: both texts hold for the call.
    #expect(unsafe symlink("/dev/stdout", link) == 0)

    for (options, name) in [
      (["--report", "/dev/stdout"], "--report: '/dev/stdout'"), (["--report", link], "--report: '\(link)'"),
      (["--report", "/dev/stderr"], "--report: '/dev/stderr'"),
      (["--dump-dtb", "/dev/fd/1"], "--dump-dtb: '/dev/fd/1'"),
      (["--scmi-transcript", "/proc/self/fd/2"], "--scmi-transcript: '/proc/self/fd/2'"),
      (["--console", "file=/dev/stdout"], "--console: '/dev/stdout'"),
      (["--port", "a=file=/proc/thread-self/fd/1"], "--port a=file=/proc/thread-self/fd/1: '/proc/thread-self/fd/1'"),
      (["--initrd", "/dev/stdin"], "--initrd: '/dev/stdin'"),
    ] {
      expectRefusal(
        try apus(["run", "--detach", "--kernel", image.path] + options),
        status: 64,
        name + " is a stream of the caller's, which the machine leaves with --detach; name a file"
      )
    }
    // What only looks like one is a file, and without --detach a stream may be one.
    for words in [
      ["--detach", "--report", folder.path("stdout")], ["--detach", "--report", "/dev/null"],
      ["--dump-dtb", "/dev/stdout"],
    ] {
      #expect(try apus(["run", "--dry-run", "--kernel", image.path] + words).status == 0, "\(words)")
    }
  }

  @Test func mistakesAndEarlyEndsAreToldWithTheirStatuses() throws {
    let image = try TemporaryFile(linuxImage())

    expectRefusal(
      try apus(["run", "--detach", "--kernel", "/no/such"]),
      status: 66,
      "apus: error: --kernel: '/no/such' does not exist"
    )
    expectRefusal(
      try apus(["run", "--kernel", image.path, "--detach", "--kvm", "/no/kvm", "--control", "/no/such/socket"]),
      status: 73,
      "--control: cannot make '/no/such/socket'"
    )
    let folder = try TemporaryFolder()
    expectRefusal(
      try apus(["run", "--kernel", image.path, "--detach", "--kvm", "/no/kvm", "--control", folder.path("s")]),
      status: 71,
      "/no/kvm"
    )
    #expect(try folder.names.isEmpty)
  }

  @Test func aDryRunStaysInTheForegroundAndShowsWhatWouldBe() throws {
    let image = try TemporaryFile(linuxImage())

    let result = try apus(["run", "--detach", "--dry-run", "--kernel", image.path])

    #expect(result.status == 0, "\(result.error)")
    #expect(result.output.contains("\"memory\""))
  }
}
