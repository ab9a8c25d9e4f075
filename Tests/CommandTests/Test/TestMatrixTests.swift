import ArgumentParser
import Testing

@testable import ApusCommand

@Suite struct TestMatrixTests {
  private func message(_ text: String) -> String {
    do {
      _ = try TestMatrix.machines(text)
      return "none"
    } catch {
      return (error as? ValidationError)?.message ?? "\(error)"
    }
  }

  @Test func everyCombinationIsAMachineAndTheLastOptionChangesFirst() throws {
    let machines = try TestMatrix.machines("cpus=1,4;gic=2,3")

    let names = machines.map { $0.map { "\($0.option)=\($0.value)" }.joined(separator: ",") }
    #expect(names == ["cpus=1,gic=2", "cpus=1,gic=3", "cpus=4,gic=2", "cpus=4,gic=3"])
  }

  @Test func withoutAMatrixThereIsOneMachineAsItIs() throws {
    let machines = try TestMatrix.machines(nil)

    #expect(machines.count == 1)
    #expect(machines.first?.isEmpty == true)
  }

  @Test(
    arguments: [
      ("", "'' is none"), ("cpus", "'cpus' is none"), ("=1", "'=1' is none"), ("cpus=", "each value once"),
      ("cpus=1,", "each value once"), ("cpus=1,1", "each value once"), ("cpus=1;cpus=2", "'cpus' is there twice"),
      ("disk=1", "cpus, gic, memory"), ("cpus=x", "cpus=x"), ("gic=4", "gic=4"), ("cpus=1;;gic=2", "'' is none"),
    ]
  )
  func whatIsNoMatrixIsToldWithWhatWouldBe(text: String, words: String) {
    let message = message(text)

    #expect(message.contains(words), "\(message)")
    #expect(message.hasPrefix("--matrix: "))
  }

  @Test func moreMachinesThanAreRunAtOnceAreRefusedBeforeTheyAreMade() {
    let hundred = (1...100).map(String.init).joined(separator: ",")
    let thousands = (1...4096).map(String.init).joined(separator: ",")
    let overflowing = ["append", "initrd", "kernel"].map { "\($0)=\(thousands)" }.joined(separator: ";")

    #expect(message("cpus=\(hundred);append=\(hundred)").contains("these are 10000 machines; at most 1000"))
    #expect(message(overflowing).contains("at most 1000"))
  }
}
