import Gunyah
import Testing

@Suite("Numbers of calls")
struct HypercallTests {
  @Test("statement 1: a hypercall's number names it, with the hint of SVE and without", arguments: Hypercall.allCases)
  func numberNamesCall(call: Hypercall) {
    let number = UInt64(CallNumber.firstHypercall) + UInt64(call.rawValue)

    #expect(CallNumber(x0: number) == .hypercall(call))
    #expect(CallNumber(x0: number | UInt64(CallNumber.noSVEStateHint)) == .hypercall(call))
    #expect(CallNumber(x0: number | 0xDEAD_0000_0000_0000) == .hypercall(call))
  }

  @Test(
    "statement 1: what is no call of Gunyah's is nothing",
    arguments: [
      0xC600_801E, 0x8600_8000, 0xC600_FF01, 0xC602_8000, 0x8600_FF00, 0x8600_FF02, 0x8600_3F01, 0x8400_0000, 0,
    ]
  )
  func unknownNumberIsNothing(number: UInt64) {
    #expect(CallNumber(x0: number) == nil)
  }

  @Test("statement 1: the services' UID and revision have their numbers")
  func servicesAreKnown() {
    #expect(CallNumber(x0: 0x8600_FF01) == .serviceUID)
    #expect(CallNumber(x0: 0x8600_FF03) == .serviceRevision)
  }

  @Test("statement 1: identify says version 1 of Gunyah, with queues, doorbells, memory and vCPUs")
  func identification() {
    #expect(Identification.apiInfo == 0x4800_0000_0000_8001)
    #expect(Identification.features == 0x866)
  }
}
