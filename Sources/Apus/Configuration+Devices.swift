import GuestABI

// What a machine has of virtio devices, and what of the guest's memory they may reach.

extension Configuration {
  /// What devices may reach of the guest's memory.
  public enum DMA: Equatable, Sendable {
    /// Windows of their own: memory that is no RAM of the guest's kernel but where its bounce buffers are. The number
    /// is the bytes of each window, a multiple of 2 MiB; without one, a window is as large as its devices need it.
    case confined(windowSize: UInt64? = nil)
    /// Memory of Apus's own, into which each request is copied: for kernels without CONFIG_DMA_RESTRICTED_POOL. The
    /// guest sees nothing of it.
    case shadow
    /// All of RAM, for the same kernels, without the copies.
    case open

    /// Whether a guest's driver has no pool to keep to.
    var isWithoutWindows: Bool {
      if case .confined = self { false } else { true }
    }
  }

  /// A virtio device.
  public struct Device: Equatable, Sendable {
    /// The device type, with what only that type has.
    public var kind: Kind
    /// The window that it shares with the other devices of that name, where DMA is confined. Lower-case letters, digits
    /// and hyphens, at most 32.
    public var window = defaultWindow

    /// The window of devices that name none.
    public static let defaultWindow = "default"

    /// A device in the default window.
    public init(_ kind: Kind) {
      self.kind = kind
    }
  }
}

extension Configuration.Device {
  /// The name that events and the report use.
  var typeName: String { kind.name.rawValue }
}

extension Configuration.Device: Codable {
  /// - Throws: `DecodingError`, which says with its path what is missing without a default, unknown or of another form.
  public init(from decoder: any Decoder) throws {
    let kinds = KindName.allCases.map(\.rawValue)
    let object = try CodedObject(decoder, keys: kinds + ["window"])
    let name = KindName(rawValue: try object.onlyKey(of: kinds))
    guard let name else { preconditionFailure("the key is one of the kinds") }
    self.init(try Kind(name, object))
    try object.read("window", into: &window)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(kind.value, forKey: CodedKey(stringValue: typeName))
    try container.encode(window, forKey: "window")
  }
}

extension Configuration {
  /// The mistakes in the devices' plain values.
  func deviceProblems() -> [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    func add(_ path: Path, _ reason: ConfigurationError.Reason) {
      problems.append(.init(.usage, path, reason))
    }
    for (index, device) in devices.enumerated() {
      // The first one beyond the limit is told, whatever comes after it.
      let earlier = devices[..<index].count { $0.kind.name == device.kind.name }
      guard earlier == device.kind.value.countLimit else { continue }
      let count = devices.count { $0.kind.name == device.kind.name }
      if let reason = device.kind.value.problem(ofSeveral: count) { add(.device(index, .whole), reason) }
    }
    // Where there are too many of a kind, that is the limit which matters.
    if problems.isEmpty, devices.count > Int(MemoryMap.virtioDeviceLimit) {
      add(
        .property(.devices),
        "\(devices.count) devices are too many: a machine has at most \(MemoryMap.virtioDeviceLimit)"
      )
    }
    if let problem = transcriptProblem { problems.append(problem) }
    if case .confined(let size) = dma {
      if let size, size == 0 || size % MemoryMap.windowGranule != 0 || size > Self.windowLimit {
        let limit = Self.windowLimit >> 20
        add(.property(.dma), .init(predicate: "takes 'open' or a multiple of 2 MiB up to \(limit)M, not \(size) bytes"))
      }
      let names = windowNames
      if names.count > Self.windowCountLimit,
        let device = devices.indices.first(where: { windowName(of: $0) == names[Self.windowCountLimit] })
      {
        add(.device(device, .window), "there are at most \(Self.windowCountLimit) windows, not \(names.count)")
      }
    }
    for (index, device) in devices.enumerated() {
      if !Self.isPlainName(device.window) {
        add(.device(index, .window), "a window's name has 1 to 32 of a-z, 0-9 and '-'")
      } else if dma.isWithoutWindows, device.window != Device.defaultWindow {
        add(
          .device(index, .window),
          "with \(at: .property(.dma), dma.name) there are no windows; leave one of both out"
        )
      } else if let iommu, iommu != index, device.window != Device.defaultWindow {
        add(
          .device(index, .window),
          "a device behind an IOMMU has no window; leave this out, or \(at: .device(iommu, .whole))"
        )
      }
      problems += device.kind.value.problems(device: index)
    }
    return problems + accessProblems + windowSharingProblems + sharingProblems
  }

  /// How many windows there can be.
  private static let windowCountLimit = 16

  /// What two devices cannot both have.
  private var sharingProblems: [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    var taken: [DeviceClaim] = []
    for claim in claims {
      if let other = taken.first(where: { $0.excludes(claim) }) {
        problems.append(.init(.usage, claim.place, claim.reason(other.place)))
      }
      taken.append(claim)
    }
    return problems
  }

  /// What the devices have that no other device may.
  var claims: [DeviceClaim] {
    var claims: [DeviceClaim] = []
    for (index, device) in devices.enumerated() { claims += device.kind.value.claims(device: index) }
    return claims
  }

  /// Whether the check refuses what a device claims because another one has it, too.
  func isRefused(_ own: [DeviceClaim]) -> Bool {
    own.contains { claim in claims.contains { $0.place != claim.place && $0.excludes(claim) } }
  }
}
