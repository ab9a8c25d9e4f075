import Apus
import ApusTesting
import Glibc
import TestLimits
import TestSupport
import Testing

@Suite("All devices at once", .requiresKVM, .ownThread)
struct DeviceLoadTests {
  /// How much is written to the disk, in MiB: `APUS_LOAD_SIZE`, or what a run of all tests has time for.
  private static var size: Int { Variable.number("APUS_LOAD_SIZE", or: 16) }

  private static let download: [UInt8] = (0..<8 << 20).map { UInt8(truncatingIfNeeded: $0 &* 0x9E37_79B1 >> 13) }

  @Test(
    "ext4, downloads, a flooded port and entropy share a window under four vCPUs, and no device leaves it",
    .requiresUserNamespaces
  )
  func confined() async throws {
    let run = try await load([], cpus: 4, size: Self.size, download: Self.download)

    print(run.lines.filter { $0.hasPrefix("pool") }.joined(separator: "\n"))
    let pools = run.lines.filter { $0.hasPrefix("pool /sys/kernel/debug/dma-default@") }
    let highest = pools.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.max() ?? 0
    #expect(highest > 0)
    for device in run.report.devices { #expect(device.window == "default", "\(device.name)") }
  }

  @Test(
    "the same behind an IOMMU: each device reaches what is mapped for it, and none is refused anything",
    .requiresUserNamespaces
  )
  func translated() async throws {
    // Each buffer is two requests more.
    let download = Array(Self.download.prefix(1 << 20))
    let run = try await load([.init(.iommu)], cpus: 4, size: max(4, Self.size / 4), download: download)

    for device in run.report.devices { #expect(device.window == (device.iommu == nil ? "iommu" : "default")) }
    let iommu = try #require(run.report.devices.last?.iommu)
    #expect(iommu.requests.attaches == 5)
    #expect(iommu.requests.maps > 1000)
    #expect(iommu.requests.refused == 0)
    #expect(iommu.faults == 0)
  }

  /// Runs the load and checks what came of it.
  ///
  /// - Parameters:
  ///   - further: devices beside those that work.
  ///   - cpus: how many vCPUs.
  ///   - size: how much is written to the disk, in MiB.
  ///   - download: what comes by the network, twice.
  private func load(
    _ further: [Configuration.Device],
    cpus: Int,
    size: Int,
    download: [UInt8]
  ) async throws -> GuestRun {
    let lines = size * 2000
    let disk = try DiskImage(mebibytes: size + size / 2 + 64, fileSystem: "ext4")
    let source = HostSocket.listening()
    // Connections begin before the load: a guest that takes a second to answer passt's SYN gets the data of the second
    // one at the wrong place, as passt's own capture shows.
    //
    // A quarter each by direct I/O, by a mapping and through the page cache, all at the same time as the rest. What was
    // written is read anew after the page cache has been emptied, each file also in another way than it was written.
    let script = """
      mount -t ext4 /dev/vda /mnt && cd /mnt || exit 9
      ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2
      for n in /sys/class/virtio-ports/*/name; do p=${n%/name}; ln -s /dev/${p##*/} /dev/$(cat $n); done
      echo virtio_rng.0 >/sys/class/misc/hw_random/rng_current
      F() { echo failed $1; exit 7; }
      Q=\(size / 4)
      mkfifo /idle; exec 9<>/idle
      for i in 1 2; do nc 10.0.2.2 \(source.port) <&9 >d$i & done
      until [ $(netstat -tn | grep -c ESTABLISHED) -eq 2 ]; do sleep 0.05; done
      echo loading
      (disk-check write direct a $Q 1 && disk-check verify direct a $Q 1 || F direct) &
      (disk-check write map b $Q 2 && disk-check verify map b $Q 2 || F map) &
      (disk-check write plain c $Q 3 && disk-check verify plain c $Q 3 || F plain) &
      (seq 1 \(lines) >/dev/flood || F flood) &
      (for i in 1 2; do dd if=/dev/hwrng of=h$i bs=4096 count=1 2>/dev/null; done; cmp -s h1 h2 && F entropy) &
      wait
      [ $(wc -c <d1) -eq \(download.count) ] && cmp d1 d2 && echo downloaded || F download
      sync; cd /; umount /mnt && mount -t ext4 /dev/vda /mnt && cd /mnt || F mount
      echo 3 >/proc/sys/vm/drop_caches
      disk-check verify map a $Q 1 && disk-check verify direct b $Q 2 && disk-check verify direct c $Q 3 || F again
      cd /; umount /mnt
      for p in /sys/kernel/debug/*/io_tlb_used_hiwater /sys/kernel/debug/swiotlb/*/io_tlb_used_hiwater; do
        [ ! -e $p ] || echo pool ${p%/*} $(cat $p)
      done
      exit 0
      """
    // The script is a disk, too: longer than a kernel's command line may be.
    let scriptDisk = try DiskImage(script: script)
    var configuration = try LinuxGuest.executing("sh /dev/vdb")
    configuration.cpuCount = cpus
    configuration.memorySize = 256 << 20
    var block = Configuration.Device.Block(path: disk.path)
    block.queueCount = 4
    var scriptBlock = Configuration.Device.Block(path: scriptDisk.path)
    scriptBlock.isReadOnly = true
    let flood = Configuration.Port("flood", .file(path: disk.path + ".flood"))
    configuration.devices = [
      .init(.block(block)), .init(.block(scriptBlock)),
      .init(.network(.init(.passt(forwards: [], hostLoopback: true)))),
      .init(.console(.init(carriesConsole: false, ports: [flood]))), .init(.entropy),
    ]
    configuration.devices += further

    let run = try await GuestRun.boot(configuration, limit: .seconds(240 + 5 * size)) { _, console in
      let limit = TestLimit(.seconds(240 + 5 * size))
      let first = try await source.accepted(until: limit)
      let second = try await source.accepted(until: limit)
      try await console.expect("loading\n", within: .seconds(120))
      try await first.send(download, until: limit)
      try await second.send(download, until: limit)
    }

    // Those that run at the same time share lines.
    let verified = run.console.ranges(of: "verified ").count
    #expect(run.outcome.guestStatus == 0)
    #expect(!run.console.contains("failed "))
    #expect(verified == 6)
    #expect(run.console.contains("downloaded"))
    for device in run.report.devices {
      print(device)
      #expect(device.refusedAccesses == 0, "\(device.name)")
      #expect(device.faults == 0, "\(device.name)")
      let hasWorked = device.bytesRead + device.bytesWritten > 1000
      #expect(hasWorked, "\(device.name)")
    }
    let flooded = try #require(disk.size(of: ".flood"))
    let expected = (1...lines).reduce(0) { $0 + String($1).utf8.count + 1 }
    #expect(flooded == expected)
    return run
  }
}
