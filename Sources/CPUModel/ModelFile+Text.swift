extension ProcessorModel {
  /// The model as a file has it: JSON, a register to a line.
  public var json: String {
    var lines = ["  \"format\": \(Self.formatVersion)", "  \"name\": \"\(name)\""]
    if summary != "" { lines.append("  \"description\": \(Self.quoted(summary))") }
    if showsFixedFields { lines.append("  \"fixed\": \"show\"") }
    if let psciVersion { lines.append("  \"psci\": \"\(Self.text(psci: UInt64(psciVersion)))\"") }
    if let services {
      lines.append("  \"services\": [\(services.map { "\"\($0)\"" }.joined(separator: ", "))]")
    }
    if !vectorLengths.isEmpty {
      lines.append("  \"sve\": { \"lengths\": [\(vectorLengths.map(String.init).joined(separator: ", "))] }")
    }
    if let monitors {
      lines.append("  \"pmu\": " + (monitors.counters.map { "{ \"counters\": \($0) }" } ?? "{}"))
    }
    if hasPointerAuthentication { lines.append("  \"pointerAuthentication\": true") }
    var rows: [String] = []
    for register in registers { rows.append("    \"\(register.name)\": \(Self.text(register))") }
    lines.append(rows.isEmpty ? "  \"registers\": {}" : "  \"registers\": {\n\(rows.joined(separator: ",\n"))\n  }")
    return "{\n" + lines.joined(separator: ",\n") + "\n}\n"
  }

  private static func text(_ register: Register) -> String {
    guard let fields = register.fields else { return "\"host\"" }
    let known = IDRegisters.register(named: register.name)
    var members: [String] = []
    for field in fields { members.append("\"\(field.name)\": \(text(field, known?.part(named: field.name)))") }
    return members.isEmpty ? "{}" : "{ \(members.joined(separator: ", ")) }"
  }

  private static func text(_ field: Field, _ part: IDField?) -> String {
    let fixed = field.isShownWhereFixed ? ", \"fixed\": \"show\"" : ""
    switch field.rule {
    case .host: return "\"host\""
    case .value(let value):
      let number = part?.text(value) ?? "\(value)"
      return fixed == "" ? number : "{ \"value\": \(number)\(fixed) }"
    case .atMost(let value): return "{ \"max\": \(part?.text(value) ?? "\(value)")\(fixed) }"
    }
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case let other where other.value < 0x20:
        result +=
          "\\u00" + (other.value < 0x10 ? "0" : "1")
          + "0123456789abcdef".dropFirst(Int(other.value & 0xF)).prefix(1)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
