import Apus
import GuestABI
import GuestMemory
import SCMI
import TestSupport
import Testing

/// The page as the repository has it, found from this source file.
private let page: [Substring] = {
  let folder = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
  let text = readText(folder.joined(separator: "/") + "/Documentation/MemoryMap.md") ?? ""
  return text.split(separator: "\n")
}()

/// The rows of the table under a heading, without their frames.
private func table(_ heading: String) -> [String] {
  page.drop { $0 != "## \(heading)" }.dropFirst().prefix { !$0.hasPrefix("#") }.filter { $0.hasPrefix("| 0x") }
    .map { $0.split(separator: "|").map { $0.split(separator: " ").joined(separator: " ") }.joined(separator: ", ") }
}

/// The rows that the code would have.
private func rows(_ map: MemoryMap) -> [String] {
  map.regions.map { name, range in
    let digits = String(range.start.rawValue, radix: 16)
    let start = "0x" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
    return "\(start), 0x\(String(range.size, radix: 16)), \(name)"
  }
}

@Suite(.enabled(if: !page.isEmpty, "the repository's documentation is not on this machine"))
struct MemoryMapDocumentTests {
  @Test func thePageHasTheMapOfASmallMachineWithAGICv3() {
    #expect(table("With a GICv3 and one vCPU") == rows(MemoryMap(cpuCount: 1, memorySize: 512 << 20, gic: .v3)))
  }

  @Test func thePageHasTheMapOfALargeMachineWithAGICv3() {
    #expect(table("With a GICv3 and 512 vCPUs") == rows(MemoryMap(cpuCount: 512, memorySize: 512 << 20, gic: .v3)))
  }

  @Test func thePageHasTheMapWithAGICv2() {
    #expect(table("With a GICv2") == rows(MemoryMap(cpuCount: 1, memorySize: 512 << 20, gic: .v2)))
  }

  /// The flags of IRQ_TYPE_EDGE_RISING and IRQ_TYPE_LEVEL_HIGH, as the device tree has them.
  @Test func theDeviceTreeHasTheTriggersOfThePage() throws {
    var configuration = Configuration(kernel: "")
    configuration.devices = [.init(.entropy)]

    let interrupts = try configuration.deviceTreeSource().split(separator: "\n").filter { $0.contains("interrupts = ") }

    let triggers = interrupts.map { $0.split(separator: " ").last.map(String.init) ?? "" }
    // The timers, the performance monitors, PL011, PL031, the generation identifier, and the first virtio device.
    #expect(triggers == ["0x4>;", "0x4>;", "0x4>;", "0x4>;", "0x1>;", "0x1>;"])
  }

  @Test func thePageHasTheInterruptNumbers() {
    let expected = [
      "| shared | \(MemoryMap.SharedInterrupt.pl011) | level | PL011 |",
      "| shared | \(MemoryMap.SharedInterrupt.pl031) | level | PL031 |",
      "| shared | \(MemoryMap.SharedInterrupt.generationID) | edge | the generation identifier has changed |",
      "| shared | \(MemoryMap.SharedInterrupt.virtio) | edge | the first virtio-mmio device; the others follow |",
      "| shared | \(MemoryMap.SharedInterrupt.platformBus) | either | the first device of an SCMI platform's tree; the "
        + "others follow, \(InterruptDefinition.limit) at most |",
      "| shared | \(MemoryMap.SharedInterrupt.hypervisor) | edge | the queue to Gunyah's resource manager; the queue from "
        + "it, and others of its objects, follow, \(MemoryMap.SharedInterrupt.hypervisorCount) in all |",
      "| private | \(MemoryMap.PrivateInterrupt.performanceMonitors) | level | performance monitors |",
      "| private | \(MemoryMap.PrivateInterrupt.hypervisorTimer) | level | hypervisor timer |",
      "| private | \(MemoryMap.PrivateInterrupt.virtualTimer) | level | virtual timer |",
      "| private | \(MemoryMap.PrivateInterrupt.securePhysicalTimer) | level | secure physical timer |",
      "| private | \(MemoryMap.PrivateInterrupt.physicalTimer) | level | physical timer |",
    ]

    #expect(page.filter { $0.hasPrefix("| shared") || $0.hasPrefix("| private") }.map(String.init) == expected)
    let counts = [16, 17].map { MemoryMap.interruptCount(virtioDeviceCount: $0) }
    #expect(page.contains { $0.contains("The controller has \(counts[0]) interrupts, \(counts[1]) with more than 16") })
    #expect(page.contains { $0.contains("\(MemoryMap.virtioDeviceLimit) places of 0x200 bytes") })
    #expect(page.contains { $0.contains("\(MemoryMap.lowRedistributorCount) of them fit below the PL011") })
  }
}
