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
