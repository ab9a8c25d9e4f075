import Apus
import ArgumentParser

/// What a machine goes on from, and how.
struct RestoreRequest {
  /// The snapshot's directory.
  var directory: String
  var isClone = false
  var verifiesMemory = false
  var clock = MachineSnapshot.Clock.continued
}

/// The options of `apus run` for going on from a snapshot.
struct RestoreOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Go on from a snapshot, as 'apus control NAME snapshot DIRECTORY' has written it. Other options say what is to be "
        + "different from what the machine had; those that the guest was promised must be the same.",
      valueName: "directory"
    )
  )
  var restore: String?

  @Flag(help: "With --restore: a machine of its own, with another name and identity, and randomness of its own.")
  var clone = false

  @Flag(help: "With --restore: check the memory's checksums, too, which reads all of it.")
  var verify = false

  @Option(
    help: ArgumentHelp(
      "With --restore: whether the guest's counter goes on where it stood (continue, the default), or as if the guest "
        + "had slept until now (host).",
      valueName: "continue|host"
    )
  )
  var clock: String?

  var request: RestoreRequest? {
    restore.map { directory in
      RestoreRequest(
        directory: directory,
        isClone: clone,
        verifiesMemory: verify,
        clock: clock.flatMap { MachineSnapshot.Clock(written: $0) } ?? .continued
      )
    }
  }

  func check() throws {
    if let clock, MachineSnapshot.Clock(written: clock) == nil {
      throw ValidationError("--clock takes continue or host, not '\(clock)'.")
    }
    guard restore != nil || !clone && !verify && clock == nil else {
      throw ValidationError(
        "--clone, --verify and --clock say how a snapshot is restored; give '--restore <directory>'."
      )
    }
  }
}

extension MachineSnapshot.Clock {
  /// As the option has it.
  init?(written text: String) {
    switch text {
    case "continue": self = .continued
    case "host": self = .host
    default: return nil
    }
  }
}
