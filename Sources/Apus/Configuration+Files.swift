import Host

/// A file with the place that names it.
struct NamedFile {
  let use: Use
  let place: Configuration.Path
  let path: String

  /// What a run does with a file.
  enum Use {
    /// Needs it as it is.
    case needed
    /// Writes it anew.
    case written
    /// Gives the name to what is no file: a socket or a link.
    case made
  }

  init(_ use: Use, at place: Configuration.Path, _ path: String) {
    self.use = use
    self.place = place
    self.path = path
  }
}

extension Configuration {
  /// The files that a run has to do with.
  var files: [NamedFile] {
    var files = [NamedFile(.needed, at: .property(.payload), payload.path)]
    if let initramfs { files.append(NamedFile(.needed, at: .property(.initramfs), initramfs)) }
    for (index, path) in deviceTreeOverlays.enumerated() {
      files.append(NamedFile(.needed, at: .deviceTreeOverlay(index), path))
    }
    if case .file(let path) = cpuModel { files.append(NamedFile(.needed, at: .property(.cpuModel), path)) }
    switch console {
    case .file(let path): files.append(NamedFile(.written, at: .property(.console), path))
    case .pseudoTerminal(let link?): files.append(NamedFile(.made, at: .property(.console), link))
    case .stream, .standardStreams, .pseudoTerminal(nil), .descriptor, .none: break
    }
    if case .socket(let path)? = debugger?.address {
      files.append(NamedFile(.made, at: .property(.debugger), path))
    }
    if case .socket(let path)? = control { files.append(NamedFile(.made, at: .property(.control), path)) }
    if let deviceTreeDump { files.append(NamedFile(.written, at: .property(.deviceTreeDump), deviceTreeDump)) }
    if let gunyahTranscript { files.append(NamedFile(.written, at: .property(.gunyahTranscript), gunyahTranscript)) }
    if let scmiTranscript { files.append(NamedFile(.written, at: .property(.scmiTranscript), scmiTranscript)) }
    for (index, device) in devices.enumerated() { files += device.kind.value.files(device: index) }
    return files
  }

  /// The files that two of a run's parts cannot both have. What several need as it is is no mistake.
  var fileProblems: [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    let files = files
    var earlier = files.filter { $0.use == .needed }
    for file in files.filter({ $0.use == .written }) + files.filter({ $0.use == .made }) {
      if let other = Self.use(ofFile: file.path, among: earlier) {
        let reason: ConfigurationError.Reason = "'\(file.path)' is the file of \(at: other), too; name another one"
        problems.append(.init(.usage, file.place, reason))
      }
      earlier.append(file)
    }
    return problems
  }

  /// What needs a file as it is, or writes it: for a caller that is going to write a file of its own, which must be
  /// none of the machine's.
  ///
  /// - Parameter path: of that file. Another name of the same file counts, too.
  /// - Returns: nil where the machine has nothing to do with it.
  public func use(ofFile path: String) -> Path? {
    Self.use(ofFile: path, among: files)
  }

  /// The places that have a standard stream of the process for a file, such as /dev/stdout, and how they name it.
  package var standardStreamFiles: [(place: Path, path: String)] {
    files.filter { StandardStreams.isNamed(by: $0.path) }.map { ($0.place, $0.path) }
  }

  private static func use(ofFile path: String, among files: [NamedFile]) -> Path? {
    guard let identity = FileIdentity(path) else { return nil }
    return files.first { FileIdentity($0.path) == identity }?.place
  }
}
