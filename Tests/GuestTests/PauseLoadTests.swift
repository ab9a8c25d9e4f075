import Apus
import ApusTesting
import SCMI
import Synchronization
import TestSupport
import Testing

@Suite("Pauses under load", .requiresKVM, .ownThread)
struct PauseLoadTests {
  /// How often the machine is paused and resumed: `APUS_PAUSE_ROUNDS`, or what a run of all tests has time for.
  private static var rounds: Int { Variable.number("APUS_PAUSE_ROUNDS", or: 50) }

  private static let download: [UInt8] = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 0x9E37_79B1 >> 13) }

  private static var platform: SharedPlatform {
    get throws {
      try SharedPlatform(
        startingNow: PlatformDefinition { platform in
          platform.sensors = [
            SensorDefinition("die") { sensor in
              sensor.scale = -3
              sensor.binding = .constant([41_000])
            }
          ]
          platform.agents = [
            AgentDefinition("one"), AgentDefinition("two"), AgentDefinition("owner") { $0.trusted = true },
          ]
        }
      )
    }
  }

  /// More than there is time for in a day's rounds. passt of October 2026 has wrong bytes in connections in whose
  /// making a guest is paused: Documentation/Network.md.
  private static let downloadsOfConnection = 48

  /// Each worker does its piece of work over and over until there is a file /stop, and prints how often. All
  /// downloads come by one connection, as long as that lasts.
  private static func script(port: UInt16) -> String {
    """
    stty -echo -opost
    mount -t ext4 /dev/vda /mnt && cd /mnt || exit 9
    ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2
    for n in /sys/class/virtio-ports/*/name; do p=${n%/name}; ln -s /dev/${p##*/} /dev/$(cat $n); done
    R=/sys/bus/virtio/drivers/virtio_rng; E=$(cd $R; ls -d virtio*); S=$(ls /sys/class/hwmon/hwmon*/temp1_input)
    F() { echo failed $1; touch /stop; }
    mkfifo /stream; (until [ -e /stop ]; do nc 10.0.2.2 \(port) </dev/null >/stream; done) & exec 7</stream
    get() { dd bs=65536 count=\(download.count >> 16) iflag=fullblock of=$1 <&7 2>/dev/null; }
    get /ref; [ $(wc -c </ref) = \(download.count) ] || F first
    (n=0; until [ -e /stop ]; do n=$((n+1)); case $((n%3)) in 0) m=direct;; 1) m=map;; *) m=plain;; esac
      disk-check write $m a 2 $n >/dev/null && disk-check verify direct a 2 $n >/dev/null || F disk; done; echo disk $n) &
    (n=0; r=0; until [ -e /stop ]; do get /d; if [ ! -s /d ]; then sleep 0.1; elif cmp -s /ref /d; then n=$((n+1)); else r=$((r+1))
      head -c $(wc -c </d) /ref | cmp -s - /d || F "network $(wc -c </d) $(cmp /ref /d)"; fi; done; echo network $n; echo reset $r) &
    (n=0; until [ -e /stop ]; do n=$((n+1)); echo $n || F port; done >/dev/lines; echo port $n) &
    (\(LinuxGuest.onFirstCPU); n=0; until [ -e /stop ]; do n=$((n+1)); dd if=/dev/hwrng of=/dev/null bs=512 count=8 2>/dev/null || F entropy
      echo $E >$R/unbind; echo $E >$R/bind; [ -e $R/$E ] || F reset; done; echo entropy $n) &
    (n=0; until [ -e /stop ]; do n=$((n+1)); [ "$(cat $S)" = 41000 ] || F scmi; done; echo scmi $n) &
    dmesg -c >/dev/null
    echo ready
    while read x; do case $x in stop) break;; clock) read u _ </proc/uptime; echo up $u;; *) echo got $x;; esac; done
    touch /stop; exec 7<&-; wait
    cd /; umount /mnt || echo failed umount
    dmesg | grep -E 'rcu: INFO|soft lockup|blocked for more|timed out|I/O error|fs error|Call trace' && F kernel
    exit 0
    """
  }

  private static func configuration(_ disk: DiskImage, _ script: DiskImage) throws -> Configuration {
    var configuration = try LinuxGuest.executing("sh /dev/vdb")
    configuration.commandLine += " rcupdate.rcu_cpu_stall_timeout=10"
    configuration.cpuCount = 4
    configuration.memorySize = 256 << 20
    var block = Configuration.Device.Block(path: disk.path)
    block.queueCount = 4
    var scriptBlock = Configuration.Device.Block(path: script.path)
    scriptBlock.isReadOnly = true
    let lines = Configuration.Port("lines", .file(path: disk.path + ".lines"))
    configuration.devices = [
      .init(.block(block)), .init(.block(scriptBlock)),
      .init(.network(.init(.passt(forwards: [], hostLoopback: true)))),
      .init(.console(.init(carriesConsole: false, ports: [lines]))), .init(.entropy),
      .init(.scmi(.shared(agent: "one"))),
    ]
    return configuration
  }

  @Test(
    "a machine that is paused over and over under load loses nothing, its clock stands, and one beside it goes on",
    .requiresUserNamespaces
  )
  func rounds() async throws {
    let rounds = Self.rounds
    let disk = try DiskImage(mebibytes: 64, fileSystem: "ext4")
    let source = ByteServer(Array(repeatElement(Self.download, count: Self.downloadsOfConnection).joined()))
    let text = Self.script(port: source.port)
    let script = try DiskImage(script: text)
    let platform = try Self.platform
    let limit = Duration.seconds(300 + rounds)
    let server = Task { try await source.serve() }
    defer { server.cancel() }

    let run = try await GuestRun.boot(try Self.configuration(disk, script), platform: platform, limit: limit) {
      machine,
      console in
      try await console.expect("ready\n", within: .seconds(240))
      try await Self.pause(machine, console, rounds: rounds, platform: platform, limit: limit)
      console.send("stop\n")
    }

    print(run.lines.filter { line in Self.workers.contains { line.hasPrefix($0 + " ") } }.joined(separator: ", "))
    let answers = run.lines.compactMap { $0.hasPrefix("got ") ? Int($0.dropFirst(4)) : nil }
    #expect(run.outcome.guestStatus == 0)
    #expect(!run.console.contains("failed "), "\(run.console.suffix(2000))")
    #expect(answers == Array(0..<rounds))
    #expect(run.report.pauses == rounds + 1)
    // passt's own timers go on: a connection that gets no answer for seconds is one that it may end.
    let resets = run.lines.compactMap { $0.hasPrefix("reset ") ? Int($0.dropFirst(6)) : nil }.first ?? .max
    #expect(resets <= (0..<rounds).filter(Self.isLong).count + 1)
    for worker in Self.workers {
      let count = run.lines.compactMap { $0.hasPrefix(worker + " ") ? Int($0.dropFirst(worker.count + 1)) : nil }.first
      #expect(count ?? 0 > 0, "\(worker)")
    }
    for device in run.report.devices {
      #expect(device.refusedAccesses == 0 && device.faults == 0, "\(device)")
    }
    let written = try #require(run.lines.compactMap { $0.hasPrefix("port ") ? Int($0.dropFirst(5)) : nil }.first)
    let expected = (0..<written).reduce(0) { $0 + String($1 + 1).utf8.count + 1 }
    #expect(disk.size(of: ".lines") == expected)
  }

  /// In these the other machine has something to do, which may take it seconds.
  private static func isLong(_ round: Int) -> Bool { round % 25 == 5 }

  private static let workers = ["disk", "network", "port", "entropy", "scmi"]

  /// The rounds, and between them a second machine that does its work while the first is paused.
  private static func pause(
    _ machine: Machine,
    _ console: ConsoleTranscript,
    rounds: Int,
    platform: SharedPlatform,
    limit: Duration
  ) async throws {
    let other = try await GuestRun.boot(
      try SCMIGuest.configuration(agent: "two"),
      platform: platform,
      limit: limit,
      beside: true
    ) { other, otherConsole in
      let shell = try await GuestShell(otherConsole)
      for round in 0..<rounds {
        #expect(await machine.pause())
        // What is typed meanwhile waits.
        console.send("\(round)\n")
        if round % 8 == 3 { try await Task.sleep(for: .milliseconds(20)) }
        if Self.isLong(round) {
          let before = await machine.inspect()
          #expect(try await shell.run("cat /sys/class/hwmon/hwmon*/temp1_input") == ["41000"])
          let after = await machine.inspect()
          #expect(after?.state == .paused && after?.exits == before?.exits)
          // Nothing moves in either direction while it is paused.
          let moved = zip(before?.devices ?? [], after?.devices ?? []).filter { before, after in
            before.bytesRead != after.bytesRead || before.bytesWritten != after.bytesWritten
              || before.kicks != after.kicks
          }
          #expect(moved.isEmpty, "\(moved)")
        }
        #expect(await machine.resume())
        try await console.expect("got \(round)\n", within: .seconds(120))
      }
      try await Self.checkClock(machine, console)
      #expect(await other.inspect()?.pauses == 0)
      other.stop()
    }
    #expect(other.outcome.end == .stopped)
  }

  /// Over a pause of two seconds the guest's own clock does not advance by more than the time for which it ran.
  private static func checkClock(_ machine: Machine, _ console: ConsoleTranscript) async throws {
    let start = ContinuousClock.now
    let before = try await (clock: uptime(console), machine: machine.inspect())
    #expect(await machine.pause())
    try await Task.sleep(for: .seconds(2))
    #expect(await machine.resume())
    let after = try await (clock: uptime(console), machine: machine.inspect())

    let (first, second) = (try #require(before.machine), try #require(after.machine))
    let stood = Duration.nanoseconds(Int64(second.pausedTime - first.pausedTime))
    let ran = ContinuousClock.now - start - stood
    #expect(second.pauses == first.pauses + 1)
    #expect(stood >= .seconds(2))
    let went = after.clock - before.clock
    // The guest says hundredths of a second.
    #expect(went >= .zero && went <= ran + .milliseconds(20), "\(went), \(ran)")
  }

  private static func uptime(_ console: ConsoleTranscript) async throws -> Duration {
    console.send("clock\n")
    let line = try await console.expectLine("the time since the guest's start") { $0.hasPrefix("up ") }
    return .seconds(try #require(Double(line.dropFirst(3))))
  }
}
