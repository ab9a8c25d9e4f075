import GuestABI
import GuestMemory
import Logging
import TestSupport
import Testing

@testable import Apus

@Suite struct EarlyVectorsTests {
  private static let start = MemoryMap.earlyVectors.start.rawValue

  private static func syndrome(_ exceptionClass: UInt64, _ status: UInt64 = 0) -> UInt64 {
    exceptionClass << 26 | 1 << 25 | status
  }

  @Test(
    arguments: [
      (syndrome(0x00), "executes an undefined instruction at 0x40080000"),
      (syndrome(0x07), "uses floating-point or SIMD registers at 0x40080000, which CPACR_EL1 does not let it"),
      (syndrome(0x15), "calls a supervisor (SVC) before 0x40080000"),
      (syndrome(0x18), "accesses a system register at 0x40080000 that it may not"),
      (syndrome(0x21, 0x10), "executes at 0xdead000, where there is no memory"),
      (syndrome(0x21, 0x06), "executes at 0xdead000, which its page tables do not map"),
      (syndrome(0x25, 0x21), "accesses 0xdead000 by the instruction at 0x40080000, which is not aligned"),
      (
        syndrome(0x25, 0x0F), "accesses 0xdead000 by the instruction at 0x40080000, which its page tables do not let it"
      ),
      (syndrome(0x22), "jumps to 0xdead000, which is no multiple of 4"),
      (syndrome(0x3F), "takes an exception of class 0x3f at 0x40080000"),
    ]
  )
  func anExceptionIsToldByItsSyndrome(syndrome: UInt64, words: String) {
    let reason = EarlyVectors.reason(
      counter: Self.start + 0x200,
      link: 0x4008_0000,
      syndrome: syndrome,
      fault: 0xDEAD_000
    )

    #expect(reason == words + ", and has set no exception vectors (VBAR_EL1)")
  }

  @Test(arguments: [(0x280, "takes an interrupt"), (0x300, "takes a fast interrupt"), (0x380, "takes an SError")])
  func anInterruptIsToldByItsVector(offset: UInt64, words: String) {
    let reason = EarlyVectors.reason(counter: Self.start + offset, link: 0x4008_0000, syndrome: 0, fault: 0)

    #expect(reason?.hasPrefix("\(words) at 0x40080000") == true)
  }

  @Test(arguments: [0x4008_0000, start - 8, start + 4, start + 0x204, start + 0x800])
  func aReadFromElsewhereIsNoException(counter: UInt64) {
    #expect(EarlyVectors.reason(counter: counter, link: 0, syndrome: 0, fault: 0) == nil)
  }

  @Test func nothingOfTheMachineIsWhereTheVectorsReadNorTheyThemselves() {
    for gic in [GICVersion.v2, .v3] {
      let map = MemoryMap(cpuCount: 8, memorySize: 4 << 30, gic: gic)
      let others = map.regions.filter { $0.name != "early vectors" }

      #expect(!others.contains { $0.range.overlaps(MemoryMap.earlyVectors) })
      #expect(!map.regions.contains { $0.range.contains(GuestAddress(EarlyVectors.trap), count: 4) })
    }
  }
}

@Suite struct UnmappedAccessesTests {
  @Test func withZeroTheGuestGoesOnAndTheFirstAccessAloneIsTold() {
    let recorder = LogRecorder(from: .notice)
    let accesses = UnmappedAccesses(.zero, logger: recorder.logger)

    let wasTold = accesses.isTold
    for cpu in 0..<1000 { accesses.tell(cpu: cpu, "reads 4 bytes at 0x\(cpu)") }

    #expect(accesses.passes)
    #expect(!wasTold)
    #expect(accesses.isTold)
    #expect(
      recorder.messages == [
        "vCPU 0 reads 4 bytes at 0x0: such reads give 0 and such writes are dropped, and the report counts them"
      ]
    )
  }

  @Test func withFaultTheGuestDoesNotGoOn() {
    let recorder = LogRecorder(from: .notice)
    let accesses = UnmappedAccesses(.fault, logger: recorder.logger)

    #expect(!accesses.passes)
    #expect(recorder.messages.isEmpty)
  }
}
