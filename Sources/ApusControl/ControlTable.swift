internal import PositionedJSON

/// What a server answers: for each method who does it.
public struct ControlTable: Sendable {
  private typealias Call = @Sendable (JSONValue, ControlReply) -> Void

  private var calls: [String: Call] = [:]

  public init() {}

  /// Has a method answered.
  ///
  /// - Parameters:
  ///   - method: which one.
  ///   - body: is called on the server's thread and must not wait. It answers at once or later, on any thread, and
  ///     once.
  /// - Precondition: each method is answered by one, and is in the ``ControlCatalogue``.
  public mutating func on<Method: ControlMethod>(
    _ method: Method.Type,
    _ body: @escaping @Sendable (Method.Parameters, ControlAnswer<Method>) -> Void
  ) {
    precondition(calls[Method.name] == nil, "a method is answered by one")
    let subscribes = Method.Answer.self == Control.SubscriptionAnswer.self
    calls[Method.name] = { json, reply in
      do throws(ControlError) {
        if subscribes, !reply.client.maySubscribe {
          let message = "this connection has \(ControlProtocol.maximumSubscriptions) subscriptions already; end one"
          throw ControlError(.refused, message)
        }
        body(try Method.Parameters(json, at: .parameters), ControlAnswer(reply: reply))
      } catch {
        reply.fail(error)
      }
    }
  }

  /// Makes sure that all methods are answered, and no others.
  public func seal() {
    precondition(Set(calls.keys) == Set(ControlCatalogue.methods.map(\.name)), "what is published is answered")
  }

  func call(_ request: ControlRequest, _ reply: ControlReply) {
    guard let call = calls[request.method] else {
      let near = Self.near(request.method, Array(calls.keys)).map { "; did you mean '\($0)'?" } ?? ""
      return reply.fail(
        ControlError(.methodNotFound, "there is no method '\(request.method.prefix(80))'\(near); 'schema' has them all")
      )
    }
    call(request.parameters, reply)
  }

  /// The name that differs from a word in its case or punctuation only.
  private static func near(_ word: String, _ names: [String]) -> String? {
    func letters(_ text: String) -> String { text.lowercased().filter(\.isLetter) }
    let wanted = letters(String(word.prefix(80)))
    return names.first { letters($0) == wanted }
  }
}

/// The way back to who asked something, for one method's answer. From any thread.
public struct ControlAnswer<Method: ControlMethod>: Sendable {
  let reply: ControlReply

  /// Answers.
  public func succeed(_ answer: Method.Answer) { reply.succeed(answer) }

  /// Says why there is no answer.
  public func fail(_ error: ControlError) { reply.fail(error) }

  /// Says why there is no answer.
  public func fail(_ code: ControlError.Code, _ message: String) { reply.fail(ControlError(code, message)) }

  /// Makes a subscription for who asks. Its notices come behind the answer, which tells its number.
  ///
  /// - Parameter onEnd: called once, on the server's thread: the client wants no more, or has gone.
  public func subscribe(onEnd: @escaping @Sendable () -> Void) -> ControlSubscription {
    reply.client.subscribe(onEnd: onEnd)
  }

  /// Ends a subscription of who asks.
  ///
  /// - Returns: how many notices it lost in all; nil where there is none of that number.
  public func unsubscribe(_ number: UInt64) -> UInt64? { reply.client.unsubscribe(number) }
}

extension ControlAnswer where Method.Answer == ControlNothing {
  /// Answers that it is done.
  public func succeed() { succeed(ControlNothing()) }
}

/// The way back to who asked something.
final class ControlReply: Sendable {
  let client: ControlPeer
  private let identifier: ControlRequest.Identifier?
  private let batch: ControlBatch?
  private let place: Int

  init(_ client: ControlPeer, _ identifier: ControlRequest.Identifier?, _ batch: ControlBatch? = nil, place: Int = 0) {
    self.client = client
    self.identifier = identifier
    self.batch = batch
    self.place = place
  }

  func succeed(_ answer: some ControlRecord) {
    finish(identifier.map { ControlMessage.answer(answer, to: $0) })
  }

  func fail(_ error: ControlError) {
    finish(identifier.map { ControlMessage.error(error, to: $0) })
  }

  private func finish(_ message: [UInt8]?) {
    guard let batch else { return client.answer(message) }
    if let all = batch.put(message, at: place) { client.answer(all.isEmpty ? nil : ControlMessage.batch(all)) }
  }
}
