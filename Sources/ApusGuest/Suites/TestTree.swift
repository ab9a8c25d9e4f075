package import Host

/// What a suite puts into its guests' initramfs.
package struct TestTree: Sendable {
  /// A program to run.
  package struct Program: Sendable {
    /// Where it is in the guest.
    package let path: String
    /// Where in the guest it runs.
    package let folder: String
    /// What reports call it.
    package let name: String
    /// Where it is on the host.
    package let source: String
  }

  /// A kernel module to load.
  package struct Module: Sendable {
    /// In the guest.
    package let path: String
    /// What reports call it.
    package let name: String
  }

  /// All of it.
  package private(set) var archive = InitramfsArchive()
  /// What is run, in order.
  package private(set) var programs: [Program] = []
  /// What is loaded before, in order.
  package private(set) var modules: [Module] = []
  private var hasFolder = false

  /// One that is empty.
  package init() {}

  /// Where they are in the guest.
  private static let root = "tests"

  /// Adds a script or program.
  ///
  /// - Throws: what cannot be taken.
  package mutating func addProgram(_ path: String) throws(TestTreeError) {
    let name = Self.fileName(of: path)
    try add(path, as: "\(programs.count)-\(name)", mode: 0o755)
    programs.append(
      Program(path: "/\(Self.root)/\(programs.count)-\(name)", folder: "/", name: unused(name), source: path)
    )
  }

  /// Adds a module.
  ///
  /// - Throws: what cannot be taken.
  package mutating func addModule(_ path: String) throws(TestTreeError) {
    let name = Self.fileName(of: path)
    try add(path, as: "module-\(modules.count)-\(name)", mode: 0o644)
    modules.append(Module(path: "/\(Self.root)/module-\(modules.count)-\(name)", name: name))
  }

  private mutating func add(_ path: String, as name: String, mode: UInt32) throws(TestTreeError) {
    let bytes = try Self.read(path)
    makeRoot()
    archive.addFile("\(Self.root)/\(name)", mode: mode, bytes)
  }

  private mutating func makeRoot() {
    guard !hasFolder else { return }
    hasFolder = true
    archive.addFolder(Self.root)
  }

  private static func read(_ path: String) throws(TestTreeError) -> [UInt8] {
    do {
      return try InputFile.read(path)
    } catch {
      throw TestTreeError(error.kind, "\(error)")
    }
  }

  /// A path's last part.
  package static func fileName(of path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }

  /// A name that no other program has.
  private func unused(_ name: String) -> String {
    let same = programs.count { $0.name == name || $0.name.utf8.starts(with: "\(name)#".utf8) }
    return same == 0 ? name : "\(name)#\(same + 1)"
  }

  /// Adds a folder of the host's and what is in it: its tests are those that its `kselftest-list.txt` names, and
  /// otherwise the programs that lie in it.
  ///
  /// - Throws: what cannot be taken.
  package mutating func addFolder(_ path: String) throws(TestTreeError) {
    makeRoot()
    let before = programs.count
    var hasList = false
    let top = "\(Self.root)/all"
    let files: [HostTree.File]
    do {
      files = try archive.add(folder: path, as: top, limit: HostTree.sizeLimit)
    } catch {
      throw TestTreeError(error.kind, error.description)
    }
    if let list = files.first(where: { $0.path == "kselftest-list.txt" }) {
      hasList = true
      let text = try Self.read("\(path)/\(list.path)")
      for line in text.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
        let words = String(decoding: line, as: UTF8.self).split(separator: ":", maxSplits: 1)
        guard words.count == 2 else { continue }
        let folder = "/\(top)/\(words[0])"
        let source = "\(path)/\(words[0])/\(words[1])"
        let name = unused("\(words[0]):\(words[1])")
        programs.append(Program(path: "\(folder)/\(words[1])", folder: folder, name: name, source: source))
      }
    } else {
      for file in files where file.isProgram && !file.path.utf8.contains(UInt8(ascii: "/")) {
        let source = "\(path)/\(file.path)"
        let name = unused(file.path)
        programs.append(Program(path: "/\(top)/\(file.path)", folder: "/\(top)", name: name, source: source))
      }
    }
    guard programs.count > before else {
      let advice = hasList ? "its kselftest-list.txt names none" : "make the tests executable (chmod +x)"
      throw TestTreeError(nil, "no program lies in '\(path)'; \(advice)")
    }
  }

  /// Adds what programs find on a small system: a busybox, with a link for each of its usual commands.
  ///
  /// - Throws: what cannot be taken.
  package mutating func addSystem(busybox given: String?) throws(TestTreeError) {
    var found = given == nil ? Self.hostsBusybox : nil
    if let given { found = (given, try Self.read(given)) }
    guard let (path, program) = found else {
      throw TestTreeError(
        .inputNotFound,
        "there is no busybox on this host for the guest's initramfs; install busybox-static, name one, or name an "
          + "initramfs that has what the tests need"
      )
    }
    guard Executable.isStatic(program) else {
      throw TestTreeError(
        .badInput,
        "'\(path)' is no static arm64 program, which the guest's busybox has to be; install busybox-static or name "
          + "another one"
      )
    }
    for folder in ["bin", "etc", "mnt", "proc", "root", "sys", "tmp", "usr"] { archive.addFolder(folder) }
    archive.addFile("bin/busybox", mode: 0o755, program)
    for command in Self.commands { archive.addLink("bin/\(command)", to: "busybox") }
    for folder in ["sbin", "usr/bin", "usr/sbin"] { archive.addLink(folder, to: "/bin") }
    archive.addFile("etc/passwd", mode: 0o644, Array("root:x:0:0:root:/root:/bin/sh\n".utf8))
    archive.addFile("etc/group", mode: 0o644, Array("root:x:0:\n".utf8))
  }

  private static var hostsBusybox: (path: String, program: [UInt8])? {
    for path in ["/bin/busybox", "/usr/bin/busybox", "/sbin/busybox", "/usr/local/bin/busybox"] {
      if let program = try? InputFile.read(path), Executable.isStatic(program) { return (path, program) }
    }
    return nil
  }

  /// What scripts call, of what busybox has.
  private static let commands = """
    [ [[ ash awk base64 basename bc bunzip2 bzcat cat chgrp chmod chown chroot clear cmp comm cp cpio cut date dd df \
    diff dirname dmesg dos2unix du echo egrep env expand expr false fgrep find fold free getopt grep gunzip gzip head \
    hexdump hostname id ifconfig insmod ip kill killall less link ln logger ls lsmod lzcat md5sum mdev mkdir mkfifo \
    mknod mktemp modprobe more mount mountpoint mv nc netstat nice nl nproc od paste pgrep pidof ping pkill poweroff \
    printf ps pwd readlink realpath reboot renice rev rm rmdir rmmod route sed seq setsid sh sha1sum sha256sum \
    sha512sum shuf sleep sort split stat strings stty su switch_root sync sysctl tac tail tar taskset tee telnet test \
    time timeout top touch tr true truncate tty udhcpc umount uname uniq unlink unshare unxz unzip uptime usleep vi \
    watch wc wget which who whoami xargs xxd xz yes zcat
    """
    .split(whereSeparator: { $0 == " " || $0 == "\n" })
}

/// Why something cannot go into a guest.
package struct TestTreeError: Error, Sendable, CustomStringConvertible {
  /// What kind of failure it is; nil where there is nothing to run.
  package let kind: FailureKind?
  /// What is wrong, and what to do about it.
  package let description: String

  init(_ kind: FailureKind?, _ description: String) {
    (self.kind, self.description) = (kind, description)
  }
}
