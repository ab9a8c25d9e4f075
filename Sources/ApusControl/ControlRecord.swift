public import PositionedJSON

/// An object with named fields. One description of these serves who reads, who writes and the schema.
public protocol ControlRecord: ControlValue {
  /// A record to be filled.
  init()

  /// Shows each field, in the order in which they are written.
  ///
  /// - Throws: what `fields` throws.
  mutating func visit(_ fields: inout ControlFields) throws(ControlError)
}

extension ControlRecord {
  public static var schema: ControlSchema {
    var fields = ControlFields(.describe)
    var record = Self()
    // What describes fields throws nothing.
    try? record.visit(&fields)
    return .object(fields.properties)
  }

  public init(_ json: JSONValue, at path: ControlPath) throws(ControlError) {
    guard let members = json.members else { throw path.wrong(json, "object") }
    self.init()
    var fields = ControlFields(.read(members, path))
    try visit(&fields)
    try fields.finish()
  }

  public func write(to writer: inout ControlWriter) {
    writer.beginObject()
    writeFields(to: &writer)
    writer.endObject()
  }

  /// Writes the fields into an object that somebody else begins and ends.
  func writeFields(to writer: inout ControlWriter) {
    var fields = ControlFields(.write)
    swap(&fields.writer, &writer)
    var copy = self
    // What writes fields throws nothing.
    try? copy.visit(&fields)
    swap(&fields.writer, &writer)
  }
}

/// A record without fields.
public struct ControlNothing: ControlRecord {
  public init() {}

  public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {}
}

/// What a record shows its fields to.
public struct ControlFields {
  enum Purpose {
    case read([JSONValue.Member], ControlPath)
    case write
    case describe
  }

  private let purpose: Purpose
  var writer = ControlWriter()
  private(set) var properties: [ControlSchema.Property] = []
  /// The keys that were asked for.
  private var known: [String] = []

  init(_ purpose: Purpose) {
    self.purpose = purpose
  }

  /// Shows one field.
  ///
  /// - Parameters:
  ///   - name: its key.
  ///   - value: what it holds, and gets where the record is read.
  ///   - about: what it means, with its unit, for the schema.
  /// - Throws: where the record is read, for a field that is not there or has another form.
  public mutating func field<Value: ControlValue>(
    _ name: String,
    _ value: inout Value,
    _ about: String
  ) throws(ControlError) {
    switch purpose {
    case .describe: properties.append(.init(name: name, about: about, schema: Value.schema))
    case .write:
      guard !value.isAbsent else { return }
      writer.key(name)
      value.write(to: &writer)
    case .read(let members, let path):
      known.append(name)
      if let member = members.first(where: { $0.key == name }) {
        value = try Value(member.value, at: path.key(name))
      } else if let absent = Value.absent {
        value = absent
      } else {
        throw ControlError(.invalidParameters, "'\(path.key(name).text)' is missing. It is: \(about)")
      }
    }
  }

  /// Refuses keys that nobody asked for.
  func finish() throws(ControlError) {
    guard case .read(let members, let path) = purpose, !path.isLenient, members.count > 0 else { return }
    for member in members where !known.contains(member.key) {
      let text = known.isEmpty ? "there are none here" : "give \(known.joined(separator: ", "))"
      throw ControlError(.invalidParameters, "\(path.key(member.key).text): there is no such parameter; \(text)")
    }
  }
}
