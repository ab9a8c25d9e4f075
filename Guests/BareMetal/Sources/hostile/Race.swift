internal import Support
internal import VirtioDriver

/// How many requests ended in which way while the second vCPU changed what they were made of.
struct RaceCount {
  var answered: UInt64 = 0
  /// DEVICE_NEEDS_RESET, or an I/O error.
  var refused: UInt64 = 0
}

/// What is raced for: a field of the queue, or of a disk's request.
enum Race {
  case queue(HostileRace)
  case requestType
  case requestSector

  var name: StaticString {
    switch self {
    case .queue(let race): race.name
    case .requestType: "requestType"
    case .requestSector: "requestSector"
    }
  }

  /// One race after the other for a kind of device; nil behind the last.
  init?(_ number: UInt8, _ kind: Target.Kind) {
    if let race = HostileRace(rawValue: number) {
      self = .queue(race)
    } else if kind == .block, HostileRace(rawValue: number - 1) != nil {
      self = .requestType
    } else if kind == .block, HostileRace(rawValue: number - 2) != nil {
      self = .requestSector
    } else {
      return nil
    }
  }

  /// Runs races until at least `rounds` requests were answered and as many refused.
  ///
  /// - Returns: whether that came about, every request ended, the device always started again, and what lies outside
  ///   the window was neither written nor found its way to the disk.
  func run(_ target: inout Target, _ racer: Racer, rounds: UInt64, _ count: inout RaceCount) -> Bool {
    var own = RaceCount()
    let end = VirtualTimer.count + 60 * VirtualTimer.frequency
    target.prepareOutside()
    var isRight = true
    while isRight, own.answered < rounds || own.refused < rounds, VirtualTimer.count < end {
      // A disk is read and written in turn.
      isRight = round(&target, racer, writing: (own.answered + own.refused) & 1 == 1, &own)
    }
    count.answered += own.answered
    count.refused += own.refused
    return isRight && own.answered >= rounds && own.refused >= rounds && target.isOutsideAsItWas()
      && target.start() && target.hasKeptSecret()
  }

  private func round(_ target: inout Target, _ racer: Racer, writing: Bool, _ count: inout RaceCount) -> Bool {
    guard target.start() else { return false }
    // A request's type is wrong for the direction of its data when it is not what it was.
    let request = target.offerRaced(writing: writing && !isRequestType)
    guard racer.begin(flip(target, request)) else { return false }
    target.driver.notify(0)
    let attacked = target
    let hasEnded = wait(milliseconds: 10_000) { attacked.queue.usedIndex != 0 || attacked.needsReset }
    guard racer.end(), hasEnded else { return false }
    // An answer may come before what is refused.
    if target.queue.usedIndex != 0, target.racedRequestSucceeded { count.answered += 1 } else { count.refused += 1 }
    return true
  }

  private var isRequestType: Bool {
    if case .requestType = self { true } else { false }
  }

  private func flip(_ target: Target, _ request: Target.RacedRequest) -> HostileRace.Flip {
    switch self {
    case .queue(let race):
      race.prepare(
        on: target.queue,
        count: request.count,
        descriptor: request.descriptor,
        table: target.buffer + 0x800,
        outside: target.outside
      )
    case .requestType: HostileRace.Flip(address: target.buffer, width: 4, good: 0, bad: 1)
    case .requestSector: HostileRace.Flip(address: target.buffer + 8, width: 8, good: 0, bad: 1 << 40)
    }
  }
}

/// For a second the second vCPU changes anything of queue and requests, while this one kicks and resets.
///
/// - Returns: whether the device always came back, and the second vCPU has stopped.
func spoil(_ target: inout Target, _ racer: Racer) -> Bool {
  guard racer.beginSpoiling(target.area) else { return false }
  var hasAlwaysStarted = true
  let end = VirtualTimer.count + VirtualTimer.frequency
  while hasAlwaysStarted, VirtualTimer.count < end {
    // The second vCPU may make the queue's content bad before the device has started, but no more than that.
    _ = target.start()
    hasAlwaysStarted = target.driver.status & Status.driverOK != 0
    let attacked = target
    _ = wait(milliseconds: 5) {
      for _ in 0..<16 { attacked.driver.notify(0) }
      return attacked.needsReset
    }
  }
  return racer.end() && hasAlwaysStarted
}
