internal import ApusControl
internal import BootImage
import DeviceTree
import GuestABI
import GuestMemory
import Host
import HostBackends
public import SCMI

extension Configuration {
  /// arm64's COMMAND_LINE_SIZE, with the zero at the end.
  public static let commandLineLimit = 2048

  /// Checks everything that can be checked without KVM.
  ///
  /// - Parameter platform: the one that a machine of this configuration would be given, or nil.
  /// - Returns: what the configuration comes to; with an identity that is drawn for it where there is none.
  /// - Throws: every mistake at once.
  public func check(platform: SharedPlatform? = nil) throws(ConfigurationError) -> Plan {
    try checkAndOpen(platform).checked.plan
  }

  /// The same, and opens what the machine reads.
  ///
  /// - Parameter boots: whether the machine begins with a boot, and not as it stood in a snapshot.
  func checkAndOpen(
    _ platform: SharedPlatform? = nil,
    boots: Bool = true
  ) throws(ConfigurationError) -> (checked: CheckedConfiguration, inputs: Inputs) {
    var problems = valueProblems + fileProblems
    let place = openPlatform(platform, &problems)
    let inputs = openInputs(place, boots: boots, &problems)
    if pages == .huge, let problem = HugePages.problem {
      problems.append(.init(.hostFailure, .property(.pages), .init(problem)))
    }
    problems += outputProblems
    guard problems.isEmpty, let inputs else { throw ConfigurationError(problems: problems) }
    let board = Board(self, platform: place, gic: gic.planned)
    let uuid = uuid ?? .random()
    do {
      let checked = CheckedConfiguration(
        configuration: self,
        uuid: uuid,
        board: board,
        boot: try inputs.boot.map { files in
          let loader = BootLoader(files: files, tree: plannedTree(board, uuid, files.overlays))
          return CheckedConfiguration.PlannedBoot(image: files.image, placement: try loader.placement())
        },
        platform: place
      )
      return (checked, inputs)
    } catch {
      throw ConfigurationError(loading: error, in: self)
    }
  }

  /// The device tree as the guest gets it from a host with everything.
  func plannedTree(_ board: Board, _ uuid: UUID, _ overlays: [DeviceTreeOverlayFile]) -> GuestDeviceTree {
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
    func require(
      _ condition: Bool,
      _ property: Property,
      _ predicate: @autoclosure () -> ConfigurationError.Reason
    ) {
      if !condition { problems.append(.init(.usage, .property(property), .init(predicate: predicate()))) }
    }
    let isPrintable = name.utf8.allSatisfy { 0x20...0x7E ~= $0 }
    require(isPrintable && 1...64 ~= name.utf8.count, .name, "takes 1 to 64 printable ASCII characters")
    require(
      personality == .kvm || name != "manager" && !name.utf8.contains(UInt8(ascii: "/")),
      .name,
      "takes neither 'manager' nor a '/' where a guest finds Gunyah: its transcripts have both for others; give another one"
    )
    require(cpuCount >= 1, .cpuCount, "takes 1 or more, not \(cpuCount)")
    require(cpuCount <= 512, .cpuCount, "takes at most 512, which is KVM's limit on arm64, not \(cpuCount)")
    require(
      gic != .v2 || cpuCount <= MemoryMap.v2CPULimit,
      .gic,
      """
      serves at most \(MemoryMap.v2CPULimit) vCPUs, not \(cpuCount); use \(at: .property(.gic), GIC.v3.rawValue)
      """
    )
    require(memorySize > 0, .memorySize, "takes at least 1M, not 0")
    require(
      memorySize % MemoryMap.ramGranule == 0,
      .memorySize,
      "takes a multiple of 1 MiB, not \(memorySize) bytes"
    )
    require(
      memorySize <= Self.memorySizeLimit,
      .memorySize,
      "takes at most \(Self.memorySizeLimit >> 40)T, which is what one memory slot of KVM holds"
    )
    require(
      kernelCommandLine.utf8.count < Self.commandLineLimit && !commandLine.utf8.contains(0),
      .commandLine,
      "takes less than \(Self.commandLineLimit) bytes, which is what an arm64 kernel keeps of it"
    )
    require(HostPath.isPlain(commandLine), .commandLine, "takes UTF-8, which '\(commandLine)' is not")
    if case .descriptor(let number) = console {
      require(number >= 3, .console, "takes a descriptor from 3, which is none of the standard streams, not \(number)")
    }
    // What devices reach or have copied is the guest's to lend, and would be another machine's then.
    require(
      personality == .kvm || dma != .open && dma != .shadow,
      .personality,
      """
      lets a guest lend all of RAM, which devices would reach with \(at: .property(.dma), dma.name); leave one of both out
      """
    )
    require(
      personality == .kvm || iommu == nil,
      .personality,
      "lets a guest lend all of RAM, which devices would reach by the IOMMU; leave one of both out"
    )
    require(
      personality == .gunyah || gunyahTranscript == nil,
      .gunyahTranscript,
      "needs Gunyah; give \(at: .property(.personality), Personality.gunyah.rawValue)"
    )
    problems += deviceProblems()
    // Sums of sizes that are right themselves.
    if problems.isEmpty { problems += memoryProblems }
    if let timeout { require(timeout > .zero, .timeout, "takes more than 0 seconds") }
    return problems
  }

  /// The files that cannot be written. What is there stays as it is.
  private var outputProblems: [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    for file in files where file.use == .written {
      do {
        try OutputFile.check(path: file.path)
      } catch {
        problems.append(.init(error.kind, file.place, .init(error)))
      }
    }
    if case .pseudoTerminal(let link?) = console, let problem = ConsoleEndpoint.problem(ofLink: link) {
      problems.append(.init(problem.kind, .property(.console), .init(problem)))
    }
    if case .socket(let path)? = control, let problem = ListeningSocket.problem(path: path) {
      problems.append(.init(problem.kind, .property(.control), .init(problem)))
    }
    return problems + [debuggerProblem].compactMap(\.self)
  }

  /// The device tree as the guest would get it from a host with everything, without KVM and without a payload.
  ///
  /// - Parameter platform: the one that a machine of this configuration would be given, or nil.
  /// - Throws: ``ConfigurationError``.
  public func deviceTree(platform: SharedPlatform? = nil) throws(ConfigurationError) -> [UInt8] {
    try deviceTree(platform, isForPeople: false)
  }

  private func deviceTree(_ platform: SharedPlatform?, isForPeople: Bool) throws(ConfigurationError) -> [UInt8] {
    var problems = valueProblems + fileProblems
    let place = openPlatform(platform, &problems)
    let overlays = openOverlays(&problems)
    guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
    let board = Board(self, platform: place, gic: gic.planned)
    do {
      let tree = plannedTree(board, uuid ?? .random(), overlays)
      return try tree.blob(board.devices, initramfs: nil, isForPeople: isForPeople)
    } catch {
      throw ConfigurationError(loading: error, in: self)
    }
  }
}

extension Configuration {
  /// ``deviceTree(platform:)`` as text, for people: with the labels that overlays may refer to.
  ///
  /// - Parameter platform: the one that a machine of this configuration would be given, or nil.
  /// - Throws: ``ConfigurationError``.
  public func deviceTreeSource(platform: SharedPlatform? = nil) throws(ConfigurationError) -> String {
    let blob = try deviceTree(platform, isForPeople: true)
    do {
      return try DeviceTreeSource.text(of: blob)
    } catch {
      throw ConfigurationError(.hostFailure, .property(.devices), .init(error))
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
