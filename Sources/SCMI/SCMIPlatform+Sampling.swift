/// What happens again and again: samples of sensors and power caps, and storms of notifications.
///
/// The clock feeds these, and it may run ahead of who computes them: after a stall of the host, or where there are more
/// samples than the host can take. So each ``SCMIPlatform/advance(to:)`` has a budget of them. What it does not reach
/// is skipped: the next due time comes by arithmetic, however long the time was.
struct Recurrence: Sendable {
  enum Action: Sendable {
    case sampleSensor(Int)
    case samplePowercap(Int)
    /// A storm, by its number.
    case storm(UInt64)
  }

  var due: UInt64 = 0
  /// Breaks ties: first in, first out. Of the same sequence as ``Timer/order``.
  var order: UInt64 = 0
  var action = Action()

  func isBefore(_ other: Recurrence) -> Bool { (due, order) < (other.due, other.order) }
}

/// The same notification again and again, as a rule wants it.
struct Storm: Sendable {
  var message = Outgoing()
  var remaining: UInt64 = 0
  /// In nanoseconds; 0 is all at once.
  var interval: UInt64 = 0
}

/// A binary heap: the one that is due first is at the front.
struct RecurrenceQueue: Sendable {
  private(set) var elements: [Recurrence] = []

  var first: Recurrence? { elements.first }

  mutating func insert(_ element: Recurrence) {
    elements.append(element)
    var place = elements.count - 1
    while place > 0, elements[place].isBefore(elements[(place - 1) / 2]) {
      elements.swapAt(place, (place - 1) / 2)
      place = (place - 1) / 2
    }
  }

  /// - Precondition: there is one.
  mutating func removeFirst() -> Recurrence {
    let first = elements[0]
    let last = elements.removeLast()
    guard !elements.isEmpty else { return first }
    elements[0] = last
    var place = 0
    while true {
      var next = place
      for child in 2 * place + 1...2 * place + 2 where child < elements.count {
        if elements[child].isBefore(elements[next]) { next = child }
      }
      guard next != place else { return first }
      elements.swapAt(place, next)
      place = next
    }
  }

  mutating func removeAll(where isUnwanted: (Recurrence) -> Bool) {
    let rest = elements.filter { !isUnwanted($0) }
    elements.removeAll(keepingCapacity: true)
    for element in rest { insert(element) }
  }
}

extension SCMIPlatform {
  /// How many samples and notifications of storms one ``advance(to:)`` computes, and those that are due at the same
  /// time as the last of them. What is due beyond is skipped and counted in ``missedSamples``.
  public static let maximumSamples = 4_096

  /// How many storms of a rule's notifications may go on for one agent. Others are counted as dropped.
  static let maximumStorms = 64

  mutating func recur(_ due: UInt64, _ action: Recurrence.Action) {
    // What would be due at the end of time never is.
    guard due != .max else { return }
    recurrences.insert(Recurrence(due: due, order: timerOrder, action: action))
    timerOrder += 1
    deadline = min(deadline, due)
  }

  /// Does what is due, and says when it is due again.
  mutating func perform(_ recurrence: Recurrence) {
    switch recurrence.action {
    case .sampleSensor(let sensor): sampleSensor(sensor)
    case .samplePowercap(let domain): samplePowercap(domain)
    case .storm(let number):
      guard var storm = storms.removeValue(forKey: number) else { return }
      // Those of no interval come in one go: as many as may wait, the rest would be dropped anyway.
      let now = storm.interval == 0 ? storm.remaining : 1
      let sent = min(now, UInt64(SCMIPlatform.maximumQueued))
      for _ in 0..<sent { emit(storm.message) }
      agents[storm.message.agent].dropped &+= now - sent
      storm.remaining -= now
      guard storm.remaining > 0 else { return }
      storms[number] = storm
      recur(after(storm.interval), recurrence.action)
    }
  }

  /// Moves what is due at `limit` or before behind it, without doing it.
  package mutating func skipSamples(to limit: UInt64) {
    var missed: UInt64 = 0
    let due = recurrences.elements.filter { $0.due <= limit }.sorted { $0.isBefore($1) }
    recurrences.removeAll { $0.due <= limit }
    for recurrence in due {
      let late = limit - recurrence.due
      switch recurrence.action {
      case .sampleSensor(let sensor):
        let period = samplingInterval(sensor)
        missed &+= late / period + 1
        recur(SCMIPlatform.next(recurrence.due, period, after: limit), recurrence.action)
      case .samplePowercap(let domain):
        let period = definition.powercaps[domain].measurementInterval
        missed &+= late / period + 1
        recur(SCMIPlatform.next(recurrence.due, period, after: limit), recurrence.action)
      case .storm(let number):
        guard var storm = storms.removeValue(forKey: number) else { continue }
        let dropped = storm.interval == 0 ? storm.remaining : min(late / storm.interval + 1, storm.remaining)
        agents[storm.message.agent].dropped &+= dropped
        storm.remaining -= dropped
        guard storm.remaining > 0 else { continue }
        storms[number] = storm
        recur(SCMIPlatform.next(recurrence.due, storm.interval, after: limit), recurrence.action)
      }
    }
    updateDeadline()
    missedSamples &+= missed
    // Agents' places begin with 0: the line has to name one.
    record(.control, agent: 0, SCMIMessage(header: MessageHeader(rawValue: 0)), SkippedSamples(missed, to: limit).text)
  }

  /// The first time on the grid of `due` that is behind `limit`.
  private static func next(_ due: UInt64, _ period: UInt64, after limit: UInt64) -> UInt64 {
    let (distance, isFar) = ((limit - due) / period + 1).multipliedReportingOverflow(by: period)
    let (next, isBeyond) = due.addingReportingOverflow(distance)
    return isFar || isBeyond ? .max : next
  }

  /// What a replay does instead of ``advance(to:)``: as the platform did whose session was recorded, since its owner
  /// came at each deadline.
  ///
  /// - Parameter budget: how many samples may be computed; beyond them they are skipped.
  package mutating func replay(to time: UInt64, budget: inout Int) {
    while budget > 0, deadline < time {
      let before = timerOrder
      advance(to: deadline)
      // Each sample took a number for the next one.
      budget -= max(Int(timerOrder - before), 1)
    }
    if budget <= 0, let first = recurrences.first, first.due <= time { skipSamples(to: time) }
    advance(to: time)
  }
}

/// What a transcript says where samples were skipped, so that a replay skips the same ones.
package struct SkippedSamples {
  /// How many were skipped.
  package var count: UInt64
  /// In nanoseconds: those that were due up to here.
  package var limit: UInt64

  package init(_ count: UInt64, to limit: UInt64) {
    self.count = count
    self.limit = limit
  }

  private static let words = (first: "time ran ahead: ", second: " samples skipped up to ", unit: " ns")

  /// As the transcript has it; ``init(_:)`` reads it again.
  package var text: String { Self.words.first + "\(count)" + Self.words.second + "\(limit)" + Self.words.unit }

  /// - Returns: `nil` for another text.
  package init?(_ text: String) {
    guard text.hasPrefix(Self.words.first), text.hasSuffix(Self.words.unit) else { return nil }
    let numbers = text.dropFirst(Self.words.first.count).dropLast(Self.words.unit.count)
      .split(separator: " ")
    guard let first = numbers.first, let last = numbers.last, let count = UInt64(first), let limit = UInt64(last) else {
      return nil
    }
    self.init(count, to: limit)
  }
}
