// A configuration as an encoder writes it: with every property, so that it means the same when a default changes. Each
// key has its property's name; a property that is nil has none.

extension Configuration: Codable {
  /// - Throws: `DecodingError`, which says with its path what is missing without a default, unknown or of another form.
  public init(from decoder: any Decoder) throws {
    let object = try CodedObject(decoder, keys: Property.allCases.map(\.rawValue))
    self.init(payload: try object.value(.init(.payload)))
    try object.read(.init(.initramfs), into: &initramfs)
    try object.read(.init(.commandLine), into: &commandLine)
    try object.read(.init(.name), into: &name)
    try object.read(.init(.uuid), into: &uuid)
    try object.read(.init(.cpuCount), into: &cpuCount)
    var size = CodedByteCount(memorySize)
    try object.read(.init(.memorySize), into: &size)
    memorySize = size.count
    var limitSize: CodedByteCount?
    try object.read(.init(.memoryLimit), into: &limitSize)
    memoryLimit = limitSize?.count
    try object.read(.init(.pages), into: &pages)
    try object.read(.init(.gic), into: &gic)
    try object.read(.init(.cpuFeatures), into: &cpuFeatures)
    try object.read(.init(.cpuModel), into: &cpuModel)
    try object.read(.init(.personality), into: &personality)
    try object.read(.init(.devices), into: &devices)
    try object.read(.init(.dma), into: &dma)
    try object.read(.init(.scmiTranscript), into: &scmiTranscript)
    try object.read(.init(.gunyahTranscript), into: &gunyahTranscript)
    try object.read(.init(.console), into: &console)
    try object.read(.init(.control), into: &control)
    try object.read(.init(.onReset), into: &onReset)
    try object.read(.init(.unmapped), into: &unmapped)
    var limit: CodedDuration?
    try object.read(.init(.timeout), into: &limit)
    timeout = limit?.duration
    try object.read(.init(.measuresMemory), into: &measuresMemory)
    try object.read(.init(.kvmPath), into: &kvmPath)
    try object.read(.init(.deviceTreeOverlays), into: &deviceTreeOverlays)
    try object.read(.init(.deviceTreeDump), into: &deviceTreeDump)
    try object.read(.init(.debugger), into: &debugger)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    for property in Property.allCases { try encode(property, into: &container) }
  }

  private func encode(_ property: Property, into container: inout KeyedEncodingContainer<CodedKey>) throws {
    let key = CodedKey(property)
    switch property {
    case .payload: try container.encode(payload, forKey: key)
    case .initramfs: try container.encodeIfPresent(initramfs, forKey: key)
    case .commandLine: try container.encode(commandLine, forKey: key)
    case .name: try container.encode(name, forKey: key)
    case .uuid: try container.encodeIfPresent(uuid, forKey: key)
    case .cpuCount: try container.encode(cpuCount, forKey: key)
    case .memorySize: try container.encode(CodedByteCount(memorySize), forKey: key)
    case .memoryLimit: try container.encodeIfPresent(memoryLimit.map { CodedByteCount($0) }, forKey: key)
    case .pages: try container.encode(pages, forKey: key)
    case .gic: try container.encode(gic, forKey: key)
    case .cpuFeatures: try container.encode(cpuFeatures, forKey: key)
    case .cpuModel: try container.encode(cpuModel, forKey: key)
    case .personality: try container.encode(personality, forKey: key)
    case .devices: try container.encode(devices, forKey: key)
    case .dma: try container.encode(dma, forKey: key)
    case .scmiTranscript: try container.encodeIfPresent(scmiTranscript, forKey: key)
    case .gunyahTranscript: try container.encodeIfPresent(gunyahTranscript, forKey: key)
    case .console: try container.encode(console, forKey: key)
    case .control: try container.encodeIfPresent(control, forKey: key)
    case .onReset: try container.encode(onReset, forKey: key)
    case .unmapped: try container.encode(unmapped, forKey: key)
    case .timeout: try container.encodeIfPresent(timeout.map { CodedDuration($0) }, forKey: key)
    case .measuresMemory: try container.encode(measuresMemory, forKey: key)
    case .kvmPath: try container.encode(kvmPath, forKey: key)
    case .deviceTreeOverlays: try container.encode(deviceTreeOverlays, forKey: key)
    case .deviceTreeDump: try container.encodeIfPresent(deviceTreeDump, forKey: key)
    case .debugger: try container.encodeIfPresent(debugger, forKey: key)
    }
  }
}

