/// Where a vCPU that runs by itself meets who believes to run it: the calls of `vcpu_run` for one vCPU.
///
/// The vCPU's own thread posts what it can't go on without (``post(_:)``); whoever runs it hears of that at the next
/// ``run(resume:)``, and answers by the one after. Neither waits here: where nothing is posted, a run says that the
/// vCPU expects to be woken, and whoever runs it waits for the vCPU's interrupt, which each post raises.
///
/// Gunyah Hypervisor API, "Run a Proxy-Scheduled VCPU Thread". One thread at a time: whoever shares it holds a lock.
public struct VCPURendezvous: Equatable, Sendable {
  /// What stops a vCPU until somebody answers, or for good.
  public enum Event: Equatable, Sendable {
    /// It reads where there is no memory: at a physical address of its guest, so many bytes.
    case read(address: UInt64, size: UInt64)
    /// It writes where there is no memory: at a physical address of its guest, so many bytes of `value`.
    case write(address: UInt64, size: UInt64, value: UInt64)
    /// It is off. ``VCPURendezvous/powerOn()`` ends that, unless its machine is gone.
    case poweredOff(isGone: Bool)
    /// It can't go on.
    case fault
  }

  /// What a vCPU does, by the numbers that a caller gets in x1.
  public enum State: UInt64, Sendable, CaseIterable {
    /// It would go on if it were run.
    case ready = 0
    /// Its interrupt says when there is something to do.
    case expectsWakeup = 1
    /// It does nothing until another vCPU turns it on, or never again: bit 0 of x2.
    case poweredOff = 2
    /// It waits for something inside the hypervisor.
    case blocked = 3
    /// It reads: the address, the size.
    case addressSpaceRead = 4
    /// It writes: the address, the size, the value.
    case addressSpaceWrite = 5
    /// It can't go on.
    case fault = 6
  }

  /// What a run comes to: what x1 to x4 are, and what the vCPU hears.
  public struct Turn: Equatable, Sendable {
    /// What is in x1.
    public var state: State
    /// x2 to x4, whose meaning the state says.
    public var data: SIMD3<UInt64>
    /// The vCPU's own thread has to hear this now.
    public var answer: Answer?

    public init(state: State, data: SIMD3<UInt64>, answer: Answer? = nil) {
      self.state = state
      self.data = data
      self.answer = answer
    }
  }

  /// How a vCPU goes on that has stopped.
  public enum Answer: Equatable, Sendable {
    /// By taking the value that its read has, of which as many bytes count as it reads.
    case value(UInt64)
    /// Its write is done.
    case written
  }

  private enum Phase: Equatable, Sendable {
    case running
    /// Nobody has heard of the event yet.
    case posted(Event)
    /// The next run answers the event.
    case told(Event)
  }

  private var phase: Phase

  /// - Parameter isOn: whether the vCPU runs; ``powerOn()`` makes the others run.
  public init(isOn: Bool) {
    phase = isOn ? .running : .told(.poweredOff(isGone: false))
  }

  /// Whether the vCPU runs: nothing was posted that isn't answered.
  public var isRunning: Bool { phase == .running }

  /// Stops the vCPU by `event`. Its interrupt has to be raised.
  ///
  /// A machine may end while an access waits for its answer, which nobody gives then; an access is posted by a vCPU
  /// that runs alone.
  public mutating func post(_ event: Event) {
    switch event {
    case .read, .write: precondition(isRunning, "a vCPU that waits for an answer can't stop once more")
    case .poweredOff, .fault: break
    }
    switch phase {
    case .posted(.poweredOff(isGone: true)), .told(.poweredOff(isGone: true)): return
    default: break
    }
    phase = .posted(event)
  }

  /// Has a vCPU run that was off. Its interrupt has to be raised.
  ///
  /// - Returns: whether it was off, and its machine is there.
  public mutating func powerOn() -> Bool {
    switch phase {
    case .posted(.poweredOff(isGone: false)), .told(.poweredOff(isGone: false)):
      phase = .running
      return true
    default: return false
    }
  }

  /// Answers what the last run told, if it waits for an answer, and tells what the vCPU does now.
  ///
  /// - Parameter resume: x2 of the call: what a read gives.
  public mutating func run(resume: UInt64) -> Turn {
    switch phase {
    case .running: return Turn(state: .expectsWakeup, data: .zero)
    case .posted(let event):
      phase = .told(event)
      return Self.turn(event)
    case .told(.read):
      phase = .running
      return Turn(state: .expectsWakeup, data: .zero, answer: .value(resume))
    case .told(.write):
      phase = .running
      return Turn(state: .expectsWakeup, data: .zero, answer: .written)
    case .told(let event): return Self.turn(event)
    }
  }

  private static func turn(_ event: Event) -> Turn {
    switch event {
    case .read(let address, let size):
      Turn(state: .addressSpaceRead, data: SIMD3(address, size, 0))
    case .write(let address, let size, let value):
      Turn(state: .addressSpaceWrite, data: SIMD3(address, size, value))
    // Bit 0: it has exited, and never comes back.
    case .poweredOff(let isGone): Turn(state: .poweredOff, data: SIMD3(isGone ? 1 : 0, 0, 0))
    case .fault: Turn(state: .fault, data: .zero)
    }
  }
}
