import Apus
import ApusTesting
import TestSupport
import Testing

@Suite("Linux behind an IOMMU", .requiresKVM, .ownThread)
struct IOMMUTests {
  private static let sectors = 8192

  /// A disk of 4 MiB, entropy, a console device that carries the console, and an IOMMU.
  private func machine(_ script: String, _ disk: DiskImage) throws -> Configuration {
    var configuration = try LinuxGuest.executing(script)
    configuration.devices = [
      .init(.block(.init(path: disk.path))), .init(.entropy), .init(.console(.init(carriesConsole: true, ports: []))),
      .init(.iommu),
    ]
    return configuration
  }

  @Test(
    "each device has a group of its own, and disk, entropy and console work, also with the guest's own addresses",
    arguments: ["", " iommu.passthrough=1"]
  )
  func devices(option: String) async throws {
    let disk = try DiskImage(mebibytes: 4)
    var configuration = try machine(
      """
      dmesg | grep 'Adding to iommu group'; echo virtio_rng.0 >/sys/class/misc/hw_random/rng_current; dd if=/dev/hwrng bs=64 count=1 2>/dev/null | wc -c; \
      dd if=/dev/urandom of=/tmp/a bs=64k count=64 2>/dev/null; \
      dd if=/tmp/a of=/dev/vda bs=64k oflag=direct 2>/dev/null; echo 3 >/proc/sys/vm/drop_caches; \
      dd if=/dev/vda bs=1M iflag=direct 2>/dev/null | cmp - /tmp/a && cmp /dev/vda /tmp/a && echo same
      """.split(separator: "\n").joined(),
      disk
    )
    configuration.commandLine += option

    let run = try await GuestRun.boot(configuration)

    #expect(run.lines.contains("exit status 0"), "\(run.console)")
    #expect(run.lines.contains("same"))
    #expect(run.lines.contains("64"))
    for group in 0..<3 { #expect(run.console.contains("Adding to iommu group \(group)")) }
    #expect(run.report.machine?.dma == "iommu")
    #expect(run.report.devices.map(\.window) == ["iommu", "iommu", "iommu", "default"])
    for device in run.report.devices {
      #expect(device.refusedAccesses == 0, "\(device.name)")
      #expect(device.faults == 0, "\(device.name)")
      #expect(device.bytesRead + device.bytesWritten > 64, "\(device.name)")
    }
    let iommu = try #require(run.report.devices.last?.iommu)
    #expect(iommu.requests.attaches >= 3)
    #expect(iommu.requests.refused == 0)
    #expect(iommu.faults == 0)
    let mapsOnce = iommu.requests.maps == 3
    #expect(mapsOnce == !option.isEmpty, "\(iommu)")
  }

  @Test("a device that is sent where nothing is mapped is refused, and the guest's kernel says so")
  func faults() async throws {
    let disk = try DiskImage(mebibytes: 4)
    // The entropy device's registers, by hand: a queue in RAM that nobody has mapped (virtio 1.3, 4.2.3).
    let registers: [(UInt32, UInt32)] = [
      (0x70, 0), (0x70, 1), (0x70, 3), (0x24, 1), (0x20, 3), (0x24, 0), (0x20, 0), (0x70, 11), (0x30, 0), (0x38, 8),
      (0x80, 0x4100_0000), (0x90, 0x4100_1000), (0xA0, 0x4100_2000), (0x44, 1),
    ]
    let writes = registers.map { "devmem \(0xA00_0200 + $0) 32 \($1)" }.joined(separator: "; ")
    let run = try await GuestRun.boot(
      machine(
        "echo a000200.virtio >/sys/bus/platform/drivers/virtio-mmio/unbind; \(writes); devmem \(0xA00_0270) 32; "
          + "dmesg | grep 'fault from EP'; cmp -n 4096 /dev/vda /dev/zero && echo same",
        disk
      )
    )

    #expect(run.lines.contains("exit status 0"), "\(run.console)")
    // DEVICE_NEEDS_RESET, and what the driver has set.
    #expect(run.lines.contains("0x0000004B"), "\(run.console)")
    #expect(run.console.contains("page fault from EP 1 at 0x41000000 [R]"), "\(run.console)")
    #expect(run.lines.contains("same"))
    let iommu = try #require(run.report.devices.last?.iommu)
    #expect(iommu.faults == 1)
    #expect(iommu.lostFaults == 0)
  }
}
