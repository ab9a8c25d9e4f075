internal import AgentProtocol
public import Apus
internal import Host

extension Guest {
  /// Writes a file in the guest; one that is there is replaced.
  ///
  /// - Parameters:
  ///   - bytes: what it is to hold.
  ///   - path: in the guest, from the root; its folder has to be there.
  ///   - mode: permissions.
  ///   - limit: how long it may take on a machine that has nothing else to do.
  /// - Throws: ``GuestError``.
  public func push(
    _ bytes: [UInt8],
    to path: String,
    mode: UInt32 = 0o644,
    within limit: Duration = Guest.requestLimit
  ) async throws(GuestError) {
    try await file(.write, AgentFrame.bytes(of: mode), path, within: limit, input: bytes) { _ in }
  }

  /// Copies a file of the host's into the guest.
  ///
  /// - Parameters:
  ///   - file: of the host's, at most 256 MiB.
  ///   - path: in the guest, from the root; its folder has to be there.
  ///   - mode: permissions.
  ///   - limit: how long it may take on a machine that has nothing else to do.
  /// - Throws: ``GuestError``, and `InputFileError` where the host's file cannot be read.
  public func push(
    file: String,
    to path: String,
    mode: UInt32 = 0o755,
    within limit: Duration = Guest.requestLimit
  ) async throws {
    try await push(InputFile.read(file), to: path, mode: mode, within: limit)
  }

  /// Copies a folder of the host's into the guest, with all that is in it. Links stay links; what is neither a file, a
  /// folder nor a link is left out. What is in the guest's folder already stays, unless it has the same name.
  ///
  /// - Parameters:
  ///   - folder: of the host's, with at most 256 MiB in at most 100,000 files.
  ///   - path: of the folder in the guest, from the root; it is made, and those above it.
  ///   - limit: how long each of the files may take on a machine that has nothing else to do.
  /// - Throws: ``GuestError``, and ``HostTree/Failure`` where the host's folder cannot be read or is too large.
  public func push(
    folder: String,
    to path: String,
    within limit: Duration = Guest.requestLimit
  ) async throws {
    let entries = try HostTree.entries(of: folder, limit: 256 << 20)
    try await makeFolder(path, within: limit)
    for entry in entries {
      switch entry {
      case .folder(let inside): try await makeFolder("\(path)/\(inside)", within: limit)
      case .link(let inside, let target): try await makeLink("\(path)/\(inside)", to: target, within: limit)
      case .file(let inside, let source, let mode):
        try await push(HostTree.read(source), to: "\(path)/\(inside)", mode: mode, within: limit)
      }
    }
  }

  /// Puts what an archive has into the guest's file system.
  func push(_ archive: InitramfsArchive, within limit: Duration) async throws(GuestError) {
    for entry in archive.entries {
      let path = "/\(entry.path)"
      switch entry.content {
      case .folder: try await makeFolder(path, mode: entry.mode, within: limit)
      case .file(let contents): try await push(contents, to: path, mode: entry.mode, within: limit)
      case .link(let target): try await makeLink(path, to: target, within: limit)
      }
    }
  }

  /// Makes a symbolic link in the guest; a file or a link that is there is replaced.
  ///
  /// - Parameters:
  ///   - path: of the link, from the root; its folder has to be there.
  ///   - target: what it leads to.
  ///   - limit: how long it may take on a machine that has nothing else to do.
  /// - Throws: ``GuestError``.
  public func makeLink(
    _ path: String,
    to target: String,
    within limit: Duration = Guest.requestLimit
  ) async throws(GuestError) {
    guard let text = AgentFrame.bytes(of: [target]) else { throw .refused(what: "'\(target)'", errno: Self.invalid) }
    try await file(.link, text, path, within: limit) { _ in }
  }

  /// Reads a file of the guest's.
  ///
  /// - Parameters:
  ///   - path: from the root.
  ///   - count: how many bytes at most are wanted of it.
  ///   - limit: how long it may take on a machine that has nothing else to do.
  /// - Throws: ``GuestError``.
  public func pull(
    _ path: String,
    upTo count: Int = Guest.outputLimit,
    within limit: Duration = Guest.requestLimit
  ) async throws(GuestError) -> [UInt8] {
    let kept = KeptOutput(limit: count)
    try await file(.read, [], path, within: limit) { event in
      if case .output(let bytes) = event { kept.take(.output, bytes) }
    }
    return kept.all.0
  }

