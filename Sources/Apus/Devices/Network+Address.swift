extension Configuration.Device {
  /// An Ethernet address.
  public struct MACAddress: Equatable, Sendable, CustomStringConvertible {
    /// Six.
    public let bytes: [UInt8]

    /// Reads six pairs of hexadecimal digits between colons; the address of one card, not of a group.
    public init?(_ text: String) {
      let pairs = text.split(separator: ":", omittingEmptySubsequences: false)
      let bytes = pairs.compactMap { $0.utf8.count == 2 && $0.first != "+" ? UInt8($0, radix: 16) : nil }
      guard pairs.count == 6, bytes.count == 6, bytes[0] & 1 == 0, bytes != Array(repeating: 0, count: 6) else {
        return nil
      }
      self.bytes = bytes
    }

    /// The address of a machine's network card: locally administered, the same each time.
    ///
    /// - Parameters:
    ///   - machine: the machine's name.
    ///   - index: which of its network cards, from 0.
    public init(machine: String, index: Int) {
      // FNV-1a.
      var hash: UInt64 = 0xCBF2_9CE4_8422_2325
      for byte in Array(machine.utf8) + [0, UInt8(truncatingIfNeeded: index)] {
        hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
      }
      bytes = [0x02] + (0..<5).map { UInt8(truncatingIfNeeded: hash >> (8 * UInt64($0 + 2))) }
    }

    public var description: String {
      bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }
  }
}

extension Configuration.Device.MACAddress: Codable {
  /// - Throws: `DecodingError` where it is not the address of one card.
  public init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let address = Self(text) else {
      let advice = "give the address of one card, such as 02:12:34:56:78:9a"
      throw DecodingError.mistake("'\(text)' is none; \(advice)", at: decoder.codingPath)
    }
    self = address
  }

  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(case: description)
  }
}

extension Configuration {
  /// The same machine whose network cards' addresses are written down, so that they no longer follow its name.
  var withCardAddresses: Configuration {
    var result = self
    var ordinal = 0
    for index in devices.indices {
      guard case .network(var network) = devices[index].kind else { continue }
      network.mac = network.address(ordinal: ordinal, machineName: name)
      result.devices[index].kind = .network(network)
      ordinal += 1
    }
    return result
  }
}
