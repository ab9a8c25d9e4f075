internal import Glibc

/// A file of the host, however it is called: two paths of one file are equal.
private enum FileIdentity: Equatable {
  /// A regular file.
  case file(device: UInt64, number: UInt64)
  /// A name that nothing has yet, in a folder; or in one that is not there either.
  case name(String, in: Folder?)

  struct Folder: Equatable {
    let device: UInt64
    let number: UInt64
  }

  /// - Returns: `nil` for what any number of users may have at once: a device like /dev/null, a pipe.
  init?(_ path: String) {
    var status = stat()
    // SAFETY: path and structure hold for the call.
    guard unsafe stat(path, &status) == 0 else {
      let name = path.lastIndex(of: "/").map { path[path.index(after: $0)...] } ?? path[...]
      // SAFETY: as above.
      let hasFolder = unsafe stat("\(path.dropLast(name.count))./", &status) == 0
      self =
        hasFolder
        ? .name(String(name), in: Folder(device: UInt64(status.st_dev), number: UInt64(status.st_ino)))
        : .name(path, in: nil)
      return
    }
    guard status.st_mode & S_IFMT == S_IFREG else { return nil }
    self = .file(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
  }
}

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
    let written = writtenFiles
    for (index, file) in written.enumerated() {
      if let problem = problem(of: file, beside: written[..<index]) { problems.append(problem) }
    }
    return problems
  }

  /// Checks that a file which the caller is going to write is none of those that the machine needs or writes.
  ///
  /// - Parameter option: what names the file, for the message.
  /// - Throws: ``ConfigurationError``.
  public func checkWriting(to path: String, for option: String) throws(ConfigurationError) {
    let file = NamedFile(option: option, path: path)
    if let problem = problem(of: file, beside: writtenFiles[...]) { throw ConfigurationError(problems: [problem]) }
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
