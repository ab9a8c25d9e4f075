import Host
import HostBackends

extension Configuration {
  /// Where a debugger may connect that speaks gdb's remote protocol: whoever does has the whole guest in his hands.
  public struct Debugger: Equatable, Sendable {
    /// Where it connects.
    public var address: Address
    /// Whether the guest's first instruction waits for it.
    public var waits = false

    /// A place where a debugger may connect.
    public enum Address: Equatable, Sendable {
      /// A UNIX stream socket that is made at this path, for this user alone.
      case socket(path: String)
      /// A TCP port of 127.0.0.1, for every user of this host; 0 is one that is free, which the log tells.
      case port(UInt16)
    }

    /// A debugger that connects when it likes.
    public init(_ address: Address) {
      self.address = address
    }
  }

  /// Why no debugger could connect.
  var debuggerProblem: ConfigurationError.Problem? {
    guard let debugger, let problem = DebugListener.problem(.init(debugger.address)) else { return nil }
    return .init(problem.kind, .property(.debugger), .init(problem))
  }
}

extension Configuration.Debugger: CustomStringConvertible {
  /// `unix=` and a path or `tcp=` and a port's number, with `,wait` behind it where the guest waits.
  public var description: String {
    let place =
      switch address {
      case .socket(let path): "unix=\(path)"
      case .port(let number): "tcp=\(number)"
      }
    return place + (waits ? ",wait" : "")
  }
}

extension Configuration.Debugger: Codable {
  /// - Throws: `DecodingError` where it is neither `socket` with a path nor `port` with a number.
  public init(from decoder: any Decoder) throws {
    let coded = try CodedCase(decoder, names: ["socket", "port"])
    if coded.name == "socket" {
      let values = try coded.values(["path", "waits"])
      self.init(.socket(path: try values.value("path")))
      try values.read("waits", into: &waits)
    } else {
      let values = try coded.values(["number", "waits"])
      self.init(.port(try values.value("number")))
      try values.read("waits", into: &waits)
    }
  }

  public func encode(to encoder: any Encoder) throws {
    switch address {
    case .socket(let path):
      try encoder.encode(case: "socket") {
        try $0.encode(path, forKey: "path")
        try $0.encode(waits, forKey: "waits")
      }
    case .port(let number):
      try encoder.encode(case: "port") {
        try $0.encode(number, forKey: "number")
        try $0.encode(waits, forKey: "waits")
      }
    }
  }
}
