internal import Host

/// Debian's virtiofsd, which shows a folder to a guest: where it is and how it is called.
package enum VirtiofsdProgram {
  /// Its path; nil: it is nowhere. Debian has it in a folder that is in nobody's PATH; what
  /// version 12 has in /usr/lib/qemu is another program.
  package static func find(in folders: String = ChildProgram.searchPath + ":/usr/libexec") -> String? {
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
  package static func arguments(directory: String, isReadOnly: Bool) -> [String] {
    ["virtiofsd", "--fd", "\(ChildProgram.descriptor)", "--shared-dir", directory] + (isReadOnly ? ["--readonly"] : [])
  }
}
