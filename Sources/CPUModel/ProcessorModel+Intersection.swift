extension ProcessorModel {
  func intersection(_ other: ProcessorModel) -> ProcessorModel {
    var result = ProcessorModel(name: name)
    result.showsFixedFields = showsFixedFields && other.showsFixedFields
    result.psciVersion = Self.least(psciVersion, other.psciVersion)
    result.services = Self.common(services, other.services)
    result.vectorLengths = Self.prefix(vectorLengths, other.vectorLengths)
    if let monitors, let others = other.monitors {
      result.monitors = Monitors(counters: Self.least(monitors.counters, others.counters))
    }
    for register in registers {
      guard let second = other[register.name], let known = IDRegisters.register(named: register.name) else { continue }
      let fields = Self.intersection(register, second, known)
      if fields?.isEmpty != true { result.registers.append(Register(name: register.name, fields: fields)) }
    }
    result.hasPointerAuthentication =
      hasPointerAuthentication && other.hasPointerAuthentication && result.hasAuthenticationAlgorithm
    result.dropDependents()
    return result
  }

  /// Algorithms have no order: where two hosts have different ones, none is left.
  private var hasAuthenticationAlgorithm: Bool {
    for (register, field) in Self.authenticationFields {
      guard let named = self[register] else { continue }
      guard let fields = named.fields else { return true }
      for candidate in fields where candidate.name == field && candidate.rule != .value(0) { return true }
    }
    return false
  }

  private static let authenticationFields = [
    ("ID_AA64ISAR1_EL1", "APA"), ("ID_AA64ISAR1_EL1", "API"), ("ID_AA64ISAR2_EL1", "APA3"),
  ]

  /// Takes out the fields of parts of the processor that the model does not have.
  private mutating func dropDependents() {
    if !hasPointerAuthentication {
      drop("ID_AA64ISAR1_EL1", ["APA", "API", "GPA", "GPI"])
      drop("ID_AA64ISAR2_EL1", ["APA3", "GPA3", "PAC_frac"])
    }
    if vectorLengths.isEmpty {
      drop("ID_AA64PFR0_EL1", ["SVE"])
      registers.removeAll { $0.name == "ID_AA64ZFR0_EL1" }
    }
    if monitors == nil { drop("ID_AA64DFR0_EL1", ["PMUVer"]) }
    registers.removeAll { $0.fields?.isEmpty == true }
  }

  private mutating func drop(_ register: String, _ fields: [String]) {
    for index in registers.indices where registers[index].name == register {
      registers[index].fields?.removeAll { fields.contains($0.name) }
    }
  }

  /// - Returns: the fields that are not as if nothing were there; nil where all are the host's.
  private static func intersection(_ one: Register, _ other: Register, _ known: IDRegister) -> [Field]? {
    guard one.fields != nil || other.fields != nil else { return nil }
    var names: [String] = []
    for field in (one.fields ?? []) + (other.fields ?? []) where !names.contains(field.name) {
      names.append(field.name)
    }
    var fields: [Field] = []
    for name in names {
      guard let part = known.part(named: name) else { continue }
      let (first, second) = (one.field(name, part), other.field(name, part))
      let field = Field(
        name: name,
        rule: intersection(first.rule, second.rule, part),
        isShownWhereFixed: first.isShownWhereFixed && second.isShownWhereFixed
      )
      if field.rule != .value(part.absent) || field.isShownWhereFixed { fields.append(field) }
    }
    return fields
  }

  private static func intersection(_ one: Rule, _ other: Rule, _ field: IDField) -> Rule {
    switch (one, other) {
    case (.host, .host): .host
    case (.host, .value(let value)), (.value(let value), .host): .atMost(value)
    case (.host, .atMost(let value)), (.atMost(let value), .host): .atMost(value)
    case (.value(let first), .value(let second)): .value(field.minimum(first, second))
    case (.atMost(let first), .value(let second)), (.value(let first), .atMost(let second)),
      (.atMost(let first), .atMost(let second)):
      .atMost(field.minimum(first, second))
    }
  }

  private static func least<Number: Comparable>(_ one: Number?, _ other: Number?) -> Number? {
    guard let one, let other else { return one ?? other }
    return min(one, other)
  }

  private static func common(_ one: [String]?, _ other: [String]?) -> [String]? {
    guard let one, let other else { return one ?? other }
    return one.filter { other.contains($0) }
  }

  /// KVM gives all lengths of a host up to one: the longest up to which both have the same.
  private static func prefix(_ one: [Int], _ other: [Int]) -> [Int] {
    var common: [Int] = []
    for (first, second) in zip(one, other) {
      guard first == second else { break }
      common.append(first)
    }
    return common
  }
}

extension ProcessorModel.Register {
  /// What the register says of a field.
  func field(_ name: String, _ part: IDField) -> ProcessorModel.Field {
    guard let fields else { return ProcessorModel.Field(name: name, rule: .host) }
    return fields.first { $0.name == name } ?? ProcessorModel.Field(name: name, rule: .value(part.absent))
  }
}

extension IDRegister {
  /// A field by its name, or bits by their numbers: `bits 7:4`.
  func part(named name: String) -> IDField? {
    if let field = field(name) { return field }
    guard name.hasPrefix("bits ") else { return nil }
    let numbers = name.dropFirst(5).split(separator: ":" as Character).map { UInt64($0) }
    guard numbers.count == 2, let high = numbers[0], let low = numbers[1], low <= high, high <= 63, high - low < 4
    else {
      return nil
    }
    let part = IDField(name, low, width: high - low + 1)
    return part.name == name && !fields.contains { $0.mask & part.mask != 0 } ? part : nil
  }
}
