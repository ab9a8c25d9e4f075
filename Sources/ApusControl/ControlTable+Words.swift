internal import CHost
internal import Glibc
internal import Host
internal import PositionedJSON

extension ControlTable {
  /// Asks something within the process, in a client's stead, and waits for the answer.
  ///
  /// - Parameters:
  ///   - words: a method's name and its parameters, as ``ControlWords/parameters(of:_:)`` has them.
  ///   - limit: how long to wait.
  /// - Returns: the answer, a line to each value.
  /// - Throws: ``ControlError``: the method's, that there is none such, or that no answer came.
  public func answer(_ words: [String], within limit: Duration) throws(ControlError) -> [String] {
    guard let name = words.first,
      let method = ControlCatalogue.methods.first(where: { $0.name == name && !$0.isSubscription })
    else { throw ControlError(.methodNotFound, "there is no such method") }
    let parameters = try ControlWords.parameters(of: method, Array(words.dropFirst()))
    let event: SharedEventDescriptor
    do throws(HostError) {
      event = SharedEventDescriptor(try EventDescriptor())
    } catch {
      throw ControlError(.internalError, "\(error)")
    }
    let peer = ControlPeer(wake: { event.value.signal() }, number: { 0 })
    peer.began()
    let position = JSONPosition(line: 1, column: 1)
    let json = (try? JSONParser.parse(parameters.text)) ?? JSONValue(.object([]), at: position)
    let request = ControlRequest(identifier: .null, method: name, parameters: json)
    call(request, ControlReply(peer, request.identifier))
    guard chost_wait(event.value.rawValue, Int16(POLLIN), Int32(clamping: limit.nanoseconds / 1_000_000)) else {
      peer.close()
      throw ControlError(.timedOut, "no answer came in \(limit)")
    }
    let message = peer.takeOutgoing().dropLast()
    guard let answer = try? JSONParser.parse(Array(message)) else { return [] }
    if let error = answer["error"] {
      let code = error["code"]?.integer(Int.self) ?? ControlError.Code.internalError.rawValue
      throw ControlError(.init(rawValue: code), error["message"]?.string ?? "")
    }
    guard let result = answer["result"] else { return [] }
    return ControlWords.lines(try ControlJSON(result, at: .answer))
  }
}
