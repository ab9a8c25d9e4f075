internal import CHost
internal import Host
internal import VhostUser

/// Debian's virtiofsd, which shows a folder to a guest: where it is and how it is called.
package enum VirtiofsdProgram {
  /// Where it may be, separated by colons. Debian has it in a folder that is in nobody's PATH; what version 12 has in
  /// /usr/lib/qemu is another program.
  package static var folders: String { ChildProgram.searchPath + ":/usr/libexec" }

  /// Its path; nil: it is nowhere.
  package static func find(in folders: String = folders) -> String? {
    ChildProgram.find("virtiofsd", in: folders)
  }

  /// What to do where it is nowhere.
  package static let advice = "install it (Debian 13: apt-get install virtiofsd; Debian 12 has none that serves)"

  /// What to do where it says this and ends; nil: the line does not tell.
  package static func advice(for line: String) -> String? {
    let line = line.lowercased()
    func has(_ words: String...) -> Bool { words.contains { line.contains($0) } }
    // An option that it does not know: the program of the same name in C, or one of before 1.13.
    if has("unrecognized option", "unexpected argument", "wasn't expected", "unknown option", "invalid option") {
      return
        "this virtiofsd is too old, or another program of that name: Debian 13's serves (virtiofsd --version: 1.13)"
    }
    if has("sandbox", "namespace", "not permitted", "unshare", "newuidmap", "newgidmap", "uid_map", "gid_map") {
      return "it cannot make its sandbox here: have the host give users namespaces of their own "
        + "(sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns), or run as root"
    }
    return nil
  }

  /// - Parameters:
  ///   - directory: what the guest sees.
  ///   - isReadOnly: whether it may only read.
  ///   - isOneFileSystem: whether what is mounted in there is shown as a part of it.
  package static func arguments(directory: String, isReadOnly: Bool, isOneFileSystem: Bool = false) -> [String] {
    // In one word: the folder's name may begin as an option does.
    ["virtiofsd", "--fd", "\(ChildProgram.descriptor)", "--shared-dir=\(directory)"]
      + (isReadOnly ? ["--readonly"] : []) + (isOneFileSystem ? ["--no-announce-submounts"] : [])
  }

  /// What came of a try to have it serve.
  package enum Trial: Equatable, Sendable {
    /// It is nowhere.
    case missing
    /// It shows folders. `version`: in its own words.
    case serves(version: String)
    /// It does not. `reason`: with what to do, where that is known.
    case cannotServe(version: String, reason: String)
  }

  /// Has it show the folder for temporary files, for a moment and to nobody.
  ///
  /// - Parameter folders: where to look for it, separated by colons.
  package static func attempt(in folders: String = folders) -> Trial {
    guard let path = find(in: folders) else { return .missing }
    let version = version(of: path)
    let connector = ProgramConnector(
      path: path,
      arguments: arguments(directory: ChildProgram.temporaryFolder, isReadOnly: true),
      listens: true,
      device: "trial",
      advise: { advice(for: $0) },
      log: { _ in }
    )
    do {
      let profile = VhostUserProfile.fileSystem
      let link = try VhostUserLink(connector, configurationSize: profile.configurationSize)
      let offer = try link.open()
      link.close()
      return profile.problem(with: offer).map { .cannotServe(version: version, reason: $0) }
        ?? .serves(version: version)
    } catch {
      return .cannotServe(version: version, reason: "\(error)")
    }
  }

  /// What it says of itself.
  private static func version(of path: String) -> String {
    let unknown = "of an unknown version"
    guard let program = try? ChildProgram(path, ["virtiofsd", "--version"]) else { return unknown }
    program.waitForEnd(milliseconds: 2000)
    var words = ProgramWords()
    words.take(program.takeOutput()) { _ in }
    guard let end = program.takeEnd(), !end.by_signal, end.status == 0, !words.last.isEmpty else { return unknown }
    return words.last
  }
}
