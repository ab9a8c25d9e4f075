internal import ApusControl
internal import CHost
internal import Glibc
internal import Host
internal import PositionedJSON

/// Gives the control socket any bytes, as clients' that mean no good, and looks that what has to hold does.
///
/// The connections are a server's own, with sockets, and on the caller's thread. The first byte says how many clients
/// there are, and whether little fits into their sockets; the second how much is sent at once; a ``Script`` follows.
public enum ExerciseControl {
  /// - Returns: how many answers came.
  @discardableResult
  public static func run(_ bytes: some Collection<UInt8>) -> Int {
    let header = bytes.first ?? 0
    let control = FakeControl()
    let table = control.table
    let numbers = Numbers()
    let clients = (0...Int(header & 3)).map { _ in ExercisedClient(table, numbers, isNarrow: header & 4 != 0) }
    var current = 0
    let piece = Int(bytes.dropFirst().first ?? 0)
    for step in Script(bytes.dropFirst(2)) {
      switch step {
      case .send(let bytes):
        // Little at once is for little.
        for part in bytes.chunks(of: piece == 0 ? max(1, bytes.count) : max(piece, bytes.count / 256)) {
          clients[current].send(part)
          for client in clients { client.pump() }
        }
      case .act(let action):
        switch action {
        case 0: current = (current + 1) % clients.count
        case 1: control.tell()
        case 2: _ = control.answerAll()
        case 3: clients[current].endInput()
        case 4: clients[current].leave()
        case 5: clients[current].isDeaf.toggle()
        default: break
        }
      }
      for client in clients { client.pump() }
      let limit = clients.count * ControlProtocol.maximumSubscriptions
      precondition(control.subscriptionCount <= limit, "subscriptions are limited")
    }
    for client in clients { client.isDeaf = false }
    repeat { for client in clients { client.pump() } } while control.answerAll()
    for client in clients { client.finish() }
    precondition(control.subscriptionCount == 0, "who has gone has no subscriptions")
    return clients.reduce(0) { $0 + $1.answerCount }
  }

  /// Of subscriptions.
  final class Numbers: Sendable {
    private let last = SharedCounter()
    func next() -> UInt64 { last.next() }
  }
}

/// A client with its connection, as the server has it.
private final class ExercisedClient {
  /// Whether nothing is read.
  var isDeaf = false
  private(set) var answerCount = 0
  private let number: Int32
  private let serverNumber: Int32
  private let peer: ControlPeer
  private var connection: ControlConnection?
  private let news = SharedCounter()
  private var seenNews: UInt64 = 0
  private var pending: ArraySlice<UInt8> = []
  private var endsInput = false
  private var hasEndedInput = false
  private var hasLeft = false
  private var heard = ControlLines(limit: 64 << 20)
  private var expected = ExpectedAnswers()
  /// The number of each subscription's last notice.
  private var notices: [UInt64: UInt64] = [:]

  /// What one answer takes at most: the schema, or an error with an escape for each byte.
  private static let answerLimit = max(ControlCatalogue.document.text.utf8.count, 6 * ControlMessage.maximumErrorText)
  /// What may wait for a client: the limit of answers, one batch that was begun below that, and what was begun before.
  private static let waitingLimit =
    ControlPeer.noticeLimit + ControlProtocol.maximumBatch * (answerLimit + 2048)
    + ControlServer.requestLimit * ControlProtocol.maximumBatch * 512

  init(_ table: ControlTable, _ numbers: ExerciseControl.Numbers, isNarrow: Bool) {
    let (one, other) = SocketPair.make()
    number = one
    serverNumber = other
    if isNarrow { SocketPair.narrow(other) }
    peer = ControlPeer(wake: { [news] in _ = news.next() }, number: { numbers.next() })
    connection = ControlConnection(OwnedDescriptor(owning: other), peer, table)
  }

  deinit { if !hasLeft { close(number) } }

  func send(_ bytes: ArraySlice<UInt8>) {
    guard !endsInput, !hasLeft, connection != nil else { return }
    expected.sends(bytes)
    pending += bytes
  }

  func endInput() {
    guard !endsInput, !hasLeft, connection != nil else { return }
    expected.ends()
    endsInput = true
  }

  func leave() {
    guard !hasLeft else { return }
    hasLeft = true
    close(number)
  }

  /// Does what the server's thread and the client do until neither has anything to do.
  func pump() {
    var isGoingOn = true
    while isGoingOn {
      isGoingOn = sendPending()
      if serve() { isGoingOn = true }
      if !isDeaf, !hasLeft, hear() { isGoingOn = true }
    }
  }

