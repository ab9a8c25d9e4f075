import Apus
import ApusTesting
import Testing

@Suite("Linux boots", .requiresKVM, .ownThread)
struct BootMatrixTests {
  /// One machine of the matrix.
  struct Row: CustomTestStringConvertible {
    let gic: Configuration.GIC
    let cpus: Int
    let mebibytes: UInt64
    let isCompressed: Bool

    var testDescription: String {
      "GICv\(gic.rawValue), \(cpus) vCPUs, \(mebibytes) MiB, \(isCompressed ? "Image.gz" : "Image")"
    }
  }

  /// All machines for the interrupt controllers that this host has: the others' half of the matrix runs on a host with
  /// those.
  static let rows: [Row] = KVMHost.interruptControllers.flatMap { gic in
    [1, 2, 4, 8].flatMap { cpus in
      [128, 512, 3072].flatMap { size in
        [false, true].map { Row(gic: gic, cpus: cpus, mebibytes: size, isCompressed: $0) }
      }
    }
  }

  @Test("with the vCPUs, memory and hypervisor node that were asked for", arguments: rows)
  func boots(row: Row) async throws {
    let kernel = try row.isCompressed ? GuestFile.compressedLinux() : GuestFile.linux()
    var configuration = try LinuxGuest.executing(
      "nproc; grep MemTotal /proc/meminfo; cd /proc/device-tree/hypervisor; "
        + "cat compatible apus/vm-name apus/vm-uuid | tr '\\000' '\\n'"
    )
    configuration.payload = .kernel(path: kernel)
    configuration.gic = row.gic
    configuration.cpuCount = row.cpus
    configuration.memorySize = row.mebibytes << 20
    configuration.name = "matrix"

    let run = try await GuestRun.boot(configuration)

    #expect(run.outcome.end == .poweredOff)
    #expect(run.report.machine?.gic == Int(row.gic.rawValue))
    #expect(run.lines.contains("\(row.cpus)"))
    let memory = try #require(run.lines.first { $0.hasPrefix("MemTotal:") }, "\(run.lines)")
    // The kernel keeps some of it for itself.
    let usable = try #require(memory.split(separator: " ").dropFirst().first.flatMap { UInt64($0) }) >> 10
    #expect(row.mebibytes * 7 / 8 - 32..<row.mebibytes ~= usable)
    #expect(run.lines.contains("linux,kvm"))
    #expect(run.lines.contains("matrix"))
    #expect(run.lines.contains("\(configuration.uuid)"))
  }

  @Test("with no interrupt controllers at all, this suite would have tested nothing")
  func matrixIsNotEmpty() {
    #expect(Self.rows.count == 24 * KVMHost.interruptControllers.count)
    #expect(!KVMHost.interruptControllers.isEmpty)
  }
}
