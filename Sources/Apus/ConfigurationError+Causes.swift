import BootImage
import GuestABI
import Host
import HostBackends

extension ConfigurationError.Problem {
  init(_ error: BootImageError, in configuration: Configuration) {
    let kind: ConfigurationError.Kind =
      switch error.category {
      case .inputNotFound: .inputNotFound
      case .inputUnusable, .doesNotFit: .badInput
      case .hostFailed: .hostFailure
      }
    let isInitramfs = error.path == configuration.initramfs && error.path != configuration.payload.path
    let path = Configuration.Path.property(isInitramfs ? .initramfs : .payload)
    guard case .foreign(.uBoot, _) = error.reason else {
      self.init(kind, path, .init(error))
      return
    }
    let (payload, dma, unmapped) = (path, Configuration.Path.property(.dma), Configuration.Path.property(.unmapped))
    self.init(kind, path, "\(error) (\(at: payload, "raw") \(at: dma, "open") \(at: unmapped, "zero"))")
  }

  init(_ error: DeviceTreeOverlayFileError) {
    self.init(error.kind, .deviceTreeOverlay(error.index), .init(error))
  }
}

extension ConfigurationError {
  /// A mistake that was found when the guest's files were placed or loaded.
  init(loading error: any Error, in configuration: Configuration) {
    let problem: Problem
    switch error {
    case let error as BootImageError: problem = Problem(error, in: configuration)
    case let error as DeviceTreeOverlayFileError: problem = Problem(error)
    case let error as DeviceTreeTooLarge:
      problem = Problem(.badInput, configuration.platformPath ?? .property(.cpuCount), .init(error))
    case let error as OutputFileError: problem = Problem(error.kind, .property(.deviceTreeDump), .init(error))
    default: problem = Problem(.hostFailure, .property(.memorySize), .init("\(error)"))
    }
    self.init(problems: [problem])
  }
}

extension ConfigurationError {
  /// Places or loads files of the guest's.
  static func loading<Result>(_ configuration: Configuration, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch {
      throw ConfigurationError(loading: error, in: configuration)
    }
  }
}

extension Outcome {
  /// The outcome of a machine that could not be started.
  init(failure: any Error) {
    guard let error = failure as? ConfigurationError, let problem = error.problems.first else {
      if let error = failure as? MachineStateError {
        self.init(.badInput, error.problems.joined(separator: "; "))
      } else {
        self.init(.hostFailure, "\(failure)")
      }
      return
    }
    self.init(problem)
  }

  /// That of something which was good when the configuration was checked, and is not when the machine starts.
  init(_ problem: ConfigurationError.Problem) {
    let end: End =
      switch problem.kind {
      case .inputNotFound: .inputNotFound
      case .badInput, .usage: .badInput
      case .hostFailure: .hostFailure
      case .cannotCreate: .cannotCreate
      }
    self.init(end, "\(problem)")
    self.problem = problem
  }
}
