/// What a guest is promised of its processor, whatever the host's kernel would show it.
///
/// A guest sees of each ID register the fields that the model names, and of the others that nothing is there. What a
/// host cannot give is refused by name before the guest runs. Documentation/CPUModels.md has the form of the files.
public struct ProcessorModel: Equatable, Sendable {
  /// The version of the files' form that this program reads and writes.
  public static let formatVersion = 1

  /// What it is called: 1 to 64 letters, digits, dots, hyphens and underscores.
  public var name: String
  /// What it is, in a sentence.
  public var summary = ""
  /// The ID registers that it speaks of, by the names of the architecture's manual.
  public var registers: [Register] = []
  /// Whether a field that the host has more of and cannot lower is shown as it is, in place of a refusal.
  public var showsFixedFields = false
  /// PSCI's version, major in bits 31 to 16 and minor below, or nil for the highest that this program knows.
  public var psciVersion: UInt32?
  /// The names of the hypercall services that the guest gets, each of them, or nil for those that the host has.
  public var services: [String]?
  /// The lengths of scalable vectors, in bytes, multiples of 16; none for a processor without them.
  public var vectorLengths: [Int] = []
  /// The performance monitors, or nil for a processor without them.
  public var monitors: Monitors?
  /// Whether it has pointer authentication.
  public var hasPointerAuthentication = false

  /// A model that says nothing yet: a processor with the least of everything.
  public init(name: String) {
    self.name = name
  }

  /// An ID register.
  public struct Register: Equatable, Sendable {
    /// The name of the architecture's manual, such as `ID_AA64ISAR0_EL1`.
    public var name: String
    /// The fields that are not as if nothing were there, or nil where all are the host's.
    public var fields: [Field]?

    /// A register with the fields that the model names.
    public init(name: String, fields: [Field]?) {
      self.name = name
      self.fields = fields
    }
  }

  /// A field of an ID register.
  public struct Field: Equatable, Sendable {
    /// The name of the architecture's manual, such as `AES`.
    public var name: String
    /// What the guest sees.
    public var rule: Rule
    /// Whether it is shown as it is where the host has more and cannot lower it, in place of a refusal.
    public var isShownWhereFixed = false

    /// A field with its rule.
    public init(name: String, rule: Rule, isShownWhereFixed: Bool = false) {
      self.name = name
      self.rule = rule
      self.isShownWhereFixed = isShownWhereFixed
    }
  }

  /// What a guest sees of a field.
  public enum Rule: Equatable, Sendable {
    /// This value, in the field's bits.
    case value(UInt64)
    /// The host's value or this one, whichever is less.
    case atMost(UInt64)
    /// The host's value.
    case host
  }

  /// Performance monitors.
  public struct Monitors: Equatable, Sendable {
    /// How many event counters, 0 to 31, or nil for as many as the host has.
    public var counters: Int?

    /// Monitors with so many event counters.
    public init(counters: Int? = nil) {
      self.counters = counters
    }
  }

  /// The register of that name, where the model speaks of it.
  public subscript(name: String) -> Register? { registers.first { $0.name == name } }

  /// The largest model for a fleet of hosts of which each can give one of these, as far as their kernels lower fields.
  ///
  /// Of each field the least that they have; lengths of vectors as far as all have the same; services that all have.
  ///
  /// - Parameters:
  ///   - models: one or more.
  ///   - name: what to call it.
  public static func intersection(of models: [ProcessorModel], name: String) -> ProcessorModel {
    precondition(!models.isEmpty, "there is nothing that no model has")
    var result = models[0]
    for model in models.dropFirst() { result = result.intersection(model) }
    result.name = name
    result.summary = "What all of \(models.map(\.name).joined(separator: ", ")) have"
    return result
  }
}
