/// Why a request was not answered with a result (JSON-RPC 2.0, 5.1).
public struct ControlError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What kind of mistake it is.
  public let code: Code
  /// What is wrong, and what to do about it.
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }

  /// The kinds of mistake. Those from −32768 to −32600 are the specification's, the others are Apus's own.
  public struct Code: RawRepresentable, Hashable, Sendable {
    public let rawValue: Int

    public init(rawValue: Int) {
      self.rawValue = rawValue
    }

    /// The line is no JSON.
    public static let parse = Code(rawValue: -32700)
    /// The JSON is no request.
    public static let invalidRequest = Code(rawValue: -32600)
    /// There is no such method.
    public static let methodNotFound = Code(rawValue: -32601)
    /// The parameters are not those of the method.
    public static let invalidParameters = Code(rawValue: -32602)
    /// Apus is at fault, or its host.
    public static let internalError = Code(rawValue: -32603)
    /// The machine cannot do that, now or at all; the message says why.
    public static let refused = Code(rawValue: -32000)
    /// The client wants a version of the protocol that this server does not speak.
    public static let unsupportedVersion = Code(rawValue: -32001)
    /// The machine has ended, or ends.
    public static let ended = Code(rawValue: -32002)
    /// What the parameters name is not there: a device, a resource, a subscription.
    public static let notFound = Code(rawValue: -32003)
    /// The client's own: there is no connection, or it was lost.
    public static let disconnected = Code(rawValue: -32010)
    /// The client's own: no answer came in time.
    public static let timedOut = Code(rawValue: -32011)
    /// The client's own: what came is no answer.
    public static let protocolViolation = Code(rawValue: -32012)
    /// The client's own: the folder in which machines are registered cannot be used.
    public static let unusableFolder = Code(rawValue: -32013)

    /// All that a server gives, with what each means, for the schema.
    static let published: [(code: Code, meaning: String)] = [
      (.parse, "The line is no JSON."), (.invalidRequest, "The JSON is no request, or the line is too long."),
      (.methodNotFound, "There is no such method."),
      (.invalidParameters, "The parameters are not those of the method."),
      (.internalError, "Apus or its host failed."),
      (.refused, "The machine cannot do that, now or at all."),
      (.unsupportedVersion, "The server does not speak the version of the protocol that the client wants."),
      (.ended, "The machine has ended, or ends."), (.notFound, "What the parameters name is not there."),
    ]
  }
}
