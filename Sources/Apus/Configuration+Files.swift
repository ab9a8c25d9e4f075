import Host

/// A file with the option that names it.
struct NamedFile {
  let option: String
  let path: String
}

extension Configuration {
  /// The files that a run writes anew.
  var writtenFiles: [NamedFile] {
    var files: [NamedFile] = []
    if case .file(let path) = console { files.append(NamedFile(option: "--console", path: path)) }
    if let deviceTreeDump { files.append(NamedFile(option: "--dump-dtb", path: deviceTreeDump)) }
    if let scmiTranscript { files.append(NamedFile(option: "--scmi-transcript", path: scmiTranscript)) }
    for port in consoleDevice?.ports ?? [] {
      if case .file(let path) = port.destination { files.append(NamedFile(option: "--port \(port)", path: path)) }
    }
    return files
  }

  /// The names that a run gives to what is no file: sockets and links.
  private var madeNames: [NamedFile] {
    var names: [NamedFile] = []
    if case .pseudoTerminal(let link?) = console { names.append(NamedFile(option: "--console", path: link)) }
    for port in consoleDevice?.ports ?? [] {
      if case .socket(let path) = port.destination { names.append(NamedFile(option: "--port \(port)", path: path)) }
    }
    return names
  }

  /// The files that a run needs as they are.
  private var neededFiles: [NamedFile] {
    var files = [NamedFile(option: "--kernel", path: payload.path)]
    if let initramfs { files.append(NamedFile(option: "--initrd", path: initramfs)) }
    files += deviceTreeOverlays.map { NamedFile(option: "--dtb-overlay", path: $0) }
    for device in devices {
      switch device.kind {
      case .block(let block): files.append(NamedFile(option: "--block", path: block.path))
      case .scmi(let scmi):
        if case .file(let path) = scmi.source { files.append(NamedFile(option: "--scmi", path: path)) }
      default: break
      }
    }
    return files
  }

  /// The files that two of a run's parts cannot both have.
  var fileProblems: [ConfigurationError.Problem] {
    var problems = diskProblems
    let written = writtenFiles + madeNames
    for (index, file) in written.enumerated() {
      if let problem = problem(of: file, beside: written[..<index]) { problems.append(problem) }
    }
    return problems
  }

  /// Checks that a file which the caller is going to write is none of those that the machine needs or writes.
  ///
  /// - Parameters:
  ///   - path: of that file.
  ///   - option: what names the file, for the message.
  /// - Throws: ``ConfigurationError``.
  public func checkWriting(to path: String, for option: String) throws(ConfigurationError) {
    let file = NamedFile(option: option, path: path)
    if let problem = problem(of: file, beside: (writtenFiles + madeNames)[...]) {
      throw ConfigurationError(problems: [problem])
    }
  }

  private func problem(of file: NamedFile, beside written: ArraySlice<NamedFile>) -> ConfigurationError.Problem? {
    guard let identity = FileIdentity(file.path) else { return nil }
    guard let other = (neededFiles + written).first(where: { FileIdentity($0.path) == identity }) else { return nil }
    let message = "\(file.option): '\(file.path)' is the file of \(other.option), too; name another one"
    return .init(kind: .usage, message: message)
  }

  private var diskProblems: [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    var disks: [Device.Block] = []
    for case .block(let block) in devices.map(\.kind) {
      let isShared = disks.contains {
        !($0.isReadOnly && block.isReadOnly)
          && ($0.path == block.path || FileIdentity($0.path).map { $0 == FileIdentity(block.path) } ?? false)
      }
      if isShared {
        let message = "--block \(block.path): the image is another disk's, too; copy it, or give both readonly"
        problems.append(.init(kind: .usage, message: message))
      }
      disks.append(block)
    }
    return problems
  }
}
