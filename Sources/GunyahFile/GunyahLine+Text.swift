import Gunyah
internal import PositionedJSON

extension GunyahLine {
  /// Lines for people, one to each, in columns: microseconds, machine, vCPU, what happened. Where lines of the
  /// transcript are missing a line says so.
  ///
  /// - Parameters:
  ///   - lines: of one transcript, in order.
  ///   - isChosen: which are told.
  public static func text(
    _ lines: [GunyahLine],
    where isChosen: (GunyahLine) -> Bool = { _ in true }
  ) -> [String] {
    var told: [(note: String?, line: GunyahLine)] = []
    var gaps = LineGaps()
    for line in lines {
      gaps.pass(line.sequence)
      if isChosen(line) { told.append((gaps.note(), line)) }
    }
    let nameWidth = told.map(\.line.name.count).max() ?? 0
    let timeWidth = told.map { microseconds($0.line.record.time).count }.max() ?? 0
    let hasCalls = told.contains { $0.line.record.vcpu != nil }
    let texts = told.flatMap { note, line in
      let vcpu = line.record.vcpu.map { "cpu\($0)" } ?? ""
      let columns = [
        microseconds(line.record.time).right(in: timeWidth) + " us", line.name.padded(to: nameWidth),
        hasCalls ? vcpu.padded(to: 4) : nil, line.record.content.text,
      ]
      return [note, columns.compactMap(\.self).joined(separator: "  ")].compactMap(\.self)
    }
    return texts + [gaps.note()].compactMap(\.self)
  }

  /// Nanoseconds as microseconds with three places.
  static func microseconds(_ time: UInt64) -> String { "\(time / 1000)." + "\(1000 + time % 1000)".dropFirst() }
}

extension GunyahRecord.Content {
  fileprivate var text: String {
    switch self {
    case .call(let call): call.text
    case .message(let message): message.text
    }
  }
}

extension GunyahRecord.Call {
  /// What was asked for.
  var title: String { call?.name ?? "call " + FieldText.hexadecimal(number) }

  /// What it came to: an error's name, or what x0 was.
  var outcome: String {
    if let error { return error.name }
    if call?.givesValue == true { return FieldText.hexadecimal(UInt64(bitPattern: result)) }
    return result == 0 ? "OK" : "error \(result)"
  }

  fileprivate var text: String {
    var text = title
    if !arguments.isEmpty { text += " " + Self.pairs(call?.argumentNames ?? [], arguments) }
    text += ": " + outcome
    if !outputs.isEmpty { text += " " + Self.pairs(call?.outputNames ?? [], outputs) }
    if let peer { text += ", peer " + FieldText.machine(peer) }
    if let bytes { text += ", \(bytes.count) bytes " + FieldText.bytes(bytes) }
    return text
  }

  private static func pairs(_ names: [String], _ values: [UInt64]) -> String {
    values.enumerated().map { index, value in
      let name = index < names.count ? names[index] : "x\(index + 1)"
      return name + "=" + FieldText.number(value, of: name)
    }.joined(separator: " ")
  }
}

extension GunyahRecord.Message {
  /// What it is about.
  var title: String { rpc.id.name ?? "message " + FieldText.hexadecimal(UInt64(identifier)) }

  /// Of a reply the status in words, or nil.
  var outcome: String? {
    guard let status else { return nil }
    return status == 0 ? "OK" : RMError(rawValue: status)?.name ?? "error \(status)"
  }

  /// Whether it is a reply that says no.
  var isRefusal: Bool { status.map { $0 != 0 } ?? false }

  /// The parts but for a reply's status.
  var fieldText: String {
    let fields = rpc.fields
    return FieldText.fields(kind == .reply ? Array(fields.drop { $0.name == "error" }) : fields)
  }

  fileprivate var text: String {
    let arrow =
      switch (direction, kind) {
      case (.toManager, _): "->"
      case (.fromManager, .notification): "<~"
      case (.fromManager, _): "<-"
      }
    var parts = [arrow, title]
    if kind != .notification { parts.append("\(sequence)") }
    if let outcome { parts.append(outcome) }
    let fields = fieldText
    if !fields.isEmpty { parts.append(fields) }
    return parts.joined(separator: " ")
  }
}

/// Values as people read them.
enum FieldText {
  /// How many entries of a list are shown.
  private static let entryLimit = 4
  /// How many bytes are shown.
  private static let byteLimit = 32

  static func hexadecimal(_ number: UInt64) -> String { "0x" + String(number, radix: 16) }

  /// A machine's number, or that it is none.
  static func machine(_ number: UInt16) -> String {
    number == VMID.resourceManager.rawValue ? "manager" : "vm \(number)"
  }

  /// A small number in decimal, others and capabilities in hexadecimal digits; a state by its name.
  static func number(_ number: UInt64, of name: String) -> String {
    switch name {
    case "cap", "ipa", "base": return hexadecimal(number)
    case "delay" where number == .max, "threshold" where number == .max: return "-1"
    default: return number < 4096 ? "\(number)" : hexadecimal(number)
    }
  }

  static func fields(_ fields: [RPCField]) -> String {
    // A state is a machine's where the parts of one stand beside it.
    let isOfMachine = fields.contains { $0.name == "os" }
    return fields.map { field in
      switch field.value {
      case .number(let number):
        let isState = isOfMachine && field.name == "state"
        let state = isState ? UInt8(exactly: number).flatMap { MachineState(rawValue: $0) } : nil
        return field.name + "=" + (state?.name ?? self.number(number, of: field.name))
      case .list(let entries):
        var parts = entries.prefix(entryLimit).map { self.fields($0) }
        if entries.count > entryLimit { parts.append("(\(entries.count - entryLimit) more)") }
        return field.name + "=[" + parts.joined(separator: "; ") + "]"
      case .bytes(let bytes): return field.name + "=" + self.bytes(bytes)
      }
    }.joined(separator: " ")
  }

  static func bytes(_ bytes: [UInt8]) -> String {
    HexadecimalBytes.text(Array(bytes.prefix(byteLimit))) + (bytes.count > byteLimit ? "…" : "")
  }
}
