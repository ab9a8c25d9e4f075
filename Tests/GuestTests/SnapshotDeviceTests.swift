import Apus
import ApusTesting
import Glibc
import TestLimits
import TestSupport
import Testing

@Suite("Devices of snapshots", .requiresKVM, .ownThread)
struct SnapshotDeviceTests {
  /// How devices reach the guest's memory.
  enum Reach: CaseIterable {
    case windows, iommu, shadow, open
  }

  private static let workers = ["disk", "port", "entropy", "scmi"]

  /// Each worker does its piece of work over and over until there is a file /stop; one of them resets its device each
  /// time. After `go N` and its answer each has done something more.
  private static let busy = """
    stty -echo -opost
    for n in /sys/class/virtio-ports/*/name; do p=${n%/name}; ln -s /dev/${p##*/} /dev/$(cat $n); done
    R=/sys/bus/virtio/drivers/virtio_rng; E=$(cd $R; ls -d virtio*); S=$(ls /sys/class/hwmon/hwmon*/temp1_input)
    mkdir /n; for w in \(workers.joined(separator: " ")); do :>/n/$w; done
    F() { echo failed $1; touch /stop; }
    dd if=/dev/urandom of=/a bs=64k count=16 2>/dev/null
    (until [ -e /stop ]; do dd if=/a of=/dev/vda bs=64k oflag=direct 2>/dev/null &&
      dd if=/dev/vda bs=64k count=16 iflag=direct 2>/dev/null | cmp -s - /a || F disk; echo >>/n/disk; done) &
    (n=0; until [ -e /stop ]; do n=$((n+1)); echo $n || F port; echo >>/n/port; done >/dev/lines) &
    (until [ -e /stop ]; do dd if=/dev/hwrng of=/dev/null bs=512 count=8 2>/dev/null || F entropy
      echo $E >$R/unbind; echo $E >$R/bind; [ -e $R/$E ] || F reset; echo >>/n/entropy; done) &
    (until [ -e /stop ]; do [ "$(cat $S)" = 41000 ] || F scmi; echo >>/n/scmi; done) &
    dmesg -c >/dev/null
    echo ready
    P() { for w in \(workers.joined(separator: " ")); do a=$(wc -c </n/$w)
      until [ $(wc -c </n/$w) != $a ] || [ -e /stop ]; do sleep 0.05; done; done; }
    while read x y; do case $x in stop) break;; go) P; echo got $y;; esac; done
    touch /stop; wait
    dmesg | grep -E 'rcu: INFO|soft lockup|blocked for more|timed out|I/O error|Call trace|WARNING|BUG' && F kernel
    exit 0
    """

  private static func isKept(_ memory: HotplugMemoryStatus?) -> Bool {
    memory.map { $0.plugged == $0.requested } ?? true
  }

  @Test(
    "requests that they have are answered once where a machine goes on, also behind an IOMMU, by copies and in all of RAM",
    arguments: Reach.allCases
  )
  func inFlight(reach: Reach) async throws {
    let (image, script, folder) = (try DiskImage(mebibytes: 1), try DiskImage(script: Self.busy), try TemporaryFolder())
    let platform = #"{"sensors": [{"name": "die", "scale": -3, "value": [41000]}], "agents": [{"name": "guest"}]}"#
    func lines(_ machine: Int) -> Configuration.Port { .init("lines", .file(path: folder.path("lines-\(machine)"))) }
    var configuration = try LinuxGuest.executing("sh /dev/vdb")
    configuration.commandLine += " memhp_default_state=online_movable"
    configuration.cpuCount = 2
    var scriptBlock = Configuration.Device.Block(path: script.path)
    scriptBlock.isReadOnly = true
    configuration.devices = [
      .init(.block(.init(path: image.path))), .init(.block(scriptBlock)), .init(.entropy),
      .init(.console(.init(carriesConsole: false, ports: [lines(0)]))),
      .init(.scmi(.init(path: try folder.write("platform.json", Array(platform.utf8))))),
    ]
    switch reach {
    case .windows: configuration.devices.append(.init(.memory(.init(size: 256 << 20))))
    case .iommu: configuration.devices.append(.init(.iommu))
    case .shadow: configuration.dma = .shadow
    case .open: configuration.dma = .open
    }

    let (report, texts, memory) = try await MachineSlots.shared.withSlot(.init(configuration)) {
      var machine = try DrivenMachine(Machine(configuration))
      var texts: [String] = []
      var base: String?
      try await machine.console.expect("ready\n", within: .seconds(240))
      for round in 0..<2 {
        try await machine.answers(round)
        if reach != .windows, base == nil {
          // Refused before anything is written.
          var options = SnapshotOptions()
          options.logsChanges = true
          let path = folder.path("logged")
          let refused = await #expect(throws: SnapshotFailure.self) {
            try await machine.machine.snapshot(to: path, options)
          }
          #expect(refused?.description.contains("the machine's devices reach its RAM") == true)
        }
        if reach == .windows {
          try await machine.machine.setHotplugMemory(
            Configuration.Device.Memory.defaultName,
            requested: round == 0 ? 256 << 20 : 128 << 20
          )
        }
        #expect(await machine.machine.pause())
        var options = SnapshotOptions()
        options.base = base
        let summary = try await machine.machine.snapshot(to: folder.path("\(round)"), options)
        machine.machine.stop()
        #expect(await machine.machine.outcome.end == .stopped)
        texts.append(await machine.console.wholeText)
        let snapshot = try MachineSnapshot(summary.directory)
        var next = snapshot.configuration
        next.console = .stream
        next.devices[3].kind = .console(.init(carriesConsole: false, ports: [lines(round + 1)]))
        machine = try DrivenMachine(Machine(restoring: snapshot, next))
        base = summary.directory
      }
      try await machine.answers(2)
      var memory = await machine.machine.hotplugMemory()?.first
      let limit = TestLimit(.seconds(60))
      while !Self.isKept(memory), !limit.hasPassed {
        try await Task.sleep(for: .milliseconds(50))
        memory = await machine.machine.hotplugMemory()?.first
      }
      machine.console.send("stop\n")
      texts.append(await machine.console.wholeText)
      return (await machine.machine.report, texts, memory)
    }

