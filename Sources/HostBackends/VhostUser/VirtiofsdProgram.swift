internal import Host

/// Debian's virtiofsd, which shows a folder to a guest: where it is and how it is called.
package enum VirtiofsdProgram {
  /// Its path; nil: it is nowhere. Debian has it in a folder that is in nobody's PATH; what
  /// version 12 has in /usr/lib/qemu is another program.
  package static func find(in folders: String = ChildProgram.searchPath + ":/usr/libexec") -> String? {
    ChildProgram.find("virtiofsd", in: folders)
  }

  /// - Parameters:
  ///   - directory: what the guest sees.
  ///   - isReadOnly: whether it may only read.
  package static func arguments(directory: String, isReadOnly: Bool) -> [String] {
    ["virtiofsd", "--fd", "\(ChildProgram.descriptor)", "--shared-dir", directory] + (isReadOnly ? ["--readonly"] : [])
  }
}
