internal import BootImage
internal import CHost
import DeviceTree
import GuestMemory
import Host
import HostBackends

/// Everything that is wrong with a configuration, at once.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// One mistake.
  public struct Problem: Equatable, Sendable {
    /// The exit status that it alone would have.
    public let kind: Kind
    /// What is wrong and what would be right, with the flag's or file's name: one line, for any terminal.
    public let message: String

    init(kind: Kind, message: String) {
      self.kind = kind
      self.message = message.plain
    }
  }

  /// What kind of mistake it is.
  public typealias Kind = FailureKind

  /// At least one, in the order of the configuration.
  public let problems: [Problem]

  /// The status for a process that ends because of it: that of the first mistake.
  public var exitStatus: Int32 { problems.first?.kind.rawValue ?? Kind.usage.rawValue }

  public var description: String { problems.map(\.message).joined(separator: "\n") }
}

extension Configuration {
  /// arm64's COMMAND_LINE_SIZE, with the zero at the end.
  public static let commandLineLimit = 2048

  /// Checks everything that can be checked without KVM.
  ///
  /// - Returns: what the configuration comes to.
  /// - Throws: every mistake at once.
  public func check() throws(ConfigurationError) -> Plan {
    try checkAndOpen().checked.plan
  }

  /// The same, and opens what the machine reads.
  func checkAndOpen() throws(ConfigurationError) -> (checked: CheckedConfiguration, inputs: Inputs) {
    let (opened, found) = openingPlatform()
    var problems = valueProblems + found
    let inputs = opened.openInputs(opened.scmiPlace, &problems)
    if pages == .huge, let problem = HugePages.problem { problems.append(.init(kind: .hostFailure, message: problem)) }
    problems += outputProblems + descriptorProblems
    guard problems.isEmpty, let inputs else { throw ConfigurationError(problems: problems) }
    let board = Board(opened, platform: opened.scmiPlace, gic: gic.planned)
    do {
      let loader = BootLoader(inputs: inputs, tree: opened.plannedTree(board, inputs.overlays))
      let placement = try loader.placement()
      let checked = CheckedConfiguration(
        configuration: opened,
        board: board,
        image: inputs.image,
        placement: placement,
        platform: opened.scmiPlace
      )
      return (checked, inputs)
    } catch {
      throw ConfigurationError(problems: [.init(loading: error)])
    }
  }

  /// The device tree as the guest gets it from a host with everything.
  func plannedTree(_ board: Board, _ overlays: [DeviceTreeOverlayFile]) -> GuestDeviceTree {
    GuestDeviceTree(
      board: board,
      name: name,
      identity: uuid,
      hasPerformanceMonitors: cpuFeatures.pmu,
      overlays: overlays
    )
  }

  /// The mistakes in plain values.
  private var valueProblems: [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    func require(_ condition: Bool, _ message: @autoclosure () -> String) {
      if !condition { problems.append(.init(kind: .usage, message: message())) }
    }
    let isPrintable = name.utf8.allSatisfy { 0x20...0x7E ~= $0 }
    require(isPrintable && 1...64 ~= name.utf8.count, "--name takes 1 to 64 printable ASCII characters")
    require(cpuCount >= 1, "--cpus takes 1 or more, not \(cpuCount)")
    require(cpuCount <= 512, "--cpus takes at most 512, which is KVM's limit on arm64, not \(cpuCount)")
    require(
      gic != .v2 || cpuCount <= MemoryMap.v2CPULimit,
      "--gic 2 serves at most \(MemoryMap.v2CPULimit) vCPUs, not \(cpuCount); use --gic 3"
    )
    require(memorySize > 0, "--memory takes at least 1M, not 0")
    require(
      memorySize % MemoryMap.ramGranule == 0,
      "--memory takes a multiple of 1 MiB, not \(memorySize) bytes"
    )
    require(
      memorySize <= Self.memoryLimit,
      "--memory takes at most \(Self.memoryLimit >> 40)T, which is what one memory slot of KVM holds"
    )
    require(
      kernelCommandLine.utf8.count < Self.commandLineLimit && !commandLine.utf8.contains(0),
      "--append takes less than \(Self.commandLineLimit) bytes, which is what an arm64 kernel keeps of it"
    )
    require(HostPath.isPlain(commandLine), "--append takes UTF-8, which '\(commandLine)' is not")
    for problem in deviceProblems() { require(false, problem) }
    if let timeout { require(timeout > .zero, "--timeout takes more than 0 seconds") }
    return problems
  }

  /// The files that cannot be written. What is there stays as it is.
  private var outputProblems: [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    for file in writtenFiles {
      do {
        try OutputFile.check(path: file.path)
      } catch {
        problems.append(.init(kind: error.kind, message: "\(file.option): \(error)"))
      }
    }
    for port in consoleDevice?.ports ?? [] {
      guard case .socket(let path) = port.destination, let problem = PortEndpoint.problem(ofSocket: path) else {
        continue
      }
      problems.append(.init(kind: problem.kind, message: "--port \(port): \(problem)"))
    }
    if case .pseudoTerminal(let link?) = console, let problem = ConsoleEndpoint.problem(ofLink: link) {
      problems.append(.init(kind: problem.kind, message: "--console: \(problem)"))
    }
    return problems
  }

  /// The descriptors that are to be open and are not.
  private var descriptorProblems: [ConfigurationError.Problem] {
    (consoleDevice?.ports ?? []).compactMap { port in
      guard case .descriptor(let number) = port.destination, number >= 3 else { return nil }
      var (reads, writes) = (false, false)
      // SAFETY: the variables hold for the call.
      guard unsafe chost_access_mode(number, &reads, &writes) < 0 else { return nil }
      return .init(kind: .usage, message: "--port \(port): descriptor \(number) is not open; open it in the caller")
    }
  }

