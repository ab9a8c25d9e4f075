internal import BootImage
internal import CLinux
import DeviceTree
import GuestMemory

/// Everything that is wrong with a configuration, at once.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// One mistake.
  public struct Problem: Equatable, Sendable {
    /// The exit status that it alone would have.
    public let kind: Kind
    /// What is wrong and what would be right, with the flag's or file's name.
    public let message: String
  }

  /// What kind of mistake it is.
  public enum Kind: Int32, Sendable {
    /// A value that no machine can have.
    case usage = 64
    /// A file that is there and is not what it should be.
    case badInput = 65
    /// A file that is not there or cannot be read.
    case inputNotFound = 66
    /// The host failed while a file was looked at.
    case hostFailure = 71
    /// A file that cannot be written.
    case cannotCreate = 73
  }

  /// At least one, in the order of the configuration.
  public let problems: [Problem]

  /// The status for a process that ends because of it: that of the first mistake.
  public var exitStatus: Int32 { problems.first?.kind.rawValue ?? Kind.usage.rawValue }

  public var description: String { problems.map(\.message).joined(separator: "\n") }
}

/// What a configuration comes to, before anything is started: what `apus run --dry-run` prints.
public struct Plan: Sendable, Encodable {
  /// The machine's name.
  public let name: String
  /// The machine's identity.
  public let uuid: String
  /// How many vCPUs.
  public let cpus: Int
  /// Bytes of RAM.
  public let memory: UInt64
  /// The interrupt controller's version, where no host says otherwise.
  public let gic: Int
  /// The payload's file.
  public let payload: String
  /// What the payload is.
  public let payloadKind: String
  /// Where the first vCPU starts.
  public let entry: UInt64
  /// Where the device tree goes.
  public let deviceTree: UInt64
  /// Where the initramfs goes, with its size, or nil.
  public let initramfs: Region?
  /// The kernel's command line.
  public let commandLine: String
  /// The memory map.
  public let memoryMap: [Region]

  /// A named range of guest-physical addresses.
  public struct Region: Sendable, Encodable {
    /// What is there.
    public let name: String
    /// The first address.
    public let start: UInt64
    /// In bytes.
    public let size: UInt64
  }
}

extension Configuration {
  /// arm64's COMMAND_LINE_SIZE, with the zero at the end.
  public static let commandLineLimit = 2048

  /// Checks everything that can be checked without KVM.
  ///
  /// - Returns: what the configuration comes to.
  /// - Throws: every mistake at once.
  public func check() throws(ConfigurationError) -> Plan {
    let (opened, problems) = openingPlatform()
    return try opened.check(adding: problems).plan
  }

  /// The same where the platform is open already.
  func check(adding found: [ConfigurationError.Problem]) throws(ConfigurationError) -> CheckedConfiguration {
    var problems = valueProblems + found
    var image: BootImageDescription?
    var initramfsFile: BootPlacement.Initramfs?
    do {
      image = try BootImageFile(path: payload.path).inspect(raw: payload.isRaw)
    } catch {
      problems.append(.init(error))
    }
    if let initramfs {
      do {
        initramfsFile = .init(try BootImageFile(path: initramfs))
      } catch {
        problems.append(.init(error))
      }
    }
    for case .block(let block) in devices.map(\.kind) {
      do {
        _ = try DiskFile.open(block.path, isReadOnly: block.isReadOnly)
      } catch {
        problems.append(.init(kind: error.kind, message: "\(error)"))
      }
    }
    for case .network(let network) in devices.map(\.kind) {
      do {
        try network.checkHost()
      } catch {
        problems.append(.init(kind: error.kind, message: "\(error)"))
      }
    }
    if pages == .huge, let problem = HugePages.problem { problems.append(.init(kind: .hostFailure, message: problem)) }
    problems += outputProblems + descriptorProblems
    guard problems.isEmpty, let image else { throw ConfigurationError(problems: problems) }
    let version = gic.planned
    let map = MemoryMap(self, gic: version)
    do {
      let loader = BootLoader(self, map, hasPerformanceMonitors: cpuFeatures.pmu)
      let placement = try loader.placement(image, initramfsFile)
      return CheckedConfiguration(configuration: self, image: image, placement: placement, map: map, gic: version)
    } catch {
      throw ConfigurationError(problems: [.init(error)])
    }
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
    for problem in deviceProblems() { require(false, problem) }
    if let timeout { require(timeout > .zero, "--timeout takes more than 0 seconds") }
    return problems
  }

  /// The files that cannot be written. What is there stays as it is.
  private var outputProblems: [ConfigurationError.Problem] {
    writtenFiles.compactMap { file in
      do {
        try OutputFile.check(path: file.path)
        return nil
      } catch {
        return .init(kind: .cannotCreate, message: "\(file.option): \(error)")
      }
    }
  }

