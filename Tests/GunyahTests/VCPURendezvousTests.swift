import Gunyah
import Testing

@Suite("vcpu_run")
struct VCPURendezvousTests {
  private typealias Turn = VCPURendezvous.Turn
  private let nothing = Turn(state: .expectsWakeup, data: .zero)

  @Test("a vCPU that has posted nothing expects to be woken")
  func nothingPosted() {
    var rendezvous = VCPURendezvous(isOn: true)

    #expect(rendezvous.run(resume: 5) == nothing)
    #expect(rendezvous.run(resume: 5) == nothing)
  }

  @Test("a read is told by one run and answered by the next, whose x2 it gets")
  func readIsAnswered() {
    var rendezvous = VCPURendezvous(isOn: true)
    rendezvous.post(.read(address: 0x900_0000, size: 4))

    #expect(!rendezvous.isRunning)
    #expect(rendezvous.run(resume: 1) == Turn(state: .addressSpaceRead, data: [0x900_0000, 4, 0]))
    #expect(!rendezvous.isRunning)
    #expect(rendezvous.run(resume: 0xAB) == Turn(state: .expectsWakeup, data: .zero, answer: .value(0xAB)))
    #expect(rendezvous.isRunning)
    #expect(rendezvous.run(resume: 2) == nothing)
  }

  @Test("a write is told with its value, and done at the next run")
  func writeIsAnswered() {
    var rendezvous = VCPURendezvous(isOn: true)
    rendezvous.post(.write(address: 0x900_0000, size: 1, value: 65))

    #expect(rendezvous.run(resume: 1) == Turn(state: .addressSpaceWrite, data: [0x900_0000, 1, 65]))
    #expect(rendezvous.run(resume: 7) == Turn(state: .expectsWakeup, data: .zero, answer: .written))
  }

  @Test("a vCPU that is off stays so until it is turned on")
  func offUntilOn() {
    var rendezvous = VCPURendezvous(isOn: false)

    #expect(rendezvous.run(resume: 0) == Turn(state: .poweredOff, data: .zero))
    #expect(rendezvous.powerOn() == true)
    #expect(rendezvous.powerOn() == false)
    #expect(rendezvous.run(resume: 0) == nothing)

    rendezvous.post(.poweredOff(isGone: false))
    #expect(rendezvous.run(resume: 0) == Turn(state: .poweredOff, data: .zero))
  }

  @Test("a machine that ends takes an access along that waits for its answer, and is never back")
  func goneForGood() {
    var rendezvous = VCPURendezvous(isOn: true)
    rendezvous.post(.read(address: 0, size: 8))
    _ = rendezvous.run(resume: 0)

    rendezvous.post(.poweredOff(isGone: true))
    rendezvous.post(.fault)

    let gone = Turn(state: .poweredOff, data: [1, 0, 0])
    #expect(rendezvous.run(resume: 9) == gone)
    #expect(rendezvous.powerOn() == false)
    #expect(rendezvous.run(resume: 9) == gone)
  }

  @Test("a vCPU that can't go on says so each time")
  func faultStays() {
    var rendezvous = VCPURendezvous(isOn: true)

    rendezvous.post(.fault)

    #expect(rendezvous.run(resume: 0) == Turn(state: .fault, data: .zero))
    #expect(rendezvous.run(resume: 0) == Turn(state: .fault, data: .zero))
    #expect(rendezvous.powerOn() == false)
  }
}
