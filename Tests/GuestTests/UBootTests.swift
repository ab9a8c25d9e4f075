import Apus
import ApusTesting
import GuestSupport
import TestSupport
import Testing

/// Real firmware of another project, driven over its console: it looks for its device tree at the start of RAM, for its
/// environment in flash memory that the machine does not have, and its virtio driver leaves ACKNOWLEDGE out.
@Suite("Debian's U-Boot for QEMU's board", .requiresKVM, .ownThread)
struct UBootTests {
  /// Each reads half a million bytes of flash memory that is not there, an exit each, which the emulated host takes
  /// half a minute for.
  private static let suites = Effort.isBrief ? ["trixie"] : ["bookworm", "trixie"]

  /// A disk of 65 sectors: a partition table, then a FAT12 file system with one file.
  private static func disk(file: String) -> [UInt8] {
    let sectors: UInt16 = 64
    func word(_ value: UInt16) -> [UInt8] { [UInt8(value & 0xFF), UInt8(value >> 8)] }
    var bytes = [UInt8](repeating: 0, count: 512 * Int(1 + sectors))
    func put(_ part: [UInt8], at offset: Int) { bytes.replaceSubrange(offset..<offset + part.count, with: part) }
    func put(_ text: String, at offset: Int) { put(Array(text.utf8), at: offset) }
    let signature: [UInt8] = [0x55, 0xAA]
    // The partition: no CHS addresses, FAT12, from sector 1.
    put([0, 0, 2, 0, 1, 0, 0x41, 0, 1, 0, 0, 0], at: 446)
    put(word(sectors), at: 446 + 12)
    put(signature, at: 510)
    // Its parameters: sectors of 512 bytes, clusters of one, one reserved, one table, 16 entries in the root folder.
    let parameters = 512
    put([0xEB, 0x3C, 0x90], at: parameters)
    put("APUS    ", at: parameters + 3)
    put([0, 2, 1, 1, 0, 1, 16, 0], at: parameters + 11)
    put(word(sectors), at: parameters + 19)
    put([0xF8, 1, 0, 32, 0, 2, 0, 1, 0, 0, 0], at: parameters + 21)
    put([0x80, 0, 0x29, 0x34, 0x12, 0, 0], at: parameters + 36)
    put("APUS       FAT12   ", at: parameters + 43)
    put(signature, at: parameters + 510)
    // The table: cluster 2 ends the file. The root folder: the file. Cluster 2: what is in it.
    put([0xF8, 0xFF, 0xFF, 0xFF, 0x0F], at: 1024)
    let entry = 1536
    put("HELLO   TXT ", at: entry)
    put(word(2), at: entry + 26)
    put(word(UInt16(file.utf8.count)), at: entry + 28)
    put(file, at: 2048)
    return bytes
  }

  @Test("it finds tree and disk, reads a file and writes a sector", arguments: suites)
  func readsAndWritesADisk(suite: String) async throws {
    let folder = try TemporaryFolder()
    let image = try folder.write("disk.img", Self.disk(file: "read by U-Boot through virtio\n"))
    var configuration = Configuration(payload: .raw(path: try GuestFile.uBoot(suite)))
    configuration.name = "board"
    configuration.memorySize = 128 << 20
    configuration.dma = .open
    configuration.unmapped = .zero
    configuration.devices = [.init(.block(.init(path: image)))]

    let run = try await GuestRun.boot(configuration, limit: .seconds(300)) { _, console in
      try await console.expect("Hit any key to stop autoboot", within: .seconds(240))
      console.send(" ")
      try await console.expect("=> ")
      // Not before the next prompt: a command that prints looks for Ctrl-C meanwhile, and eats what was typed.
      func enter(_ command: String, _ answer: String) async throws {
        console.send(command + "\r")
        try await console.expect(answer)
        try await console.expect("=> ")
      }
      try await enter("fdt addr $fdtcontroladdr; fdt print /hypervisor/apus vm-name", "vm-name = \"board\"")
      try await enter("virtio scan; virtio info", "Type: Hard Disk")
      try await enter("part list virtio 0", "Partition Map for virtio device 0")
      try await enter("ls virtio 0:1", "30   HELLO.TXT")
      try await enter("load virtio 0:1 0x41000000 HELLO.TXT; md.b 0x41000000 10", "read by U-Boot t")
      try await enter("mw.b 0x42000000 5a 200; virtio write 0x42000000 30 1", "1 blocks written: OK")
      console.send("poweroff\r")
    }

    #expect(run.outcome.end == .poweredOff)
    let disk = try #require(run.report.devices.first)
    #expect(disk.faults == 1 && disk.refusedAccesses == 0)
    #expect(run.report.exits.unmappedReads > 0)
    let sector = try #require(folder.read("disk.img"))[(0x30 * 512)..<(0x31 * 512)]
    #expect(sector.allSatisfy { $0 == 0x5A })
  }
}
