import Apus
import ApusTesting
import Testing

@Suite("A guest for each test", .requiresKVM, .guest(.mine))
struct GuestTests {
  @Test("a command's output, error output and status are what it wrote and how it ended")
  func command() async throws {
    let result = try await Guest.current.run("uname -m; echo trouble >&2; exit 3")

    #expect(result.output == "aarch64\n")
    #expect(result.errorOutput == "trouble\n")
    #expect(result.status == 3)
  }

  @Test("a file that is pushed comes back, and so does a folder")
  func files() async throws {
    let guest = try Guest.current
    let folder = "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/") + "/Files"
    let bytes: [UInt8] = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 2) }

    try await guest.push(bytes, to: "/tmp/bytes")
    let pulled = try await guest.pull("/tmp/bytes")
    try await guest.push(folder: folder, to: "/tmp/files")
    let script = try await guest.run(GuestCommand("/tmp/files/inner/script", "with words"))
    let linked = try await guest.pull("/tmp/files/inner/link")

    #expect(pulled == bytes)
    #expect(script.output == "from-a-script with words\n")
    #expect(linked == Array("one\n".utf8))
  }

  @Test("the console is read by text and by patterns, and typed to")
  func console() async throws {
    let console = try Guest.current.console

    console.send("echo free: $((6 * 7)) pages\n")
    let line = try await console.expect(/^free: (\d+) pages$/)
    console.send("echo rea''dy\n")
    try await console.expect("ready\n", within: .seconds(30))

    #expect(line.1 == "42")
  }

  @Test("a panic ends the machine, and a test that waits for it has its end")
  func panic() async throws {
    let guest = try Guest.current

    let error = await #expect(throws: GuestError.self) {
      try await guest.run("echo c >/proc/sysrq-trigger; sleep 100")
    }
    let outcome = await guest.outcome

    #expect(outcome.end == .panicked)
    #expect("\(error!)".contains("sysrq triggered crash"))
  }

  @Test("what is wrong is told where it is")
  func wrong() async throws {
    let result = try await Guest.current.run("cat /proc/cmdline")

    withKnownIssue("nobody runs this guest with so many processors") {
      #expect(result.output.contains("maxcpus=99"))
    }
  }

  @Test("a second guest runs beside the first")
  func second() async throws {
    let first = try Guest.current
    _ = try await first.run("touch /tmp/first")

    try await withGuest(.mine) { second in
      let seen = try await second.run("ls /tmp/first")
      #expect(seen.status != 0)
      #expect(try await first.run("ls /tmp/first").status == 0)
    }
  }

  @Test("a test that fails keeps what the guest has left", .enabled(if: isToFail, "FAIL=1 has it fail"))
  func failing() async throws {
    let result = try await Guest.current.run("echo the last words >/dev/console; cat /nowhere")

    #expect(result.status == 0)
  }

  private static var isToFail: Bool { (try? GuestSetup.path(inVariable: "FAIL")) == "1" }
}

@Suite("One guest for a suite", .requiresKVM, .guest(.mine, for: .suite), .serialized)
struct SharedGuestTests {
  @Test("a first test leaves something")
  func first() async throws {
    try await Guest.current.push(Array("left".utf8), to: "/tmp/left")
  }

  @Test("a second one finds it")
  func second() async throws {
    #expect(try await Guest.current.pull("/tmp/left") == Array("left".utf8))
  }
}