  private func sendPending() -> Bool {
    guard !hasLeft, !hasEndedInput else { return false }
    if !pending.isEmpty {
      guard let count = SocketPair.send(pending, to: number) else {
        precondition(connection == nil, "who is served can send")
        pending = []
        return false
      }
      pending = pending.dropFirst(count)
      return count > 0
    }
    guard endsInput else { return false }
    hasEndedInput = true
    shutdown(number, Int32(SHUT_WR))
    return true
  }

  /// As the server's loop does.
  private func serve() -> Bool {
    guard let connection else { return false }
    let events = connection.events
    let isReadable = events & EPOLLIN.rawValue != 0 && chost_wait(serverNumber, Int16(POLLIN), 0)
    let isWritable = events & EPOLLOUT.rawValue != 0 && chost_wait(serverNumber, Int16(POLLOUT), 0)
    if hasLeft, !isReadable, events & EPOLLIN.rawValue == 0 {
      drop()
      return false
    }
    let newest = news.value
    guard isReadable || isWritable || newest != seenNews else { return false }
    seenNews = newest
    if isReadable { connection.read() }
    connection.work()
    let load = peer.load
    precondition(load.openRequests <= ControlServer.requestLimit, "requests under way are limited")
    precondition(load.bytes <= Self.waitingLimit, "what waits for a client is limited")
    if connection.isOver { drop() }
    return true
  }

  private func drop() {
    connection?.close()
    connection = nil
  }

  private func hear() -> Bool {
    guard let bytes = SocketPair.receive(number), !bytes.isEmpty else { return false }
    // SAFETY: the bytes hold for the call, and are copied.
    unsafe bytes.withUnsafeBytes { unsafe heard.append($0) }
    while let line = heard.next(isLast: false) { hear(line) }
    precondition(!heard.isTooLong, "a line of the server's is limited")
    return true
  }

  private func hear(_ line: [UInt8]) {
    precondition(String(decoding: line, as: UTF8.self).utf8.elementsEqual(line), "what is sent is UTF-8")
    precondition(!line.contains { $0 < 0x20 || $0 == 0x7F }, "what is sent has no control characters")
    precondition(line.count <= JSONParser.maximumSize, "a message is no longer than a client reads")
    guard let message = try? JSONParser.parse(line) else { preconditionFailure("what is sent is JSON") }
    if message["method"] != nil { return hear(notice: message) }
    for answer in message.array ?? [message] {
      precondition(answer["jsonrpc"]?.string == "2.0" && answer["id"] != nil, "an answer says whose it is")
      if let error = answer["error"] {
        let length = error["message"]?.string?.utf8.count ?? 0
        let isWhole = error["code"]?.integer(Int.self) != nil && 1...ControlMessage.maximumErrorText + 3 ~= length
        precondition(isWhole && answer["result"] == nil, "an error has a code and a message, and there is no result")
      } else {
        precondition(answer["result"]?.members != nil, "an answer has a result or an error")
      }
    }
    precondition(expected.hears(message), "each request is answered once")
    answerCount += 1
  }

  private func hear(notice: JSONValue) {
    guard let content = notice["params"], let subscription = content["subscription"]?.integer(UInt64.self),
      let lost = content["lost"]?.integer(UInt64.self), notice["id"] == nil
    else { preconditionFailure("a notice says whose it is") }
    let text = content["data"]?.string.flatMap { UInt64($0) }
    guard let number = text ?? (content["number"] ?? content["record"])?.integer(UInt64.self) else {
      preconditionFailure("a notice tells something")
    }
    precondition(number == notices[subscription, default: 0] + lost + 1, "what is lost is counted")
    notices[subscription] = number
  }

  /// What holds when nothing is under way any more.
  func finish() {
    pump()
    if !hasLeft {
      precondition(expected.missing.isEmpty, "each request is answered")
      precondition(!expected.isRefused || connection == nil, "too long a line ends the connection")
      precondition(connection != nil || expected.isRefused || hasEndedInput, "nobody is dropped without a reason")
    }
    connection?.finish(by: 0)
    connection = nil
  }
}

extension Collection {
  /// Pieces of so many elements, the last one shorter.
  func chunks(of count: Int) -> [ArraySlice<Element>] {
    var rest = Array(self)[...]
    var chunks: [ArraySlice<Element>] = []
    while !rest.isEmpty {
      chunks.append(rest.prefix(count))
      rest = rest.dropFirst(count)
    }
    return chunks
  }
}
