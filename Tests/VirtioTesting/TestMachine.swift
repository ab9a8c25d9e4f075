public import GuestMemory
internal import Synchronization
public import Virtio
public import VirtioDriver
public import VirtioMMIO

/// A machine with one device, without KVM: what the device thread would do happens at once, on the caller's thread.
public final class TestMachine: WindowMachine, @unchecked Sendable {
  // SAFETY: @unchecked: used on one thread.

  public let transport: MMIOTransport
  public let line = CountingLine()
  public let observer = FaultRecorder()
  public let discards = DiscardRecorder()
  public let thread: any DeviceThread
  public let space: DMASpace
  private let window: KeptWindow

  /// - Parameters:
  ///   - device: not attached yet.
  ///   - windowSize: in bytes; a multiple of 64 KiB.
  ///   - isConfined: else the window is open.
  ///   - translation: what stands between the device and the window; without one it sees the window as it is.
  public init(
    _ device: any VirtioDevice,
    windowSize: UInt64 = 0x10_0000,
    isConfined: Bool = true,
    translation: (any DMATranslation)? = nil,
    thread: any DeviceThread = ImmediateThread(),
    descriptors: [QueueDescriptors] = []
  ) throws(GuestMemoryError) {
    let range = GuestRange(at: 0x5000_0000, size: windowSize)
    window = try KeptWindow(range: range, isConfined: isConfined)
    space = window.makeSpace()
    self.thread = thread
    transport = MMIOTransport(
      device: device,
      space: window.makeSpace(behind: translation),
      line: line,
      thread: thread,
      descriptors: descriptors,
      observer: observer,
      discardPendingKicks: discards.note
    )
  }

  public var driver: Driver<TestMachine> { Driver(self) }

  public var faults: [DriverFault] { observer.events.map(\.fault) }

  public func readRegister(_ offset: UInt64, width: Int) -> UInt64 {
    transport.read(offset: offset, width: width)
  }

  public func writeRegister(_ offset: UInt64, width: Int, _ value: UInt64) {
    transport.write(offset: offset, width: width, value: value)
  }
}

/// Keeps a window, whose type is noncopyable, in a class.
private final class KeptWindow {
  private let window: DMAWindow

  init(range: GuestRange, isConfined: Bool) throws(GuestMemoryError) {
    if isConfined {
      window = try DMAWindow(name: "test", range: range)
    } else {
      window = DMAWindow(name: "test", opening: try PrivateRAM(range: range))
    }
  }

  func makeSpace(behind translation: (any DMATranslation)? = nil) -> DMASpace {
    guard let translation else { return window.makeSpace() }
    let space = DMASpace(extent: window.extent, translation: translation)
    space.add(window)
    return space
  }
}

/// Runs at once what is posted; a driver on the same thread sees a device that has come to rest. While someone waits
/// for the end of work, ``whileWaiting`` stands for what the device thread does meanwhile.
public final class ImmediateThread: DeviceThread, @unchecked Sendable {
  // SAFETY: @unchecked: used on one thread.

  public var whileWaiting: () -> Void = {}

  public init() {}

  private var posted: [@Sendable () -> Void] = []
  private var isRunning = false

  public func post(_ work: @escaping @Sendable () -> Void) {
    posted.append(work)
    runPosted()
  }

  /// What is posted by what was posted comes after it, as on a thread of its own.
  private func runPosted() {
    guard !isRunning else { return }
    isRunning = true
    var rounds = 0
    while !posted.isEmpty {
      posted.removeFirst()()
      rounds += 1
      precondition(rounds < 100_000, "devices come to rest when nothing happens")
    }
    isRunning = false
  }

  public func perform(_ work: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void) {
    let flag = Flag()
    work { flag.isSet.store(true, ordering: .releasing) }
    var rounds = 0
    while !flag.isSet.load(ordering: .acquiring) {
      runPosted()
      whileWaiting()
      rounds += 1
      precondition(rounds < 1000, "work that is waited for comes to its end")
    }
  }
}

private final class Flag: Sendable {
  let isSet = Atomic<Bool>(false)
}

/// Counts the edges of an interrupt line.
public final class CountingLine: InterruptLine {
  private let edges = Atomic<Int>(0)

  public init() {}

  public var count: Int { edges.load(ordering: .acquiring) }

  public func raise(_ cause: InterruptCause) { edges.add(1, ordering: .acquiringAndReleasing) }
}

/// Keeps what guests do wrong.
public final class FaultRecorder: DriverFaultObserver {
  private let recorded = Mutex<[DriverFaultEvent]>([])

  public init() {}

  public var events: [DriverFaultEvent] { recorded.withLock { $0 } }

  public func forget() { recorded.withLock { $0 = [] } }

  public func driverMisbehaved(_ event: DriverFaultEvent) { recorded.withLock { $0.append(event) } }
}

/// Keeps of which queues pending notifications were to be forgotten; nil: of all.
public final class DiscardRecorder: Sendable {
  private let recorded = Mutex<[Int?]>([])

  public init() {}

  public var queues: [Int?] { recorded.withLock { $0 } }

  @Sendable
  public func note(_ queue: Int?) { recorded.withLock { $0.append(queue) } }
}
