import Glibc
import Synchronization
import Testing

@testable import TestLimits

@Suite("Limits of time in tests", .serialized)
struct TestLimitTests {
  @Test("one passes after its time, and not at once")
  func passes() {
    let start = ContinuousClock.now
    let limit = TestLimit(.milliseconds(300))
    #expect(!limit.hasPassed)

    while !limit.hasPassed { usleep(5000) }

    #expect(ContinuousClock.now - start >= .milliseconds(300))
  }

  @Test("the machine is no faster than the reference, and some number of times slower than it")
  func slowness() {
    print("a loop takes \(Slowness.measured) s of processor time here, \(Slowness.factor) times the reference or less")
    #expect(1...100 ~= Slowness.factor)
  }

  @Test("while threads of this process wait for a processor, the limit's clock goes slower")
  func waiting() {
    // Each of them has a fourth of a processor.
    let work = (0..<4 * sysconf(Int32(_SC_NPROCESSORS_ONLN))).map { _ in BusyThread() }
    let start = ContinuousClock.now
    let limit = TestLimit(.milliseconds(200))

    while !limit.hasPassed { usleep(20_000) }

    let time = ContinuousClock.now - start
    work.forEach { $0.stop() }
    #expect(time >= .milliseconds(400), "\(time)")
  }
}

/// A thread that keeps a processor busy.
private final class BusyThread: Sendable {
  private let mayRun = Atomic(true)

  init() {
    // SAFETY: the new thread takes it over below.
    let context = unsafe Unmanaged.passRetained(self).toOpaque()
    var thread = pthread_t()
    // SAFETY: the context is retained until the new thread takes it over, exactly once.
    _ = unsafe pthread_create(
      &thread,
      nil,
      { context in
        guard let context = unsafe context else { return nil }
        unsafe Unmanaged<BusyThread>.fromOpaque(context).takeRetainedValue().run()
        return nil
      },
      context
    )
    pthread_detach(thread)
  }

  private func run() {
    while mayRun.load(ordering: .relaxed) {}
  }

  func stop() { mayRun.store(false, ordering: .relaxed) }
}
