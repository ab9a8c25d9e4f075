import Apus
import ApusTesting
import Glibc
import GuestSupport
import TestLimits
import TestSupport
import Testing

/// Debian's own programs behind a guest's devices: virtiofsd and qemu-storage-daemon.
@Suite("Devices in other processes", .requiresKVM, .requiresUserNamespaces, .ownThread, .serialized)
struct RemoteDeviceTests {
  typealias Access = Configuration.Device.RemoteAccess

  /// How often each program is killed under load: `APUS_KILL_ROUNDS`, or what a run of all tests has time for.
  private static var rounds: Int { Variable.number("APUS_KILL_ROUNDS", or: 3) }

  /// A machine with a disk of the daemon's, a share of the folder and a network card, each by its own process,
  /// and with what the guest does.
  private func machine(
    _ script: String,
    disk: StorageDaemon,
    folder: TemporaryFolder,
    _ access: Access
  ) throws -> Configuration {
    var configuration = try LinuxGuest.executing(script)
    configuration.cpuCount = 4
    configuration.memorySize = 256 << 20
    var block = Configuration.Device.VhostUser(.init(number: 2), socket: disk.socket)
    block.access = access
    var share = Configuration.Device.Share(path: folder.path("shared"), tag: "host")
    share.access = access
    var card = Configuration.Device.Network(.passt(forwards: [], hostLoopback: true))
    card.isVhostUser = true
    configuration.devices = [.init(.vhostUser(block)), .init(.share(share)), .init(.network(card))]
    return configuration
  }

