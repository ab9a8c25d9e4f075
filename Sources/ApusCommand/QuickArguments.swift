import Apus

/// Reads the arguments of an `apus run` in which everything is as it should be, without the argument parser.
///
/// The argument parser finds out by reflection what there is to parse, which takes as many instructions as ten machines
/// that start and end. What is not plain (a mistake, a request for help, an unknown or abbreviated option, a value that
/// looks like an option) is left to it, and so are its messages: an option that is missing here costs time and nothing
/// else.
enum QuickArguments {
  /// - Parameter arguments: without the program's name.
  /// - Returns: nil where the argument parser has to look.
  static func request(_ arguments: some RandomAccessCollection<String>) -> RunRequest? {
    guard arguments.first == "run", ArgumentWords.repeatedOption(arguments) == nil else { return nil }
    var kernel: String?
    var directory: String?
    var (isClone, verifiesMemory) = (false, false)
    var clock: MachineSnapshot.Clock?
    var request = RunRequest(kernel: "")
    var reboots: Bool?
    var words = arguments.dropFirst()
    while let word = words.popFirst() {
      switch word {
      case "--raw": request.isRaw = true
      case "--dry-run": request.isDry = true
      case "--detach": request.isDetached = true
      case "--clone": isClone = true
      case "--verify": verifiesMemory = true
      case "--reboot", "--no-reboot":
        guard reboots == nil else { return nil }
        reboots = word == "--reboot"
      default:
        if let setting = DeviceOptions.setting(of: word) {
          request.changes.append(setting)
          continue
        }
        guard let value = words.popFirst(), !value.utf8.starts(with: "-".utf8) else { return nil }
        if word == "--kernel" {
          kernel = value
        } else if word == "--restore" {
          directory = value
        } else if word == "--clock" {
          guard let read = MachineSnapshot.Clock(written: value) else { return nil }
          clock = read
        } else {
          guard let reader = reader(of: word), let setting = try? reader(value) else { return nil }
          request.changes.append(setting)
        }
      }
    }
    if let directory {
      guard !arguments.contains(where: isOfBoots) else { return nil }
      var restoring = RestoreRequest(directory: directory)
      restoring.isClone = isClone
      restoring.verifiesMemory = verifiesMemory
      restoring.clock = clock ?? .continued
      request.restoring = restoring
    } else if isClone || verifiesMemory || clock != nil {
      return nil
    }
    // One of them, and not both.
    guard (kernel == nil) != (directory == nil) else { return nil }
    request.kernel = kernel ?? ""
    request.reboots = reboots ?? true
    return request
  }

  /// Whether an option says what a kernel finds that starts, so that the argument parser refuses it beside `--restore`.
  private static func isOfBoots(_ word: String) -> Bool {
    switch word {
    case "--initrd", "--raw", "--append", "--dtb-overlay", "--dump-dtb": true
    default: false
    }
  }

  private static func reader(of option: String) -> Setting.Reader? {
    switch option {
    case "--initrd": Setting.initrd
    case "--timeout": Setting.timeout
    case "--report": Setting.report
    case "--control": Setting.control
    case "--dump-dtb": Setting.deviceTreeDump
    case "--unmapped": Setting.unmapped
    case "--log-level": Setting.logLevel
    case "--kvm": Setting.kvm
    case "--gdb": Setting.gdb
    default: machineReader(of: option)
    }
  }

  /// Of an option with a value that every command has which starts a machine.
  static func machineReader(of option: String) -> Setting.Reader? {
    switch option {
    case "--memory": Setting.memory
    case "--memory-limit": Setting.memoryLimit
    case "--append", "--cmdline": Setting.commandLine
    case "--cpus": Setting.cpus
    case "--dma": Setting.dma
    case "--gic": Setting.gic
    case "--cpu": Setting.cpu
    case "--cpu-model": Setting.cpuModel
    case "--personality": Setting.personality
    case "--gunyah-transcript": Setting.gunyahTranscript
    case "--name": Setting.name
    case "--uuid": Setting.uuid
    case "--dtb-overlay": Setting.deviceTreeOverlay
    default: DeviceOptions.reader(of: option)
    }
  }
}
