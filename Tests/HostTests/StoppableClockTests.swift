import Glibc
import Synchronization
import Testing

@testable import Host

@Suite struct StoppableClockTests {
  private let clock = StoppableClock()

  @Test func aClockThatStandsShowsOneTimeAndGoesOnFromIt() {
    let before = HostClock.monotonic
    let first = clock.now
    clock.stop()
    let stopped = clock.reading
    usleep(20_000)
    let still = clock.reading
    clock.start()
    let after = clock.reading

    #expect(first >= before)
    #expect(stopped.isStopped && still.isStopped && !after.isStopped)
    #expect(stopped.now >= first && stopped.now == still.now)
    #expect(after.now >= still.now)
    #expect(HostClock.monotonic - clock.now >= 20_000_000)
  }

  @Test func aClockCountsItsStopsAndHowLongTheyLasted() {
    let none = (clock.stops, clock.stood)
    for _ in 0..<3 {
      clock.stop()
      usleep(2_000)
      clock.start()
    }
    let ended = clock.stood
    clock.stop()
    usleep(2_000)

    #expect(none == (0, 0))
    #expect(clock.stops == 4)
    #expect(ended >= 6_000_000)
    #expect(clock.stood >= ended + 2_000_000)
  }

  @Test func aClockThatTwoHaveStoppedGoesOnWithTheLastOfThem() {
    clock.stop()
    clock.stop(counts: false)
    clock.start()
    let isStopped = clock.reading.isStopped
    clock.start()

    #expect(isStopped && !clock.reading.isStopped)
    #expect(clock.stops == 1)
  }

  @Test func whoeverWantsToKnowHearsOfEachStart() {
    let starts = Atomic(0)
    clock.whenStarted { starts.add(1, ordering: .relaxed) }

    for _ in 0..<2 {
      clock.stop()
      clock.start()
    }

    #expect(starts.load(ordering: .relaxed) == 2)
  }
}