  private func folder() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    // SAFETY: the path holds for the call.
    try #require(unsafe mkdir(folder.path("shared"), 0o755) == 0)
    return folder
  }

  @Test("checksummed files on a disk, a share and a network at once", arguments: [Access.inPlace, .direct, .bounced])
  func everythingAtOnce(access: Access) async throws {
    let folder = try folder()
    let image = try DiskImage(mebibytes: 64, fileSystem: "ext4")
    let disk = try StorageDaemon(disk: image, in: folder)
    let source = HostSocket.listening()
    let download: [UInt8] = (0..<2 << 20).map { UInt8(truncatingIfNeeded: $0 &* 0x9E37_79B1 >> 13) }
    let script = """
      mkdir -p /mnt/d /mnt/s; mount -t ext4 /dev/vda /mnt/d && mount -t virtiofs host /mnt/s || exit 9; \
      ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2; \
      mkfifo /idle; exec 9<>/idle; for i in 1 2; do nc 10.0.2.2 \(source.port) <&9 >/n$i & done; \
      until [ $(netstat -tn | grep -c ESTABLISHED) -eq 2 ]; do sleep 0.05; done; echo loading; \
      (for f in direct map plain; do disk-check write $f /mnt/d/$f 4 1 && disk-check verify $f /mnt/d/$f 4 1; done) & \
      (for f in direct plain; do disk-check write $f /mnt/s/$f 4 2 && disk-check verify $f /mnt/s/$f 4 2; done) & \
      wait; [ $(wc -c </n1) -eq \(download.count) ] && cmp /n1 /n2 && echo downloaded; umount /mnt/d; umount /mnt/s; mount -t ext4 /dev/vda /mnt/d && mount -t virtiofs host /mnt/s || exit 8; \
      echo 3 >/proc/sys/vm/drop_caches; \
      disk-check verify plain /mnt/d/direct 4 1; disk-check verify direct /mnt/d/map 4 1; \
      disk-check verify plain /mnt/s/direct 4 2; disk-check verify direct /mnt/s/plain 4 2; \
      umount /mnt/d; umount /mnt/s
      """

    let configuration = try machine(script, disk: disk, folder: folder, access)
    let run = try await GuestRun.boot(configuration, limit: .seconds(400)) { _, console in
      let limit = TestLimit(.seconds(300))
      let first = try await source.accepted(until: limit)
      let second = try await source.accepted(until: limit)
      try await console.expect("loading\n", within: .seconds(120))
      try await first.send(download, until: limit)
      try await second.send(download, until: limit)
    }

    #expect(run.outcome.end == .poweredOff)
    #expect(run.console.ranges(of: "verified ").count == 9, "\(run.console)")
    #expect(run.console.contains("downloaded\n"))
    #expect(run.console.contains("exit status 0"))
    for device in run.report.devices {
      #expect(device.refusedAccesses == 0, "\(device.name)")
      #expect(device.faults == 0, "\(device.name)")
    }
    #expect(HostFiles.bytes(folder.path("shared/direct")).count == 4 << 20)
  }

  @Test("a process sees its own window and Apus's rings, and nothing else", arguments: [Access.inPlace, .bounced])
  func confinement(access: Access) async throws {
    let folder = try folder()
    let image = try DiskImage(mebibytes: 4)
    let disk = try StorageDaemon(disk: image, in: folder)
    // Half of it here and half there, so that this process is the only one in which it stands as a whole.
    let secret = (UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max))
    let text = "s" + String(secret.0, radix: 16) + "t" + String(secret.1, radix: 16)
    let script = """
      mkdir -p /mnt; mount -t virtiofs host /mnt && echo here >/mnt/file; dd if=/dev/vda of=/dev/null bs=64k \
      count=8 2>/dev/null; echo ready; while [ ! -e /mnt/over ]; do sleep 0.2; done; umount /mnt
      """
    var configuration = try machine(script, disk: disk, folder: folder, access)
    configuration.commandLine += " secret=\(text)"
    configuration.devices.removeLast()
    var seen: [(process: Int32, maps: [String], descriptors: [String], hasSecret: Bool)] = []

    let run = try await GuestRun.boot(configuration, limit: .seconds(200)) { _, console in
      try await console.expect("ready", within: .seconds(120))
      let servers = HostProcess.children(of: getpid(), named: "virtiofsd", with: folder.path)
      let helpers = servers.flatMap { HostProcess.children(of: $0, named: "virtiofsd") }
      for process in servers + helpers + [disk.process] {
        seen.append(
          (
            process, Self.memoryFiles(of: process), Self.descriptors(of: process),
            Self.memory(of: process, contains: Array(text.utf8))
          )
        )
      }
      HostFiles.write([], to: folder.path("shared/over"))
    }

    #expect(run.outcome.end == .poweredOff)
    #expect(seen.count >= 2)
    // Where it is: this test finds what it looks for.
    #expect(Self.memory(of: getpid(), contains: Array(text.utf8)))
    var windows = 0
    for (process, maps, descriptors, hasSecret) in seen {
      let others = maps.filter { !$0.hasPrefix("/memfd:apus-dma-") }
      #expect(others == [], "\(process)")
      let own = Set(maps.filter { !$0.contains("-shadow") })
      let most = access == .inPlace ? 1 : 0
      #expect(own.count <= most, "\(process): \(maps)")
      windows += own.count
      let machines = descriptors.filter { $0.contains("kvm") }
      #expect(machines == [], "\(process)")
      let memories = Set(descriptors.filter { $0.hasPrefix("/memfd:") })
      #expect(memories.isSubset(of: maps), "\(process): \(descriptors)")
      #expect(!hasSecret, "\(process)")
    }
    let expected = access == .inPlace ? 2 : 0
    #expect(windows == expected)
  }

  /// The files of shared memory that a process has mapped.
  private static func memoryFiles(of process: Int32) -> [String] {
    HostFiles.text("/proc/\(process)/maps").split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ", omittingEmptySubsequences: true)
      return words.count > 5 && words[1].hasSuffix("s") ? String(words[5]) : nil
    }
  }

  /// What each descriptor of a process leads to.
  private static func descriptors(of process: Int32) -> [String] {
    HostFiles.names(in: "/proc/\(process)/fd").map { name in
      var buffer = [CChar](repeating: 0, count: 512)
      // SAFETY: the buffer holds for the call and its size goes along.
      let count = unsafe readlink("/proc/\(process)/fd/\(name)", &buffer, buffer.count)
      let text = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
      return String(text.split(separator: " ").first ?? "")
    }
  }

  /// Whether bytes stand anywhere in what a process can read.
  private static func memory(of process: Int32, contains bytes: [UInt8]) -> Bool {
    // SAFETY: the path holds for the call.
    let memory = unsafe open("/proc/\(process)/mem", O_RDONLY | O_CLOEXEC)
    guard memory >= 0 else { return false }
    defer { close(memory) }
    var chunk = [UInt8](repeating: 0, count: 1 << 20)
    for line in HostFiles.text("/proc/\(process)/maps").split(separator: "\n") {
      let words = line.split(separator: " ", omittingEmptySubsequences: true)
      let ends = words[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
      guard words[1].hasPrefix("r"), ends.count == 2, ends[0] < 1 << 63 else { continue }
      var start = ends[0]
      while start < ends[1] {
        let count = min(UInt64(chunk.count), ends[1] - start)
        // SAFETY: the buffer holds for the call and has room for as much.
        let read = unsafe pread(memory, &chunk, Int(count), Int(start))
        guard read > 0 else { break }
        if Self.find(bytes, in: chunk[..<read]) { return true }
        start += UInt64(read)
      }
    }
    return false
  }

  private static func find(_ bytes: [UInt8], in memory: ArraySlice<UInt8>) -> Bool {
    var rest = memory
    while let start = rest.firstIndex(of: bytes[0]) {
      if rest[start...].starts(with: bytes) { return true }
      rest = rest[(start + 1)...]
    }
    return false
  }

  @Test("programs that are killed under load lose nothing", arguments: [Access.inPlace, .bounced])
  func killedAgainAndAgain(access: Access) async throws {
    let folder = try folder()
    let image = try DiskImage(mebibytes: 64)
    let disk = try StorageDaemon(disk: image, in: folder)
    let rounds = Self.rounds
    // The disk is written and verified all the time; the share is used anew after each loss.
    let script = """
      mkdir -p /mnt; (n=0; while [ ! -e /over ]; do n=$((n + 1)); disk-check write direct /dev/vda 8 $n && \
      disk-check verify direct /dev/vda 8 $n >/dev/null || echo failed disk $n; done; echo disk over $n) & \
      n=0; while [ $n -lt \(rounds) ]; do n=$((n + 1)); \
      until mount -t virtiofs host /mnt && echo $n >/mnt/file; do umount /mnt; sleep 0.1; done 2>/dev/null; \
      echo mounted $n; while cat /mnt/file >/dev/null 2>&1; do :; done; umount /mnt; done; : >/over; wait; \
      until mount -t virtiofs host /mnt && cat /mnt/file; do umount /mnt; sleep 0.1; done 2>/dev/null
      """
    let configuration = try machine(script, disk: disk, folder: folder, access)

    let run = try await GuestRun.boot(configuration, limit: .seconds(200 + 20 * rounds)) { _, console in
      for round in 1...rounds {
        try await console.expect("mounted \(round)\n", within: .seconds(120))
        disk.kill()
        let servers = HostProcess.children(of: getpid(), named: "virtiofsd", with: folder.path)
        for server in servers { kill(server, SIGKILL) }
        usleep(20_000)
        try disk.start()
      }
    }

    #expect(run.outcome.end == .poweredOff)
    #expect(run.console.contains("disk over"))
    #expect(!run.console.contains("failed"), "\(run.console)")
    #expect(run.console.contains("\n\(rounds)\n"))
    let faults = run.report.devices.map(\.faults)
    #expect(faults.allSatisfy { $0 == 0 })
  }

  @Test("with copies of requests no device of this process sees the guest's memory, and files are right")
  func shadows() async throws {
    let folder = try folder()
    let image = try DiskImage(mebibytes: 16)
    var configuration = try LinuxGuest.executing(
      """
      mkdir -p /mnt; mount -t virtiofs host /mnt; disk-check write direct /dev/vda 4 1; \
      disk-check verify direct /dev/vda 4 1; disk-check write plain /mnt/a 2 2; disk-check verify direct /mnt/a 2 2; \
      head -c 64 /dev/hwrng | wc -c; umount /mnt
      """
    )
    configuration.dma = .shadow
    configuration.devices = [
      .init(.block(.init(path: image.path))), .init(.entropy),
      .init(.share(.init(path: folder.path("shared"), tag: "host"))),
    ]

    let run = try await GuestRun.boot(configuration)

    #expect(run.console.ranges(of: "verified ").count == 2, "\(run.console)")
    #expect(run.console.contains("\n64\n"))
    for device in run.report.devices {
      #expect(device.window == "shadow", "\(device.name)")
      #expect(device.faults == 0, "\(device.name)")
    }
  }

  @Test("a share that is for reading cannot be written")
  func readOnly() async throws {
    let folder = try folder()
    HostFiles.write(Array("text\n".utf8), to: folder.path("shared/file"))
    var configuration = try LinuxGuest.executing(
      "mkdir -p /mnt; mount -t virtiofs host /mnt; cat /mnt/file; echo more >/mnt/file || echo refused; umount /mnt"
    )
    var share = Configuration.Device.Share(path: folder.path("shared"), tag: "host")
    share.isReadOnly = true
    configuration.devices = [.init(.share(share))]

    let run = try await GuestRun.boot(configuration)

    #expect(run.console.contains("text\nsh: can't create /mnt/file: Read-only file system\nrefused"))
    #expect(HostFiles.text(folder.path("shared/file")) == "text\n")
  }

  @Test("a guest that boots anew finds its share and its disk again")
  func reboot() async throws {
    let folder = try folder()
    let image = try DiskImage(mebibytes: 8)
    let disk = try StorageDaemon(disk: image, in: folder)
    let script = """
      mkdir -p /mnt; mount -t virtiofs host /mnt || exit 9; n=$(cat /mnt/boots 2>/dev/null || echo 0); \
      echo $((n + 1)) >/mnt/boots; sync; dd if=/dev/vda of=/dev/null bs=64k count=4 2>/dev/null && echo boot $n; \
      [ $n -ge 2 ] || reboot -f; umount /mnt
      """
    var configuration = try machine(script, disk: disk, folder: folder, .inPlace)
    configuration.devices.removeLast()

    let run = try await GuestRun.boot(configuration, limit: .seconds(200))

    for boot in 0..<3 { #expect(run.console.contains("boot \(boot)\n")) }
    #expect(run.report.boots == 3)
  }
}
