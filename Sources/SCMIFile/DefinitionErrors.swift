public import SCMI

/// One mistake in a platform definition.
public struct DefinitionError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Where: a JSON pointer into the platform file (RFC 6901), such as `/clocks/3/rates`. The definition's properties
  /// have the same names.
  public var path: String
  /// What is wrong and what was expected.
  public var message: String

  public init(path: String, message: String) {
    self.path = path
    self.message = message
  }

  public var description: String { "\(path.shortened): \(message.shortened)" }
}

/// Every mistake of a definition, in order.
public struct DefinitionErrors: Error, Sendable, CustomStringConvertible {
  /// In the order of the definition's lists.
  public var errors: [DefinitionError]

  public var description: String { errors.map(\.description).joined(separator: "\n") }
}

extension SCMIPlatform {
  /// - Parameter vendors: vendor protocols written in Swift, besides those of the definition that are data.
  /// - Throws: every mistake of the definition.
  public init(_ definition: PlatformDefinition, vendors: [any VendorProtocol] = []) throws(DefinitionErrors) {
    let errors = definition.validate(vendors: vendors)
    guard errors.isEmpty else { throw DefinitionErrors(errors: errors) }
    self.init(valid: definition, vendors: vendors)
  }
}