  /// A memory slot of KVM has less than 2³¹ pages, which is 8 TiB of the smallest ones.
  private static let memoryLimit: UInt64 = 4 << 40

  /// The device tree as the guest would get it from a host with everything, without KVM and without a payload.
  ///
  /// - Throws: ``ConfigurationError``.
  public func deviceTree() throws(ConfigurationError) -> [UInt8] {
    try deviceTree(isForPeople: false)
  }

  private func deviceTree(isForPeople: Bool) throws(ConfigurationError) -> [UInt8] {
    let (opened, found) = openingPlatform()
    var problems = valueProblems + found
    let overlays = openOverlays(&problems)
    guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
    let board = Board(opened, platform: opened.scmiPlace, gic: gic.planned)
    do {
      return try plannedTree(board, overlays).blob(board.devices, initramfs: nil, isForPeople: isForPeople)
    } catch {
      throw ConfigurationError(problems: [.init(loading: error)])
    }
  }
}

/// A configuration without mistakes, and what it comes to.
struct CheckedConfiguration: Sendable {
  let configuration: Configuration
  /// As planned: where the configuration leaves the interrupt controller to the host, with a GICv3.
  let board: Board
  let image: BootImageDescription
  let placement: BootPlacement
  /// The machine's place on its platform.
  let platform: SCMIPlace?

  /// With the devices. For people and programs that ask: no guest needs it.
  var plan: Plan { Plan(self) }

  /// Loads the payload and the initramfs as a start would, into memory that goes again: only so is it known whether a
  /// compressed kernel can be decompressed.
  ///
  /// - Throws: ``ConfigurationError``, what a start would end with.
  func rehearse(_ inputs: Inputs) throws(ConfigurationError) {
    do {
      let ram = try PrivateRAM(range: board.map.ram, pages: .hugeWherePossible)
      let tree = configuration.plannedTree(board, inputs.overlays)
      _ = try BootLoader(inputs: inputs, tree: tree).loadFiles(into: ram)
    } catch {
      throw ConfigurationError(problems: [.init(loading: error)])
    }
  }
}

extension Configuration {
  /// ``deviceTree()`` as text, for people: with the labels that overlays may refer to.
  ///
  /// - Throws: ``ConfigurationError``.
  public func deviceTreeSource() throws(ConfigurationError) -> String {
    let blob = try deviceTree(isForPeople: true)
    do {
      return try DeviceTreeSource.text(of: blob)
    } catch {
      throw ConfigurationError(problems: [.init(kind: .hostFailure, message: "\(error)")])
    }
  }
}

extension Configuration.GIC {
  /// The version where no host says otherwise.
  fileprivate var planned: GICVersion {
    switch self {
    case .automatic, .v3: .v3
    case .v2: .v2
    }
  }
}

extension BootImageDescription {
  var kindName: String {
    let name =
      switch kind {
      case .linux: "Linux Image"
      case .executable: "ELF executable"
      case .raw: "raw binary"
      }
    switch packaging {
    case .plain: return name
    case .gzip: return name + ", gzip"
    case .efiZboot(let compression): return name + ", EFI zboot with " + compression.rawValue
    }
  }
}

extension ConfigurationError.Problem {
  init(_ error: BootImageError) {
    let kind: ConfigurationError.Kind =
      switch error.category {
      case .inputNotFound: .inputNotFound
      case .inputUnusable, .doesNotFit: .badInput
      case .hostFailed: .hostFailure
      }
    self.init(kind: kind, message: "\(error)")
  }

  init(_ error: DeviceTreeOverlayFileError) {
    self.init(kind: error.kind, message: "\(error)")
  }

  /// A mistake that was found when the guest's files were placed or loaded.
  fileprivate init(loading error: any Error) {
    switch error {
    case let error as BootImageError: self.init(error)
    case let error as DeviceTreeOverlayFileError: self.init(error)
    case let error as DeviceTreeTooLarge: self.init(kind: .badInput, message: "\(error)")
    default: self.init(kind: .hostFailure, message: "\(error)")
    }
  }
}

extension Outcome {
  /// The outcome of a machine that could not be started.
  init(failure: any Error) {
    switch failure {
    case let error as OpenFailure: self.init(kind: error.kind, error.message)
    case let error as BootImageError:
      switch error.category {
      case .inputNotFound: self.init(.inputNotFound, "\(error)")
      case .inputUnusable, .doesNotFit: self.init(.badInput, "\(error)")
      case .hostFailed: self.init(.hostFailure, "\(error)")
      }
    case let error as DiskError: self.init(kind: error.kind, "\(error)")
    case let error as DeviceTreeOverlayFileError: self.init(kind: error.kind, "\(error)")
    case let error as DeviceTreeTooLarge: self.init(.badInput, "\(error)")
    case let error as NetworkError: self.init(error.kind == .hostFailure ? .hostFailure : .badInput, "\(error)")
    case let error as OutputFileError:
      self.init(error.exitStatus == End.cannotCreate.exitStatus ? .cannotCreate : .hostFailure, "\(error)")
    default: self.init(.hostFailure, "\(failure)")
    }
  }

  /// That of something which was good when the configuration was checked, and is not when the machine starts.
  init(kind: FailureKind, _ message: String) {
    switch kind {
    case .inputNotFound: self.init(.inputNotFound, message)
    case .badInput, .usage: self.init(.badInput, message)
    case .hostFailure: self.init(.hostFailure, message)
    case .cannotCreate: self.init(.cannotCreate, message)
    }
  }
}
