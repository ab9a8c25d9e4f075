/// What a value looks like, for the published schema and for who reads words into values.
public indirect enum ControlSchema: Sendable {
  /// True or false.
  case boolean
  /// A whole number of these, both included.
  case integer(minimum: Int64, maximum: UInt64)
  /// Any number.
  case number
  /// A text.
  case string
  /// One of these words.
  case enumeration([String])
  /// Any number of such values.
  case array(ControlSchema)
  /// These keys with values.
  case object([Property])
  /// A value that need not be there.
  case optional(ControlSchema)
  /// Any JSON.
  case any

  /// A key of an object.
  public struct Property: Sendable {
    /// The key.
    public let name: String
    /// What it means, with its unit.
    public let about: String
    /// What its value looks like.
    public let schema: ControlSchema

    /// Whether it has to be there.
    public var isRequired: Bool { if case .optional = schema { false } else { true } }
  }

  /// The same where it is not optional.
  public var base: ControlSchema { if case .optional(let schema) = self { schema } else { self } }

  /// Writes it as a schema of JSON Schema 2020-12.
  func write(to writer: inout ControlWriter, about: String? = nil) {
    writer.beginObject()
    if let about {
      writer.key("description")
      writer.string(about)
    }
    writeBody(to: &writer)
    writer.endObject()
  }

  private func type(_ name: String, _ writer: inout ControlWriter) {
    writer.key("type")
    writer.string(name)
  }

  private func writeBody(to writer: inout ControlWriter) {
    switch self {
    case .boolean: type("boolean", &writer)
    case .integer(let minimum, let maximum):
      type("integer", &writer)
      writer.key("minimum")
      writer.integer(minimum)
      writer.key("maximum")
      writer.integer(maximum)
    case .number: type("number", &writer)
    case .string: type("string", &writer)
    case .enumeration(let words):
      type("string", &writer)
      writer.key("enum")
      writer.beginArray()
      for word in words { writer.string(word) }
      writer.endArray()
    case .array(let element):
      type("array", &writer)
      writer.key("items")
      element.write(to: &writer)
    case .object(let properties):
      type("object", &writer)
      writer.key("properties")
      writer.beginObject()
      for property in properties {
        writer.key(property.name)
        property.schema.write(to: &writer, about: property.about)
      }
      writer.endObject()
      writer.key("required")
      writer.beginArray()
      for property in properties where property.isRequired { writer.string(property.name) }
      writer.endArray()
    case .optional(let schema): schema.writeBody(to: &writer)
    case .any: break
    }
  }
}
