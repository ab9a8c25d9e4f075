import Glibc
import Host
import TestSupport
import Testing

/// EPOLLIN as the loop takes it.
private let readable: UInt32 = 1

@Suite(.timeLimit(.minutes(10))) struct EventLoopTests {
  @Test func anEventThatIsSignalledCallsItsHandler() throws {
    let loop = try EventLoop()
    let bell = SharedEventDescriptor(try EventDescriptor())
    var calls = 0
    let isWatched = try loop.add(
      bell.value.rawValue,
      readable,
      ClosureHandler { _ in
        bell.value.clear()
        calls += 1
        loop.stop()
      }
    )

    bell.value.signal()
    bell.value.signal()
    try loop.run()

    #expect(isWatched)
    #expect(calls == 1)
  }

  @Test func anEventSignalledOnAnotherThreadWakesTheLoop() throws {
    let loop = try EventLoop()
    let bell = SharedEventDescriptor(try EventDescriptor())
    _ = try loop.add(bell.value.rawValue, readable, ClosureHandler { _ in loop.stop() })

    let thread = try HostThread(name: "ringer") { bell.value.signal() }
    try loop.run()
    thread.join()

    // The loop has returned, which nothing but the ring could make it do.
    #expect(isReadable(bell.value.rawValue))
  }

  @Test func aClearedEventIsQuiet() throws {
    let bell = SharedEventDescriptor(try EventDescriptor())
    bell.value.signal()

    bell.value.clear()

    #expect(!isReadable(bell.value.rawValue))
  }

  @Test func aHandlerThatAnotherOneRemovedIsNotCalledAnyMore() throws {
    let loop = try EventLoop()
    let bells = [SharedEventDescriptor(try EventDescriptor()), SharedEventDescriptor(try EventDescriptor())]
    var calls = 0
    for index in 0...1 {
      _ = try loop.add(
        bells[index].value.rawValue,
        readable,
        ClosureHandler { _ in
          calls += 1
          loop.remove(bells[1 - index].value.rawValue)
          loop.stop()
        }
      )
      bells[index].value.signal()
    }

    try loop.run()

    #expect(calls == 1)
  }

  @Test func aHandlerIsNotToldOfWhatWasForgottenAndIsToldOfWhatComesLater() throws {
    let loop = try EventLoop()
    let bells = try (0..<3).map { _ in SharedEventDescriptor(try EventDescriptor()) }
    var calls: [Int] = []
    var forgotten: EventHandler?
    let first = ClosureHandler { _ in
      calls.append(0)
      if let forgotten { loop.forgetReady(forgotten) }
    }
    let second = ClosureHandler { _ in
      calls.append(1)
      loop.stop()
    }
    forgotten = second
    let last = ClosureHandler { _ in
      calls.append(2)
      bells[1].value.signal()
    }
    let edges = readable | EventLoop.edgeTriggered
    for (bell, handler) in zip(bells, [first, second, last]) { _ = try loop.add(bell.value.rawValue, edges, handler) }
    for bell in bells { bell.value.signal() }

    try loop.run()

    #expect(calls == [0, 2, 1])
  }

  @Test func stoppingEndsTheLoopBeforeTheNextHandlerOfTheSameMoment() throws {
    let loop = try EventLoop()
    let bells = [SharedEventDescriptor(try EventDescriptor()), SharedEventDescriptor(try EventDescriptor())]
    var calls = 0
    for bell in bells {
      _ = try loop.add(
        bell.value.rawValue,
        readable,
        ClosureHandler { _ in
          calls += 1
          loop.stop()
        }
      )
      bell.value.signal()
    }

    try withExtendedLifetime(bells) {
      try loop.run()
      #expect(calls == 1)
      try loop.run()
      #expect(calls == 2)
    }
  }

  @Test func aRegularFileIsNotWatched() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("file", [1])
    let loop = try EventLoop()
    // SAFETY: the path holds for the call.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    defer { close(descriptor) }

    let isWatched = try loop.add(descriptor, readable, ClosureHandler { _ in })

    #expect(!isWatched)
  }

  @Test func aDescriptorThatIsNotOpenIsAnErrorThatNamesTheCall() throws {
    let loop = try EventLoop()

    let error = #expect(throws: HostError.self) { try loop.add(1_000_000, readable, ClosureHandler { _ in }) }

    #expect(error?.errno == EBADF)
    #expect(error?.description.hasPrefix("epoll_ctl failed: ") == true)
  }

  @Test func removingWhatIsNotWatchedDoesNothing() throws {
    let loop = try EventLoop()
    let bell = SharedEventDescriptor(try EventDescriptor())

    loop.remove(bell.value.rawValue)

    #expect(try loop.add(bell.value.rawValue, readable, ClosureHandler { _ in }))
  }

  @Test func aTimerFiresOnceAfterItsTime() throws {
    let timer = try HostTimer()
    let start = HostClock.monotonic

    timer.arm(after: 20_000_000)

    #expect(!isReadable(timer.rawValue))
    #expect(isReadable(timer.rawValue, within: 10_000))
    #expect(HostClock.monotonic - start >= 20_000_000)
    timer.clear()
    #expect(!isReadable(timer.rawValue, within: 40))
  }

  @Test func aTimerOfNoTimeFiresAtOnce() throws {
    let timer = try HostTimer()

    timer.arm(after: 0)

    #expect(isReadable(timer.rawValue, within: 10_000))
  }

  @Test func aTimerThatIsTakenBackDoesNotFire() throws {
    let timer = try HostTimer()
    timer.arm(after: 20_000_000)

    timer.disarm()

    #expect(!isReadable(timer.rawValue, within: 60))
  }

  @Test func anIntervalFiresAgain() throws {
    let timer = try HostTimer()
    timer.arm(after: 1_000_000, every: 1_000_000)

    for _ in 0..<3 {
      #expect(isReadable(timer.rawValue, within: 10_000))
      timer.clear()
    }
  }

  @Test(
    arguments: [
      (.zero, 0), (.nanoseconds(1), 1), (.milliseconds(1500), 1_500_000_000), (.nanoseconds(-1), 0), (.seconds(-5), 0),
      (.seconds(Int64.max), .max),
      (Duration(secondsComponent: 18_446_744_073, attosecondsComponent: 999_000_000_000_000_000), .max),
    ] as [(Duration, UInt64)]
  )
  func durationsAreWholeNanosecondsFromZeroUpTo64Bits(duration: Duration, nanoseconds: UInt64) {
    #expect(duration.nanoseconds == nanoseconds)
  }
}
