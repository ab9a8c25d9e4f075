import ApusTesting
import Glibc
import Host
import TestLimits
import TestSupport
import Testing

extension CommandKVMTests {
  @Suite(
    "Network cards on passt",
    .requiresUserNamespaces
  )
  struct NetworkTests {
    @Test("passt ends with Apus, however that ends", arguments: [SIGTERM, SIGKILL])
    func end(signal: Int32) throws {
      let process = try CommandProcess(CommandKVMTests.run("spin", "--network", "passt"))
      try process.expect("Waiting\n")
      let passt = try #require(HostProcess.children(of: process.processID, named: "passt").first)

      process.signal(signal)
      _ = try process.wait()

      #expect(HostProcess.isGone(passt, within: 10))
    }

    @Test("a port that is taken ends the machine with passt's words")
    func takenPort() throws {
      let first = try CommandProcess(CommandKVMTests.run("spin", "--network", "passt,forward=2299:22"))
      try first.expect("Waiting\n")
      try #require(Self.isListened(to: 2299, within: 60))

      let second = try CommandProcess(CommandKVMTests.run("spin", "--network", "passt,forward=2299:22"))

      #expect(try second.wait() == .exited(71))
      #expect(second.errorText.contains("passt ended with status 1"))
    }

    /// Whether somebody listens to a TCP port within a time; waits for it.
    private static func isListened(to port: Int, within seconds: Int) -> Bool {
      let digits = String(port, radix: 16, uppercase: true)
      let place = ":" + String(repeating: "0", count: 4 - digits.utf8.count) + digits + " "
      let limit = TestLimit(.seconds(seconds))
      repeat {
        if HostFiles.text("/proc/net/tcp").contains(place) { return true }
        usleep(100_000)
      } while !limit.hasPassed
      return false
    }

    @Test("a tap device carries packets with offloads, and is told apart from one that is not there to have")
    func tap() throws {
      let process = try CommandProcess(CommandKVMTests.run("spin", "--network", "tap=aputest0"))

      try process.expect("Waiting\n")

      let name = "/sys/class/net/aputest0/tun_flags"
      // IFF_TAP, IFF_NO_PI, IFF_VNET_HDR.
      #expect(HostFiles.text(name).hasPrefix("0x5002"))
    }
  }
}
