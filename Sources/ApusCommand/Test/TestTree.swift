import Apus
import ApusGuest
import Host

/// What `apus test` puts into its guests' initramfs.
struct TestTree {
  /// A program to run.
  struct Program {
    let path: String
    let folder: String
    let name: String
  }

  /// A kernel module to load.
  struct Module: Sendable {
    let path: String
    let name: String
  }

  private(set) var archive = InitramfsArchive()
  private(set) var programs: [Program] = []
  private(set) var modules: [Module] = []
  private var hasFolder = false

  /// Where they are in the guest.
  private static let root = "tests"

  /// Adds a script or program.
  ///
  /// - Throws: the exit status, after it has been said what is wrong.
  mutating func addProgram(_ path: String) throws {
    let name = Self.fileName(of: path)
    try add(path, as: "\(programs.count)-\(name)", mode: 0o755)
    programs.append(
      Program(path: "/\(Self.root)/\(programs.count)-\(name)", folder: "/", name: unused(name))
    )
  }

  /// Adds a module.
  ///
  /// - Throws: the exit status, after it has been said what is wrong.
  mutating func addModule(_ path: String) throws {
    let name = Self.fileName(of: path)
    try add(path, as: "module-\(modules.count)-\(name)", mode: 0o644)
    modules.append(Module(path: "/\(Self.root)/module-\(modules.count)-\(name)", name: name))
  }

  private mutating func add(_ path: String, as name: String, mode: UInt32) throws {
    let bytes = try Message.reporting { () throws(InputFileError) in try InputFile.read(path) }
    makeRoot()
    archive.addFile("\(Self.root)/\(name)", mode: mode, bytes)
  }

  private mutating func makeRoot() {
    guard !hasFolder else { return }
    hasFolder = true
    archive.addFolder(Self.root)
  }

  /// A path's last part.
  static func fileName(of path: String) -> String {
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
  /// - Throws: the exit status, after it has been said what is wrong.
  mutating func addFolder(_ path: String) throws {
    makeRoot()
    let top = "\(Self.root)/all"
    let files = try Message.reporting { () throws(HostTree.Failure) in
      try archive.add(folder: path, as: top, limit: HostTree.sizeLimit)
    }
    if let list = files.first(where: { $0.path == "kselftest-list.txt" }) {
      let text = try Message.reporting { () throws(InputFileError) in try InputFile.read("\(path)/\(list.path)") }
      for line in text.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
        let words = String(decoding: line, as: UTF8.self).split(separator: ":", maxSplits: 1)
        guard words.count == 2 else { continue }
        let folder = "/\(top)/\(words[0])"
        programs.append(Program(path: "\(folder)/\(words[1])", folder: folder, name: "\(words[0]):\(words[1])"))
      }
    } else {
      for file in files where file.isProgram && !file.path.utf8.contains(UInt8(ascii: "/")) {
        programs.append(Program(path: "/\(top)/\(file.path)", folder: "/\(top)", name: unused(file.path)))
      }
    }
    guard !programs.isEmpty else {
      Message.say("error: --directory: no program lies in '\(path)'; make the tests executable (chmod +x)")
      throw ExitStatus.nothingRan
    }
  }

  /// Adds what programs find on a small system: a busybox, with a link for each of its usual commands.
  ///
  /// - Throws: the exit status, after it has been said what is wrong.
  mutating func addSystem(busybox given: String?) throws {
    let found: (path: String, program: [UInt8])? =
      if let given {
        (given, try Message.reporting { () throws(InputFileError) in try InputFile.read(given) })
      } else {
        Self.hostsBusybox
      }
    guard let (path, program) = found else {
      Message.say(
        "error: there is no busybox on this host for the guest's initramfs; install busybox-static, name one with "
          + "--busybox, or an initramfs that has what the tests need with --initrd"
      )
      throw ExitStatus.of(.inputNotFound)
    }
    guard Executable.isStatic(program) else {
      Message.say(
        "error: '\(path)' is no static arm64 program, which the guest's busybox has to be; install busybox-static or "
          + "name another one with --busybox"
      )
      throw ExitStatus.of(.badInput)
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

extension HostTree.Failure: CommandFailure {
  var exitStatus: Int32 { kind.rawValue }
}

/// Whether bytes are a program that a guest can run alone.
enum Executable {
  /// ELF64 for arm64, of either kind, without an interpreter.
  static func isStatic(_ bytes: [UInt8]) -> Bool {
    func number(_ offset: Int, _ size: Int) -> Int? {
      guard offset >= 0, size <= bytes.count, offset <= bytes.count - size else { return nil }
      return bytes[offset..<offset + size].reversed().reduce(0) { ($0 & 0x7F_FFFF_FFFF_FFFF) << 8 | Int($1) }
    }
    guard bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46, 2, 1]), number(18, 2) == 183,
      let table = number(32, 8), let size = number(54, 2), let count = number(56, 2), size >= 56
    else { return false }
    for index in 0..<count {
      let (place, overflow) = table.addingReportingOverflow(index * size)
      // PT_INTERP
      if overflow || number(place, 4) == nil || number(place, 4) == 3 { return false }
    }
    return true
  }
}
