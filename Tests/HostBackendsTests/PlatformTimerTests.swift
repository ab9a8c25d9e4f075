import Host
import SCMI
import SCMIFile
import TestSupport
import Testing

@testable import HostBackends

@Suite struct PlatformTimerTests {
  private let clock = StoppableClock()
  private let platform: SharedPlatform
  private let timer: PlatformTimer

  init() throws {
    let clock = clock
    let start = clock.now
    platform = SharedPlatform(try SCMIPlatform(PlatformDefinition { $0.agents = [AgentDefinition("guest")] })) {
      clock.now - start
    }
    timer = try PlatformTimer(platform)
  }

  @Test func aDeadlineComesNoNearerWhileTheClockStandsAndIsKeptForItsReturn() {
    timer.arm(platform.now + 20_000_000)
    clock.stop()
    timer.suspend()
    let stopped = platform.now
    let hasFired = isReadable(timer.timer.rawValue, within: 100)
    let still = platform.now

    clock.start()
    timer.resume()

    #expect(!hasFired && stopped == still)
    #expect(isReadable(timer.timer.rawValue, within: 10_000))
    #expect(platform.now >= stopped)
  }

  @Test func aDeadlineThatIsSetWhileTheClockStandsHoldsFromItsReturnOn() {
    clock.stop()
    timer.suspend()
    timer.arm(platform.now + 1_000_000)
    let hasFired = isReadable(timer.timer.rawValue, within: 50)

    clock.start()
    timer.resume()

    #expect(!hasFired)
    #expect(isReadable(timer.timer.rawValue, within: 10_000))
  }

  @Test func aDeadlineThatIsTakenBackWhileTheClockStandsDoesNotCome() {
    timer.arm(platform.now + 1_000_000_000)
    clock.stop()
    timer.suspend()
    timer.arm(nil)
    clock.start()
    timer.resume()

    #expect(!isReadable(timer.timer.rawValue, within: 50))
  }
}