  /// The descriptors that are to be open and are not.
  private var descriptorProblems: [ConfigurationError.Problem] {
    (consoleDevice?.ports ?? []).compactMap { port in
      guard case .descriptor(let number) = port.destination, number >= 3 else { return nil }
      var (reads, writes) = (false, false)
      // SAFETY: the variables hold for the call.
      guard unsafe clinux_access_mode(number, &reads, &writes) < 0 else { return nil }
      return .init(kind: .usage, message: "--port \(port): descriptor \(number) is not open; open it in the caller")
    }
  }

  /// Loads the payload and the initramfs as a start would, into memory that goes again: only so is it known whether a
  /// compressed kernel can be decompressed.
  ///
  /// - Throws: ``ConfigurationError``, what a start would end with.
  func rehearse() throws(ConfigurationError) {
    let map = MemoryMap(self, gic: gic.planned)
    do {
      let ram = try PrivateRAM(range: map.ram, pages: .hugeWherePossible)
      _ = try BootLoader(self, map, hasPerformanceMonitors: cpuFeatures.pmu).loadFiles(into: ram)
    } catch let error as BootImageError {
      throw ConfigurationError(problems: [.init(error)])
    } catch {
      throw ConfigurationError(problems: [.init(kind: .hostFailure, message: "\(error)")])
    }
  }

  /// A memory slot of KVM has less than 2³¹ pages, which is 8 TiB of the smallest ones.
  private static let memoryLimit: UInt64 = 4 << 40

  /// The device tree as the guest would get it from a host with everything, without KVM and without a payload.
  ///
  /// - Throws: ``ConfigurationError``.
  public func deviceTree() throws(ConfigurationError) -> [UInt8] {
    let (opened, found) = openingPlatform()
    let problems = valueProblems + found
    guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
    let map = MemoryMap(opened, gic: gic.planned)
    do {
      return try BootLoader(opened, map, hasPerformanceMonitors: cpuFeatures.pmu).tree(initramfs: nil).blob()
    } catch {
      throw ConfigurationError(problems: [.init(kind: .hostFailure, message: "\(error)")])
    }
  }
}

/// A configuration without mistakes, and what it comes to.
struct CheckedConfiguration: Sendable {
  let configuration: Configuration
  let image: BootImageDescription
  let placement: BootPlacement
  let map: MemoryMap
  let gic: GICVersion

  /// For people and programs that ask: no guest needs it.
  var plan: Plan {
    Plan(
      name: configuration.name,
      uuid: configuration.uuid.description,
      cpus: configuration.cpuCount,
      memory: configuration.memorySize,
      gic: gic.rawValue,
      payload: configuration.payload.path,
      payloadKind: image.kindName,
      entry: placement.entry.rawValue,
      deviceTree: placement.deviceTree.start.rawValue,
      initramfs: placement.initramfs.map {
        .init(name: "initramfs", start: $0.start.rawValue, size: $0.size)
      },
      commandLine: configuration.kernelCommandLine,
      memoryMap: map.regions.map { .init(name: $0.name, start: $0.range.start.rawValue, size: $0.range.size) }
    )
  }
}

extension Configuration {
  /// ``deviceTree()`` as text, for people.
  ///
  /// - Throws: ``ConfigurationError``.
  public func deviceTreeSource() throws(ConfigurationError) -> String {
    let blob = try deviceTree()
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
  fileprivate var kindName: String {
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
  fileprivate init(_ error: BootImageError) {
    let kind: ConfigurationError.Kind =
      switch error.category {
      case .inputNotFound: .inputNotFound
      case .inputUnusable, .doesNotFit: .badInput
      case .hostFailed: .hostFailure
      }
    self.init(kind: kind, message: "\(error)")
  }
}

extension Outcome {
  /// The outcome of a machine that could not be started.
  init(failure: any Error) {
    switch failure {
    case let error as BootImageError:
      switch error.category {
      case .inputNotFound: self.init(.inputNotFound, "\(error)")
      case .inputUnusable, .doesNotFit: self.init(.badInput, "\(error)")
      case .hostFailed: self.init(.hostFailure, "\(error)")
      }
    case let error as DiskError:
      switch error.kind {
      case .inputNotFound: self.init(.inputNotFound, "\(error)")
      case .badInput, .usage: self.init(.badInput, "\(error)")
      case .hostFailure, .cannotCreate: self.init(.hostFailure, "\(error)")
      }
    case let error as NetworkError: self.init(error.kind == .hostFailure ? .hostFailure : .badInput, "\(error)")
    case let error as OutputFileError: self.init(.cannotCreate, "\(error)")
    default: self.init(.hostFailure, "\(failure)")
    }
  }
}
