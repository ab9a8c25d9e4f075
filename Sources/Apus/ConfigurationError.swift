public import Host

/// Everything that is wrong with a configuration, at once.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// One mistake.
  public struct Problem: Equatable, Sendable, CustomStringConvertible {
    /// The exit status that it alone would have.
    public let kind: Kind
    /// What in the configuration has to change.
    public let path: Configuration.Path
    /// What is wrong and what would be right, in terms of the configuration.
    public let reason: Reason

    init(_ kind: Kind, _ path: Configuration.Path, _ reason: Reason) {
      self.kind = kind
      self.path = path
      self.reason = reason
    }

    /// The path and the reason: one line, for any terminal.
    public var description: String { "\(path): \(reason)" }
  }

  /// What kind of mistake it is.
  public typealias Kind = FailureKind

  /// What is wrong with something and what would be right: a text in which other places of the configuration may stand.
  ///
  /// Whoever knows these by names of his own, such as a program with options, writes it with those:
  /// ``text(naming:)``.
  public struct Reason: Equatable, Sendable, ExpressibleByStringInterpolation, CustomStringConvertible {
    /// Whether it goes on from the name of what is wrong, without a colon: "takes 1 or more, not 0".
    public let isPredicate: Bool
    private var pieces: [Piece]

    fileprivate enum Piece: Equatable, Sendable {
      case text(String)
      /// A place, and what to set it to if that is said.
      case place(Configuration.Path, value: String?)
    }

    /// A text that is a sentence of its own.
    public init(stringLiteral value: String) {
      pieces = [.text(value)]
      isPredicate = false
    }

    /// A text that is a sentence of its own, with places in it.
    public init(stringInterpolation: StringInterpolation) {
      pieces = stringInterpolation.pieces
      isPredicate = false
    }

    /// A sentence of its own in the words of an error's description.
    init(_ text: some CustomStringConvertible) {
      pieces = [.text("\(text)")]
      isPredicate = false
    }

    /// What goes on from the name.
    init(predicate: Reason) {
      pieces = predicate.pieces
      isPredicate = true
    }

    /// The text with each place as its path in back-ticks.
    public var description: String {
      text { path, value in "`\(path)`" + (value.map { " \($0)" } ?? "") }
    }

    /// The text with other names: one line, for any terminal.
    ///
    /// - Parameter name: what to write for a place and, unless that is nil, for what to set it to, in Swift's words.
    public func text(naming name: (Configuration.Path, _ value: String?) -> String) -> String {
      let texts = pieces.map { piece in
        switch piece {
        case .text(let text): text
        case .place(let path, let value): name(path, value)
        }
      }
      return texts.joined().plain
    }

    /// The pieces of a text with places in it.
    public struct StringInterpolation: StringInterpolationProtocol {
      fileprivate var pieces: [Piece] = []

      /// A text without pieces.
      public init(literalCapacity: Int, interpolationCount: Int) {}

      /// A text as it stands in the source.
      public mutating func appendLiteral(_ literal: String) {
        pieces.append(.text(literal))
      }

      /// A value's description.
      public mutating func appendInterpolation(_ value: some CustomStringConvertible) {
        pieces.append(.text("\(value)"))
      }

      /// A place in the configuration, and what to set it to.
      public mutating func appendInterpolation(at path: Configuration.Path, _ value: String? = nil) {
        pieces.append(.place(path, value: value))
      }
    }
  }

  /// At least one, in the order of the configuration.
  public let problems: [Problem]

  init(problems: [Problem]) {
    self.problems = problems
  }

  init(_ kind: Kind, _ path: Configuration.Path, _ reason: Reason) {
    problems = [Problem(kind, path, reason)]
  }

  /// The status for a process that ends because of it: that of the first mistake.
  public var exitStatus: Int32 { problems.first?.kind.rawValue ?? Kind.usage.rawValue }

  /// Each problem on a line.
  public var description: String { problems.map(\.description).joined(separator: "\n") }
}
