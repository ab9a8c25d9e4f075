import Apus
import ArgumentParser
import Glibc
import Host
import QEMUSyntax

/// The command under the name of a QEMU: takes the part of its command line that a machine of Apus has.
enum QEMUDoor {
  /// What precedes all that it says.
  static let program = "qemu-system-apus"

  /// Whether the process was started under such a name.
  static let isCalled: Bool = {
    let path = ArgumentWords.program.utf8
    let name = path.lastIndex(of: UInt8(ascii: "/")).map { path[path.index(after: $0)...] } ?? path[...]
    return name.starts(with: "qemu-system-".utf8)
  }()

  /// Runs what the words ask for.
  ///
  /// - Throws: the exit status as an `ExitCode`, after all has been said.
  static func run(_ words: [String]) throws {
    do {
      let options = try QEMUWords.options(words, hasValue: QEMUOptionTable.hasValue)
      if options.contains(where: { $0.name == "version" }) { return try Message.show(QEMUHelp.version) }
      if options.contains(where: { $0.name == "help" || $0.name == "h" }) { return try Message.show(QEMUHelp.help) }
      try QEMURun(try QEMUTranslation.machine(options)).run()
    } catch let mistake as QEMUSyntaxError {
      Message.say("\(mistake)")
      throw ExitCode(1)
    }
  }
}
