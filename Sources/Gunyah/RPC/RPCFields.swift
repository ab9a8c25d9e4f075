/// A part of a message's payload, for somebody who reads it.
public struct RPCField: Equatable, Sendable {
  /// What stands there.
  public enum Value: Equatable, Sendable {
    /// An unsigned integer of 1 to 8 bytes, little-endian in the payload.
    case number(UInt64)
    /// Entries, each of the same parts.
    case list([[RPCField]])
    /// Bytes that no part of the message is known for.
    case bytes([UInt8])
  }

  /// The part's name, as Gunyah's resource manager has it.
  public var name: String
  /// The part's value.
  public var value: Value

  /// A part with this name and value.
  public init(name: String, value: Value) {
    self.name = name
    self.value = value
  }
}

extension RPCMessage {
  /// The payload's parts in their order, without those that are reserved. What is missing at the end is not there;
  /// what is too much, or all of a message that is not known, is a part named `rest`.
  public var fields: [RPCField] {
    var rest = payload[...]
    var fields: [RPCField] = []
    var isWhole = true
    for part in parts where isWhole { isWhole = part.read(&rest, into: &fields) }
    if !rest.isEmpty { fields.append(RPCField(name: "rest", value: .bytes(Array(rest)))) }
    return fields
  }

  private var parts: [Part] {
    switch kind {
    case .request: Part.requests[id] ?? []
    case .notification: Part.notifications[id] ?? []
    case .reply: [Part.number("error", 4)] + (Part.replies[id] ?? [])
    case .continuation: []
    }
  }
}

/// How a part of a payload is laid out.
private enum Part: Sendable {
  case number(String, Int)
  case reserved(Int)
  /// A list whose number of entries has so many bytes, with what stands between the number and the first entry.
  indirect case list(String, Int, between: [Part], of: [Part])

  static let machine: [Part] = [.number("vmid", 2), .reserved(2)]
  static let access: Part = .list(
    "acl",
    2,
    between: [.reserved(2)],
    of: [.number("vmid", 2), .number("rights", 1), .reserved(1)]
  )
  static let range: [Part] = [.number("ipa", 8), .number("size", 8)]
  static let ranges: Part = .list("sgl", 2, between: [.reserved(2)], of: range)
  static let attributes: Part = .list(
    "attributes",
    2,
    between: [.reserved(2)],
    of: [.number("attr", 2), .number("vmid", 2)]
  )
  static let parcel: [Part] = [
    .number("type", 1), .reserved(1), .number("flags", 1), .reserved(1), .number("label", 4), access, ranges,
    attributes,
  ]
  static let handle: [Part] = [.number("handle", 4), .number("flags", 1), .reserved(3)]

  static let requests: [MessageID: [Part]] = [
    .allocate: machine, .deallocate: machine, .start: machine, .reset: machine, .initialize: machine,
    .getState: machine, .getResources: machine,
    .stop: [.number("vmid", 2), .number("flags", 1), .reserved(1), .number("reason", 4)],
    .configureImage: [
      .number("vmid", 2), .number("auth", 2), .number("handle", 4), .number("image_offset", 8),
      .number("image_size", 8), .number("dtb_offset", 8), .number("dtb_size", 8),
    ],
    .authenticateImage: [
      .number("vmid", 2), .list("parameters", 2, between: [], of: [.number("type", 4), .number("value", 4)]),
    ],
    .setFirmwareMemory: machine + [.number("handle", 4), .number("offset", 8), .number("size", 8)],
    .setStatus: [.reserved(1), .number("os", 1), .number("app", 2)],
    .exit: [.number("flags", 2), .number("code", 1), .reserved(1)],
    .donate: parcel, .lend: parcel, .share: parcel,
    .append: handle + [ranges],
    .accept: [
      .number("handle", 4), .number("type", 1), .number("trans", 1), .number("flags", 1), .reserved(1),
      .number("label", 4), access, .list("sgl", 2, between: [.number("map_vmid", 2)], of: range), attributes,
    ],
    .release: handle, .reclaim: handle,
    .notify: handle + [.number("tag", 4), .list("vmids", 2, between: [.reserved(2)], of: machine)],
  ]

  static let replies: [MessageID: [Part]] = [
    .allocate: [.number("vmid", 4)], .getVMID: [.number("vmid", 4)], .getOwner: [.number("vmid", 4)],
    .getState: [.number("state", 1), .number("os", 1), .number("app", 2)],
    .getPeers: [.list("vmids", 4, between: [], of: [.number("vmid", 4)])],
    .getResources: [
      .list(
        "resources",
        4,
        between: [],
        of: [
          .number("type", 1), .reserved(1), .number("partner", 2), .number("handle", 4), .number("label", 4),
          .number("cap", 8), .number("virq_handle", 4), .number("virq", 4), .number("base", 8), .number("size", 8),
        ]
      )
    ],
    .donate: [.number("handle", 4)], .lend: [.number("handle", 4)], .share: [.number("handle", 4)],
    .accept: [.list("sgl", 2, between: [.number("incomplete", 1), .reserved(1)], of: range)],
  ]

  static let notifications: [MessageID: [Part]] = [
    .machineExited: [
      .number("vmid", 2), .number("type", 2), .number("size", 4), .number("flags", 2), .number("code", 2),
    ],
    .shutdown: [.number("reason", 4)],
    .machineStatus: machine + [.number("state", 1), .number("os", 1), .number("app", 2)],
    .parcelShared: [
      .number("handle", 4), .number("type", 1), .number("trans", 1), .number("flags", 1), .reserved(1),
      .number("owner", 2), .reserved(2), .number("label", 4), .number("tag", 4), access,
      .list("sizes", 2, between: [.reserved(2)], of: [.number("size", 8)]), attributes,
    ],
    .parcelReleased: [.number("handle", 4), .number("vmid", 2), .reserved(2), .number("tag", 4)],
    .parcelAccepted: [.number("handle", 4), .number("vmid", 2), .reserved(2), .number("tag", 4)],
    .parcelRecall: [.number("handle", 4), .number("tag", 4)],
  ]

  /// Takes the part; false where the payload ends before it.
  func read(_ rest: inout ArraySlice<UInt8>, into fields: inout [RPCField]) -> Bool {
    switch self {
    case .number(let name, let size):
      guard let number = Part.take(size, &rest) else { return false }
      fields.append(RPCField(name: name, value: .number(number)))
    case .reserved(let size):
      return Part.take(size, &rest) != nil
    case .list(let name, let size, let between, let parts):
      guard let count = Part.take(size, &rest) else { return false }
      for part in between {
        guard part.read(&rest, into: &fields) else { return false }
      }
      var entries: [[RPCField]] = []
      var isWhole = true
      while isWhole, entries.count < count {
        var entry: [RPCField] = []
        for part in parts where isWhole { isWhole = part.read(&rest, into: &entry) }
        if isWhole { entries.append(entry) }
      }
      fields.append(RPCField(name: name, value: .list(entries)))
      return isWhole
    }
    return true
  }

  private static func take(_ size: Int, _ rest: inout ArraySlice<UInt8>) -> UInt64? {
    guard rest.count >= size else { return nil }
    defer { rest = rest.dropFirst(size) }
    return rest.prefix(size).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
