import Host

/// A file with the place that names it.
struct NamedFile {
  let place: Configuration.Path
  let path: String
}

extension Configuration {
  /// The files that a run writes anew.
  var writtenFiles: [NamedFile] {
    var files: [NamedFile] = []
    if case .file(let path) = console { files.append(NamedFile(place: .property(.console), path: path)) }
    if let deviceTreeDump { files.append(NamedFile(place: .property(.deviceTreeDump), path: deviceTreeDump)) }
    if let scmiTranscript { files.append(NamedFile(place: .property(.scmiTranscript), path: scmiTranscript)) }
    for (place, port) in ports {
      if case .file(let path) = port.destination { files.append(NamedFile(place: place, path: path)) }
    }
    return files
  }

  /// The names that a run gives to what is no file: sockets and links.
  private var madeNames: [NamedFile] {
    var names: [NamedFile] = []
    if case .pseudoTerminal(let link?) = console { names.append(NamedFile(place: .property(.console), path: link)) }
    for (place, port) in ports {
      if case .socket(let path) = port.destination { names.append(NamedFile(place: place, path: path)) }
    }
    return names
  }

  /// The files that a run needs as they are.
  private var neededFiles: [NamedFile] {
    var files = [NamedFile(place: .property(.payload), path: payload.path)]
    if let initramfs { files.append(NamedFile(place: .property(.initramfs), path: initramfs)) }
    for (index, path) in deviceTreeOverlays.enumerated() {
      files.append(NamedFile(place: .deviceTreeOverlay(index), path: path))
    }
    for (index, device) in devices.enumerated() {
      switch device.kind {
      case .block(let block): files.append(NamedFile(place: .device(index, .block(.path)), path: block.path))
      case .scmi(let scmi):
        if case .file(let path) = scmi.source {
          files.append(NamedFile(place: .device(index, .scmi(.source)), path: path))
        }
      case .entropy, .network, .console: break
      }
    }
    return files
  }

  /// The files that two of a run's parts cannot both have.
  var fileProblems: [ConfigurationError.Problem] {
    var problems = diskProblems
    let written = writtenFiles + madeNames
    for (index, file) in written.enumerated() {
      guard let other = use(ofFile: file.path, among: neededFiles + written[..<index]) else { continue }
      let reason: ConfigurationError.Reason = "'\(file.path)' is the file of \(at: other), too; name another one"
      problems.append(.init(.usage, file.place, reason))
    }
    return problems
  }

  /// What needs a file as it is, or writes it: for a caller that is going to write a file of its own, which must be
  /// none of the machine's.
  ///
  /// - Parameter path: of that file. Another name of the same file counts, too.
  /// - Returns: nil where the machine has nothing to do with it.
  public func use(ofFile path: String) -> Path? {
    use(ofFile: path, among: neededFiles + writtenFiles + madeNames)
  }

  private func use(ofFile path: String, among files: [NamedFile]) -> Path? {
    guard let identity = FileIdentity(path) else { return nil }
    return files.first { FileIdentity($0.path) == identity }?.place
  }

  private var diskProblems: [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    var disks: [Device.Block] = []
    for (index, device) in devices.enumerated() {
      guard case .block(let block) = device.kind else { continue }
      let isShared = disks.contains {
        !($0.isReadOnly && block.isReadOnly)
          && ($0.path == block.path || FileIdentity($0.path).map { $0 == FileIdentity(block.path) } ?? false)
      }
      if isShared {
        let reason: ConfigurationError.Reason =
          "the image '\(block.path)' is another disk's, too; copy it, or give both readonly"
        problems.append(.init(.usage, .device(index, .block(.path)), reason))
      }
      disks.append(block)
    }
    return problems
  }
}