extension CodedKey {
  fileprivate init(_ property: Configuration.Property) {
    self.init(stringValue: property.rawValue)
  }
}

extension Configuration.UUID: Codable {
  /// - Throws: `DecodingError` where it is no text of 36 characters.
  public init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let uuid = Self(text) else {
      throw DecodingError.mistake("'\(text)' is no UUID; give one of 36 characters", at: decoder.codingPath)
    }
    self = uuid
  }

  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(case: description)
  }
}

extension Configuration.Payload: Codable {
  /// - Throws: `DecodingError` where it is neither `kernel` nor `raw` with a path.
  public init(from decoder: any Decoder) throws {
    let coded = try CodedCase(decoder, names: ["kernel", "raw"])
    let path: String = try coded.values(["path"]).value("path")
    self = coded.name == "raw" ? .raw(path: path) : .kernel(path: path)
  }

  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(case: isRaw ? "raw" : "kernel") { try $0.encode(path, forKey: "path") }
  }
}

extension Configuration.CPUFeatures: Codable {
  /// - Throws: `DecodingError` for an unknown feature and what is neither true nor false.
  public init(from decoder: any Decoder) throws {
    self.init()
    let object = try CodedObject(decoder, keys: ["sve", "pmu", "pointerAuthentication"])
    try object.read("sve", into: &sve)
    try object.read("pmu", into: &pmu)
    try object.read("pointerAuthentication", into: &pointerAuthentication)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(sve, forKey: "sve")
    try container.encode(pmu, forKey: "pmu")
    try container.encode(pointerAuthentication, forKey: "pointerAuthentication")
  }
}

extension Configuration.Console: Codable {
  /// - Throws: `DecodingError` for an unknown case, for a file without a path, and for a descriptor without a number.
  public init(from decoder: any Decoder) throws {
    let names = ["stream", "standardStreams", "file", "pseudoTerminal", "descriptor", "none"]
    let coded = try CodedCase(decoder, names: names)
    switch coded.name {
    case "file":
      self = .file(path: try coded.values(["path"]).value("path"))
      return
    case "pseudoTerminal":
      var link: String?
      try coded.values(["link"]).read("link", into: &link)
      self = .pseudoTerminal(link: link)
      return
    case "descriptor":
      self = .descriptor(try coded.values(["number"]).value("number"))
      return
    case "standardStreams": self = .standardStreams
    case "none": self = .none
    default: self = .stream
    }
    _ = try coded.values()
  }

  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .stream: try encoder.encode(case: "stream")
    case .standardStreams: try encoder.encode(case: "standardStreams")
    case .none: try encoder.encode(case: "none")
    case .file(let path): try encoder.encode(case: "file") { try $0.encode(path, forKey: "path") }
    case .pseudoTerminal(let link):
      try encoder.encode(case: "pseudoTerminal") { try $0.encodeIfPresent(link, forKey: "link") }
    case .descriptor(let number): try encoder.encode(case: "descriptor") { try $0.encode(number, forKey: "number") }
    }
  }
}

extension Configuration.Control: Codable {
  /// - Throws: `DecodingError` for an unknown case, and for a socket without a path.
  public init(from decoder: any Decoder) throws {
    let coded = try CodedCase(decoder, names: ["socket", "registered"])
    guard coded.name == "socket" else {
      _ = try coded.values()
      self = .registered
      return
    }
    self = .socket(path: try coded.values(["path"]).value("path"))
  }

  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .registered: try encoder.encode(case: "registered")
    case .socket(let path): try encoder.encode(case: "socket") { try $0.encode(path, forKey: "path") }
    }
  }
}

extension Configuration.DMA: Codable {
  /// - Throws: `DecodingError` for an unknown case, and for a size that is no number of bytes.
  public init(from decoder: any Decoder) throws {
    let coded = try CodedCase(decoder, names: ["confined", "shadow", "open"])
    guard coded.name == "confined" else {
      _ = try coded.values()
      self = coded.name == "open" ? .open : .shadow
      return
    }
    var size: CodedByteCount?
    try coded.values(["windowSize"]).read("windowSize", into: &size)
    self = .confined(windowSize: size?.count)
  }

  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .open: try encoder.encode(case: "open")
    case .shadow: try encoder.encode(case: "shadow")
    case .confined(let size):
      try encoder.encode(case: "confined") {
        try $0.encodeIfPresent(size.map { CodedByteCount($0) }, forKey: "windowSize")
      }
    }
  }
}
