package import ApusControl
internal import PositionedJSON
internal import Synchronization

/// All methods of the catalogue, answered without a machine: most at once with an empty answer, some when a test says
/// so, some with an error.
package final class FakeControl: Sendable {
  /// Who has subscribed to something.
  private final class Subscriber: Sendable {
    let tell: @Sendable (_ number: UInt64) -> Void
    let told = Atomic<UInt64>(0)

    init(_ tell: @escaping @Sendable (_ number: UInt64) -> Void) {
      self.tell = tell
    }
  }

  private struct State {
    var waiting: [@Sendable () -> Void] = []
    var subscribers: [UInt64: Subscriber] = [:]
  }

  private let state = Mutex(State())

  package init() {}

  /// How many subscriptions there are.
  package var subscriptionCount: Int { state.withLock { $0.subscribers.count } }

  /// Answers what waits.
  ///
  /// - Returns: whether something did.
  package func answerAll() -> Bool {
    let waiting = state.withLock { state in
      defer { state.waiting = [] }
      return state.waiting
    }
    for answer in waiting { answer() }
    return !waiting.isEmpty
  }

  /// Tells all who have subscribed; to each, notices have numbers from 1.
  package func tell() {
    for subscriber in state.withLock({ Array($0.subscribers.values) }) {
      subscriber.tell(subscriber.told.add(1, ordering: .relaxed).newValue)
    }
  }

  /// What answers.
  package var table: ControlTable {
    var table = ControlTable()
    answer(Control.Hello.self, &table)
    answer(Control.Info.self, &table)
    answer(Control.Statistics.self, &table)
    table.on(Control.Schema.self) { _, answer in answer.succeed(Self.schema) }
    later(Control.Pause.self, &table)
    later(Control.Resume.self, &table)
    answer(Control.Reset.self, &table)
    refuse(Control.PowerButton.self, &table) { _ in "nobody listens" }
    later(Control.PowerOff.self, &table)
    answer(Control.Kill.self, &table)
    answer(Control.Snapshot.self, &table)
    answer(Control.Memory.self, &table)
    refuse(Control.MemoryResize.self, &table) { "there is no '\($0.name ?? "")'" }
    subscribe(Control.ConsoleSubscribe.self, &table) { subscription, number in
      subscription.tell(Control.ConsoleOutput.self, .init(data: "\(number)"))
    }
    table.on(Control.ConsoleSend.self) { parameters, answer in
      Self.check(parameters)
      guard parameters.encoding != .base64 || Base64.decode(parameters.data) != nil else {
        return answer.fail(.invalidParameters, "data: this is no base64")
      }
      answer.succeed()
    }
    subscribe(Control.EventsSubscribe.self, &table) { subscription, number in
      var event = Control.Event.Content()
      event.number = number
      subscription.tell(Control.Event.self, event)
    }
    table.on(Control.Unsubscribe.self) { parameters, answer in
      guard let lost = answer.unsubscribe(parameters.subscription) else { return answer.fail(.notFound, "none") }
      var result = Control.Unsubscribe.Answer()
      result.lost = lost
      answer.succeed(result)
    }
    answer(Control.NetworkLink.self, &table)
    answer(Control.DiskResize.self, &table)
    refuse(Control.DiskChange.self, &table) { "cannot open '\($0.path)' for \($0.device)" }
    addPlatform(to: &table)
    table.seal()
    return table
  }

  private func addPlatform(to table: inout ControlTable) {
    answer(Control.SCMIAgents.self, &table)
    answer(Control.SCMIResources.self, &table)
    refuse(Control.SCMIRead.self, &table) { "there is no '\($0.resource)'" }
    answer(Control.SCMISet.self, &table)
    answer(Control.SCMIVoteFor.self, &table)
    answer(Control.SCMIPermit.self, &table)
    answer(Control.SCMIRules.self, &table)
    refuse(Control.SCMIRuleAdd.self, &table) { "no rule: \($0.rule.text)" }
    answer(Control.SCMIRuleRemove.self, &table)
    answer(Control.SCMIStep.self, &table)
    subscribe(Control.SCMITranscriptSubscribe.self, &table) { subscription, number in
      subscription.tell(Control.SCMITranscript.self, .init(record: ControlJSON(text: "\(number)")))
    }
  }

  private static let schema = Control.Schema.Answer(ControlCatalogue.document)

  private func answer<Method: ControlMethod>(_ method: Method.Type, _ table: inout ControlTable) {
    table.on(method) { parameters, answer in
      Self.check(parameters)
      answer.succeed(Method.Answer())
    }
  }

  private func refuse<Method: ControlMethod>(
    _ method: Method.Type,
    _ table: inout ControlTable,
    _ reason: @escaping @Sendable (Method.Parameters) -> String
  ) {
    table.on(method) { parameters, answer in
      Self.check(parameters)
      answer.fail(.refused, reason(parameters))
    }
  }

  private func later<Method: ControlMethod>(_ method: Method.Type, _ table: inout ControlTable) {
    table.on(method) { [self] _, answer in
      state.withLock { $0.waiting.append { answer.succeed(Method.Answer()) } }
    }
  }

  private func subscribe<Method: ControlMethod>(
    _ method: Method.Type,
    _ table: inout ControlTable,
    _ tell: @escaping @Sendable (ControlSubscription, _ number: UInt64) -> Void
  ) where Method.Answer == Control.SubscriptionAnswer {
    table.on(method) { [self] parameters, answer in
      Self.check(parameters)
      let ended = Ended()
      let subscription = answer.subscribe { [self] in
        state.withLock { state in
          precondition(!ended.isTrue.exchange(true, ordering: .relaxed), "a subscription ends once")
          if let number = ended.number.withLock({ $0 }) { state.subscribers[number] = nil }
        }
      }
      ended.number.withLock { $0 = subscription.number }
      answer.succeed(.init(subscription.number))
      let subscriber = Subscriber { tell(subscription, $0) }
      state.withLock { state in
        precondition(state.subscribers[subscription.number] == nil, "no number is given twice")
        if !ended.isTrue.load(ordering: .relaxed) { state.subscribers[subscription.number] = subscriber }
      }
    }
  }

  private final class Ended: Sendable {
    let isTrue = Atomic(false)
    let number = Mutex<UInt64?>(nil)
  }

  /// What was read is written so that it is read again, and is the same.
  static func check<Record: ControlRecord>(_ record: Record) {
    let text = written(record)
    guard let json = try? JSONParser.parse(text), let again = try? Record(json, at: .parameters) else {
      preconditionFailure("what is written cannot be read: \(text)")
    }
    precondition(written(again) == text, "what is read again is something else")
  }

  private static func written(_ record: some ControlRecord) -> String {
    var writer = ControlWriter()
    record.write(to: &writer)
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}
