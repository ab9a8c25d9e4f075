import Apus
import ApusTesting
import GuestSupport
import TestSupport
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

  private static let cpus = [1, 2, 4, 8]
  private static let sizes: [UInt64] = [128, 512, 3072]

  /// All machines for the interrupt controllers that this host has: the others' half of the matrix runs on a host with
  /// those.
  static let allRows: [Row] = KVMHost.interruptControllers.flatMap { gic in
    cpus.flatMap { cpus in
      sizes.flatMap { size in
        [false, true].map { Row(gic: gic, cpus: cpus, mebibytes: size, isCompressed: $0) }
      }
    }
  }

  /// Where effort is to be brief, those of the half in which each pair of values still comes together.
  static let rows: [Row] =
    Effort.isBrief
    ? allRows.filter { row in
      let places = (cpus.firstIndex(of: row.cpus) ?? 0) + (sizes.firstIndex(of: row.mebibytes) ?? 0)
      return row.isCompressed == (places % 2 == 0)
    } : allRows

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
    #expect(run.report.machine?.gic == (row.gic == .v2 ? 2 : 3))
    #expect(run.lines.contains("\(row.cpus)"))
    let memory = try #require(run.lines.first { $0.hasPrefix("MemTotal:") }, "\(run.lines)")
    // The kernel keeps some of it for itself.
    let usable = try #require(memory.split(separator: " ").dropFirst().first.flatMap { UInt64($0) }) >> 10
    #expect(row.mebibytes * 7 / 8 - 32..<row.mebibytes ~= usable)
    #expect(run.lines.contains("linux,kvm"))
    #expect(run.lines.contains("matrix"))
    // Drawn when the machine was made.
    let uuid = try #require(run.report.machine?.uuid)
    #expect(run.lines.contains { $0 == uuid })
  }

  @Test("each two values of the matrix come together, with each interrupt controller of the host")
  func matrixIsNotEmpty() {
    let controllers = KVMHost.interruptControllers
    let pairs = controllers.flatMap { gic in
      let rows = Self.rows.filter { $0.gic == gic }
      return [
        Set(rows.map { "\($0.cpus) \($0.mebibytes)" }).count, Set(rows.map { "\($0.cpus) \($0.isCompressed)" }).count,
        Set(rows.map { "\($0.mebibytes) \($0.isCompressed)" }).count,
      ]
    }
    #expect(!controllers.isEmpty)
    #expect(Self.allRows.count == 24 * controllers.count)
    #expect(pairs == controllers.flatMap { _ in [12, 8, 6] })
  }
}