    #expect(try folder.names == ["0", "1", "lines-0", "lines-1", "lines-2", "platform.json"])
    #expect(report.guestStatus == 0, "\(texts)")
    #expect(!texts.joined().contains("failed "), "\(texts)")
    #expect(Self.isKept(memory), "\(String(describing: memory))")
    for device in report.devices { #expect(device.refusedAccesses == 0 && device.faults == 0, "\(device)") }
  }

  /// What is open stays so, but for what goes through a network or to a peer.
  private static func outside(port: UInt16) -> String {
    """
    stty -echo -opost
    for n in /sys/class/virtio-ports/*/name; do p=${n%/name}; ln -s /dev/${p##*/} /dev/$(cat $n); done
    mkdir -p /mnt; mount -t virtiofs host /mnt && cd /mnt || exit 9
    exec 5<>/mnt/open; echo first >&5
    ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2
    nc 10.0.2.2 \(port) </dev/null >/got; wc -c </got
    exec 3<>/dev/peer; until read a <&3; do sleep 0.05; done; echo got-$a
    L=/sys/class/net/eth0/carrier_changes; c=$(($(cat $L)+2)); echo ready
    until read a <&3; do sleep 0.05; done; echo got-$a; echo pong-$a >&3
    i=0; until [ $(cat $L) = $c ] || [ $i = 200 ]; do sleep 0.05; i=$((i+1)); done; [ $i = 200 ] || echo down and up
    cat later; echo second >&5; cat open
    nc 10.0.2.2 \(port) </dev/null | cmp - /got && echo same again
    exec 5>&-; cd /; umount /mnt && echo unmounted
    exit 0
    """
  }

  @Test(
    "an open file of a folder stays open, the network has new connections, and a port a new peer",
    .requiresUserNamespaces
  )
  func outside() async throws {
    let folder = try TemporaryFolder()
    _ = try folder.makeFolder("shared")
    let server = ByteServer([UInt8](repeating: 7, count: 100_000))
    let serving = Task { try await server.serve() }
    defer { serving.cancel() }
    let (script, socket) = (try DiskImage(script: Self.outside(port: server.port)), folder.path("socket"))
    var configuration = try LinuxGuest.executing("sh /dev/vda")
    var block = Configuration.Device.Block(path: script.path)
    block.isReadOnly = true
    configuration.devices = [
      .init(.block(block)), .init(.share(.init(path: folder.path("shared"), tag: "host"))),
      .init(.network(.init(.passt(forwards: [], hostLoopback: true)))),
      .init(.console(.init(carriesConsole: false, ports: [.init("peer", .socket(path: socket))]))),
    ]

    let (report, text, lost) = try await MachineSlots.shared.withSlot(.init(configuration)) {
      let guest = try DrivenMachine(Machine(configuration))
      let first = try PortPeer(connectingTo: socket)
      first.write("one\n")
      try await guest.console.expect("ready\n", within: .seconds(240))
      let summary = try await guest.machine.snapshot(to: folder.path("frozen"))
      guest.machine.stop()
      #expect(await guest.machine.outcome.end == .stopped)
      first.close()
      try folder.write("shared/later", Array("later\n".utf8))

      let snapshot = try MachineSnapshot(summary.directory)
      let next = try DrivenMachine.restored(snapshot)
      let second = try PortPeer(connectingTo: socket)
      second.write("two\n")
      #expect(try second.read(untilSuffix: "\n") == "pong-two\n")
      let text = await next.console.wholeText
      second.close()

      // SAFETY: the path holds for the call.
      try #require(unsafe unlink(folder.path("shared/open")) == 0)
      let last = try DrivenMachine.restored(snapshot)
      return (await next.machine.report, text, await last.machine.outcome)
    }

    #expect(report.guestStatus == 0, "\(text)")
    let wanted = "got-two\ndown and up\nlater\nfirst\nsecond\nsame again\nunmounted\n"
    #expect(text.hasPrefix(wanted), "\(text)")
    #expect(folder.read("shared/open") == nil)
    #expect(lost.end != .poweredOff && lost.message.contains("share1"), "\(lost)")
  }
}
