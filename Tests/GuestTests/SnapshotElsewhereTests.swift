import Apus
import ApusTesting
import GuestSupport
import Host
import TestLimits
import TestSupport
import Testing

@Suite("Snapshots of machines with devices in other processes", .requiresKVM, .requiresUserNamespaces, .ownThread)
struct SnapshotElsewhereTests {
  private static let workers = ["daemon", "messages", "network"]
  private static let download: [UInt8] = (0..<1 << 18).map { UInt8(truncatingIfNeeded: $0 &* 0x9E37_79B1 >> 13) }

  /// Each worker does its piece of work over and over until there is a file /stop. A connection that the former
  /// machine's passt had is nobody's: who waits for it is ended with each `go`.
  private static func script(port: UInt16) -> String {
    """
    stty -echo -opost
    ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2
    mkdir /n; for w in \(workers.joined(separator: " ")); do :>/n/$w; done
    F() { echo failed $1; touch /stop; }
    dd if=/dev/urandom of=/a bs=64k count=16 2>/dev/null
    B() { until [ -e /stop ]; do dd if=/a of=$1 bs=64k oflag=direct 2>/dev/null &&
      dd if=$1 bs=64k count=16 iflag=direct 2>/dev/null | cmp -s - /a || F $2; echo >>/n/$2; done; }
    get() { timeout 60 nc 10.0.2.2 \(port) </dev/null >$1; }
    get /ref; [ $(wc -c </ref) = \(download.count) ] || F first
    B /dev/vda daemon & B /dev/vdc messages &
    (until [ -e /stop ]; do get /d 2>/dev/null; if cmp -s /ref /d; then echo >>/n/network; else
      head -c $(wc -c </d) /ref | cmp -s - /d || F "network $(wc -c </d) $(cmp /ref /d)"; fi; done) &
    dmesg -c >/dev/null
    echo ready
    P() { for w in \(workers.joined(separator: " ")); do a=$(wc -c </n/$w)
      until [ $(wc -c </n/$w) != $a ] || [ -e /stop ]; do sleep 0.05; done; done; }
    while read x y; do case $x in stop) break;; go) killall nc 2>/dev/null; P; echo got $y;; esac; done
    touch /stop; killall nc 2>/dev/null; wait
    dmesg | grep -E 'rcu: INFO|soft lockup|blocked for more|timed out|I/O error|Call trace|WARNING|BUG' && F kernel
    exit 0
    """
  }

  @Test(
    "requests that a daemon, a process by messages and passt have are answered where a machine goes on",
    arguments: [Configuration.Device.RemoteAccess.inPlace, .direct, .bounced]
  )
  func inFlight(access: Configuration.Device.RemoteAccess) async throws {
    let folder = try TemporaryFolder()
    let server = ByteServer(Self.download)
    let serving = Task { try await server.serve() }
    defer { serving.cancel() }
    let (images, script) = (try (0..<2).map { _ in try DiskImage(mebibytes: 1) }, Self.script(port: server.port))
    let daemon = try StorageDaemon(disk: images[0], in: folder)
    let process = try DeviceProcess("block," + images[1].path, in: folder)
    var configuration = try LinuxGuest.executing("sh /dev/vdb")
    configuration.cpuCount = 2
    var disk = Configuration.Device.VhostUser(.init(number: 2), socket: daemon.socket)
    disk.access = access
    let text = try DiskImage(script: script)
    // What is behind the devices goes with these.
    defer { withExtendedLifetime((images, daemon, process, text)) {} }
    var scriptBlock = Configuration.Device.Block(path: text.path)
    scriptBlock.isReadOnly = true
    var card = Configuration.Device.Network(.passt(forwards: [], hostLoopback: true))
    card.isVhostUser = true
    card.access = access
    configuration.devices = [
      .init(.vhostUser(disk)), .init(.block(scriptBlock)), .init(.messages(.init(.block, socket: process.socket))),
      .init(.network(card)),
    ]

    let (report, texts) = try await MachineSlots.shared.withSlot(.init(configuration)) {
      var machine = try DrivenMachine(Machine(configuration))
      var texts: [String] = []
      try await machine.console.expect("ready\n", within: .seconds(240))
      for round in 0..<2 {
        try await machine.answers(round)
        #expect(await machine.machine.pause())
        let summary = try await machine.machine.snapshot(to: folder.path("\(round)"))
        machine.machine.stop()
        #expect(await machine.machine.outcome.end == .stopped)
        texts.append(await machine.console.wholeText)
        machine = try DrivenMachine.restored(MachineSnapshot(summary.directory))
      }
      try await machine.answers(2)
      machine.console.send("stop\n")
      texts.append(await machine.console.wholeText)
      return (await machine.machine.report, texts)
    }

    #expect(texts.last?.contains("exit status 0\n") == true, "\(texts) \(report.message)")
    #expect(!texts.joined().contains("failed "), "\(texts)")
    for device in report.devices { #expect(device.refusedAccesses == 0 && device.faults == 0, "\(device)") }
  }
}

/// A process of Apus's own that serves a device by messages.
private final class DeviceProcess {
  let socket: String
  private let child: ChildProgram

  init(_ device: String, in folder: TemporaryFolder) throws {
    let socket = folder.path("device.sock")
    self.socket = socket
    child = try ChildProgram(GuestFile.command(), ["apus", "device", "serve", "--socket", socket, device])
    guard try becomesTrue(for: child.process, { try folder.names.contains("device.sock") }) else {
      throw DiskImage.Failure(what: String(decoding: child.takeOutput(), as: UTF8.self))
    }
  }

  deinit {
    child.killAndWait()
  }
}
