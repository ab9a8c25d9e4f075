internal import Gunyah

/// A vCPU and who runs it, taking turns as the input has it: each access is told once at least, and answered once.
struct ExerciseRendezvous {
  private var rendezvous: VCPURendezvous
  /// What the vCPU has stopped by.
  private var event: VCPURendezvous.Event?
  private var wasTold = false

  init(isOn: Bool) {
    rendezvous = VCPURendezvous(isOn: isOn)
    event = isOn ? nil : .poweredOff(isGone: false)
    wasTold = !isOn
  }

  mutating func step(_ operation: UInt8, _ input: inout InputBytes) {
    switch operation % 8 {
    case 0...3: run(resume: input.word())
    case 4: postAccess(.read(address: input.word(), size: UInt64(input.byte())))
    case 5: postAccess(.write(address: input.word(), size: UInt64(input.byte()), value: input.word()))
    case 6: postEnd([.poweredOff(isGone: false), .fault, .poweredOff(isGone: true)][Int(input.byte()) / 120])
    default:
      let isOff = event == .poweredOff(isGone: false)
      precondition(rendezvous.powerOn() == isOff, "what is off can be turned on")
      if isOff { event = nil }
    }
    precondition(rendezvous.isRunning == (event == nil), "a vCPU runs that has nothing to be answered")
  }

  private mutating func postAccess(_ access: VCPURendezvous.Event) {
    guard event == nil else { return }
    rendezvous.post(access)
    (event, wasTold) = (access, false)
  }

  private mutating func postEnd(_ end: VCPURendezvous.Event) {
    rendezvous.post(end)
    if event != .poweredOff(isGone: true) { (event, wasTold) = (end, false) }
  }

  private mutating func run(resume: UInt64) {
    let turn = rendezvous.run(resume: resume)
    let wakeup = VCPURendezvous.State.expectsWakeup
    switch event {
    case nil: precondition(turn == .init(state: wakeup, data: .zero), "a vCPU that runs expects to be woken")
    case .read where wasTold:
      precondition(turn == .init(state: wakeup, data: .zero, answer: .value(resume)), "a read's answer")
      event = nil
    case .write where wasTold:
      precondition(turn == .init(state: wakeup, data: .zero, answer: .written), "a write's answer")
      event = nil
    case .read(let address, let size):
      precondition(turn == .init(state: .addressSpaceRead, data: [address, size, 0]), "a read is told")
    case .write(let address, let size, let value):
      precondition(turn == .init(state: .addressSpaceWrite, data: [address, size, value]), "a write is told")
    case .poweredOff(let isGone):
      precondition(turn == .init(state: .poweredOff, data: [isGone ? 1 : 0, 0, 0]), "a vCPU that is off")
    case .fault: precondition(turn == .init(state: .fault, data: .zero), "a vCPU that can't go on")
    }
    wasTold = true
  }
}
