import ApusHarness

extension QuickArguments {
  /// Of an `apus test`.
  ///
  /// - Parameter arguments: without the program's name.
  /// - Returns: nil where the argument parser has to look.
  static func testRequest(_ arguments: some RandomAccessCollection<String>) -> TestRequest? {
    guard arguments.first == "test", ArgumentWords.repeatedOption(arguments) == nil else { return nil }
    var request = TestRequest(kernel: "")
    var words = arguments.dropFirst()
    while let word = words.popFirst() {
      switch word {
      case "--fresh": request.isFresh = true
      case "--verbose": request.isVerbose = true
      case "--list": request.isList = true
      default:
        if let setting = DeviceOptions.setting(of: word) {
          request.changes.append(setting)
          continue
        }
        guard let value = words.popFirst(), !value.utf8.starts(with: "-".utf8), read(value, of: word, &request) else {
          return nil
        }
      }
    }
    return request.kernel.isEmpty ? nil : request
  }

  /// - Returns: false for an option or a value that is not plain.
  private static func read(_ value: String, of option: String, _ request: inout TestRequest) -> Bool {
    switch option {
    case "--kernel": request.kernel = value
    case "--initrd": request.initrd = value
    case "--run": request.programs.append(value)
    case "--directory": request.directory = value
    case "--module": request.modules.append(value)
    case "--only": request.only.append(value)
    // Refused, which the argument parser words.
    case "--console": return false
    case "--busybox": request.busybox = value
    case "--timeout": request.timeout = value
    case "--matrix": request.matrix = value
    case "--shard": request.shard = value
    case "--history": request.history = value
    case "--junit": request.junit = value
    case "--tap": request.tap = value
    case "--json": request.json = value
    case "--fail-on":
      guard let limit = KernelLogLimit(rawValue: value) else { return false }
      request.failOn = limit
    case "--retries":
      guard let retries = Int(value), TestRequest.retriesRange.contains(retries) else { return false }
      request.retries = retries
    case "--jobs":
      guard let jobs = Int(value), TestRequest.jobsRange.contains(jobs) else { return false }
      request.jobs = jobs
    default: return add(value, of: option, to: &request.changes)
    }
    return true
  }

  /// Of an `apus exec`.
  ///
  /// - Parameter arguments: without the program's name.
  /// - Returns: nil where the argument parser has to look.
  static func execRequest(_ arguments: some RandomAccessCollection<String>) -> ExecRequest? {
    guard arguments.first == "exec", ArgumentWords.repeatedOption(arguments) == nil else { return nil }
    var request = ExecRequest(kernel: "")
    var words = arguments.dropFirst()
    while let word = words.popFirst(), word != "--" {
      if word == "--verbose" {
        request.isVerbose = true
        continue
      }
      if let setting = DeviceOptions.setting(of: word) {
        request.changes.append(setting)
        continue
      }
      guard let value = words.popFirst(), !value.utf8.starts(with: "-".utf8) else { return nil }
      switch word {
      case "--kernel": request.kernel = value
      case "--root": request.root = value
      case "--writable": request.writable.append(value)
      case "--chdir": request.folder = value
      // Refused, which the argument parser words.
      case "--console": return nil
      case "--timeout": request.timeout = value
      case "--env":
        guard ExecRequest.isVariable(value) else { return nil }
        request.variables.append(value)
      default:
        guard add(value, of: word, to: &request.changes) else { return nil }
      }
    }
    request.command = Array(words)
    return request.kernel.isEmpty || request.command.isEmpty ? nil : request
  }

  /// Adds what an option of machines and devices changes.
  ///
  /// - Returns: false for one that is none, and a value that is not plain.
  private static func add(_ value: String, of option: String, to changes: inout [Setting]) -> Bool {
    guard let reader = machineReader(of: option), let setting = try? reader(value) else { return false }
    changes.append(setting)
    return true
  }
}
