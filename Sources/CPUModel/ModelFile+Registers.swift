internal import PositionedJSON

extension ModelFileReader {
  mutating func readRegisters(_ value: JSONValue, _ model: inout ProcessorModel) {
    for member in members(value, "/registers", of: nil) ?? [] {
      let path = "/registers/" + JSONPointer.escape(member.key)
      guard let known = IDRegisters.register(named: member.key), !known.id.isImplementation else {
        fail(member.value, path, "is no ID register that a model can have")
        continue
      }
      if member.value.string == "host" {
        model.registers.append(ProcessorModel.Register(name: known.name, fields: nil))
        continue
      }
      var fields: [ProcessorModel.Field] = []
      for field in members(member.value, path, of: nil) ?? [] {
        let place = path + "/" + JSONPointer.escape(field.key)
        guard let part = known.part(named: field.key) else {
          let names = known.fields.map(\.name).joined(separator: ", ")
          fail(field.value, place, "is no field of \(known.name); expected \(names.isEmpty ? "bits 3:0" : names)")
          continue
        }
        let overlaps = fields.contains { known.part(named: $0.name).map { $0.mask & part.mask != 0 } ?? false }
        if overlaps {
          fail(field.value, place, "shares bits with a field above")
          continue
        }
        if let read = self.field(field.value, part, place) { fields.append(read) }
      }
      model.registers.append(ProcessorModel.Register(name: known.name, fields: fields))
    }
  }

  private mutating func field(_ value: JSONValue, _ part: IDField, _ path: String) -> ProcessorModel.Field? {
    if value.string == "host" { return ProcessorModel.Field(name: part.name, rule: .host) }
    if value.members == nil {
      return number(value, part, path).map { ProcessorModel.Field(name: part.name, rule: .value($0)) }
    }
    _ = members(value, path, of: ["fixed", "max", "value"])
    let isShown = value["fixed"].map { showsFixed($0, path + "/fixed") } ?? false
    switch (value["value"], value["max"]) {
    case (let exact?, nil):
      return number(exact, part, path + "/value").map {
        ProcessorModel.Field(name: part.name, rule: .value($0), isShownWhereFixed: isShown)
      }
    case (nil, let most?):
      return number(most, part, path + "/max").map {
        ProcessorModel.Field(name: part.name, rule: .atMost($0), isShownWhereFixed: isShown)
      }
    default:
      fail(value, path, "expected one of value and max")
      return nil
    }
  }

  /// A field's value: below zero where it has a sign.
  private mutating func number(_ value: JSONValue, _ part: IDField, _ path: String) -> UInt64? {
    let lowest = part.order == .signed ? -Int64(part.limit / 2) - 1 : 0
    let highest = part.order == .signed ? Int64(part.limit / 2) : Int64(part.limit)
    guard let number = value.integer(Int64.self), number >= lowest, number <= highest else {
      fail(value, path, "expected a number from \(lowest) to \(highest), \"host\", or an object with value or max")
      return nil
    }
    return UInt64(bitPattern: number) & part.limit
  }
}