  /// Makes a folder in the guest, and those above it.
  ///
  /// - Throws: ``GuestError``.
  public func makeFolder(
    _ path: String,
    mode: UInt32 = 0o755,
    within limit: Duration = Guest.requestLimit
  ) async throws(GuestError) {
    try await file(.folder, AgentFrame.bytes(of: mode), path, within: limit) { _ in }
  }

  /// Mounts a file system in the guest.
  ///
  /// - Parameters:
  ///   - source: a device, a share's tag, or a word.
  ///   - path: where, from the root; the folder has to be there.
  ///   - type: the file system's, such as `tmpfs` or `virtiofs`.
  ///   - flags: of mount(2), such as 1 for read-only.
  ///   - options: of the file system.
  ///   - limit: how long it may take on a machine that has nothing else to do.
  /// - Throws: ``GuestError``.
  public func mount(
    _ source: String,
    at path: String,
    type: String,
    flags: UInt64 = 0,
    options: String = "",
    within limit: Duration = Guest.requestLimit
  ) async throws(GuestError) {
    let what = "mounting '\(source)' at '\(path)'"
    guard let texts = AgentFrame.bytes(of: [source, path, type, options]) else {
      throw .refused(what: what, errno: Self.invalid)
    }
    let numbers =
      AgentFrame.bytes(of: UInt32(truncatingIfNeeded: flags))
      + AgentFrame.bytes(of: UInt32(truncatingIfNeeded: flags >> 32))
    _ = try await request(.mount, numbers + texts, what, within: limit) { _ in }
  }

  /// Loads a kernel module.
  ///
  /// - Parameters:
  ///   - path: of the module's file in the guest, from the root.
  ///   - parameters: the module's, as modprobe(8) has them.
  ///   - limit: how long it may take on a machine that has nothing else to do, with what the module does when it is
  ///     loaded.
  /// - Throws: ``GuestError``; the kernel's log says why the kernel refused it.
  public func loadModule(
    _ path: String,
    parameters: String = "",
    within limit: Duration = Guest.requestLimit
  ) async throws(GuestError) {
    let what = "loading the module '\(path)'"
    guard let texts = AgentFrame.bytes(of: [path, parameters]) else { throw .refused(what: what, errno: Self.invalid) }
    _ = try await request(.module, texts, what, within: limit) { _ in }
  }

  /// What the guest's kernel keeps of its messages, of which the console may show only a part.
  ///
  /// - Throws: ``GuestError``.
  public func kernelLog(within limit: Duration = Guest.requestLimit) async throws(GuestError) -> String {
    let kept = KeptOutput(limit: Guest.outputLimit)
    _ = try await request(.kernelLog, [], "reading the kernel's log", within: limit) { event in
      if case .output(let bytes) = event { kept.take(.output, bytes) }
    }
    return String(decoding: kept.all.0, as: UTF8.self)
  }

  /// Has the guest's agent power it off, after its file systems are written, and waits for the machine's end.
  ///
  /// Neither the initramfs's own init nor programs are asked.
  ///
  /// - Throws: ``GuestError`` where it does not end in time.
  public func powerOff(within limit: Duration = Guest.requestLimit) async throws(GuestError) -> Outcome {
    do throws(GuestError) {
      _ = try await request(.shutDown, AgentFrame.bytes(of: Self.powerOffCommand), "power-off", within: limit) { _ in }
    } catch .ended {
      // As it should.
    }
    return await outcome
  }

  /// LINUX_REBOOT_CMD_POWER_OFF of reboot(2).
  private static let powerOffCommand: UInt32 = 0x4321_FEDC

  private func file(
    _ request: AgentFrame.Request,
    _ numbers: [UInt8],
    _ path: String,
    within limit: Duration,
    input: [UInt8] = [],
    _ answers: @escaping @Sendable (AgentConnection.Event) -> Void
  ) async throws(GuestError) {
    let what = "'\(path)' in the guest"
    guard let text = AgentFrame.bytes(of: [path]), path.utf8.first == UInt8(ascii: "/") else {
      throw .refused(what: what, errno: Self.invalid)
    }
    _ = try await self.request(request, numbers + text, what, within: limit, input: input, answers: answers)
  }
}
