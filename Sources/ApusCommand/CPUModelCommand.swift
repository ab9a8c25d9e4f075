import Apus
import ArgumentParser
import Host

/// Models of processors, as files have them.
struct CPUModelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cpu-model",
    abstract: "Print a model of a processor: a shipped one, this host's, or what several have in common.",
    discussion: """
      Examples:
        apus cpu-model armv8.0-baseline
        apus cpu-model --from-host --name rack4 > rack4.json
        apus cpu-model --intersect rack1.json rack4.json --name fleet > fleet.json
        apus run --kernel Image --cpu-model fleet.json

      A word with '/' or '.json' in it is a file. Without a word the names of the shipped models are printed. \
      Documentation/CPUModels.md explains the files.

      Exit status: 0; 64 for a name that no model has; 65 or 66 for files that cannot be used; 71 without KVM.
      """
  )

  @Flag(help: "The model of this host: all that its KVM shows.")
  var fromHost = false

  @Flag(help: "What all of these models have, for a fleet of such hosts.")
  var intersect = false

  @Option(help: "What to call the model that is made.")
  var name: String?

  @Option(help: ArgumentHelp("KVM's device.", visibility: .hidden))
  var kvm = "/dev/kvm"

  @Argument(help: ArgumentHelp("Names of models, or their files.", valueName: "model"))
  var models: [String] = []

  func validate() throws {
    if fromHost, intersect { throw ValidationError("Give one of --from-host and --intersect.") }
    if fromHost, !models.isEmpty { throw ValidationError("--from-host takes no model.") }
    if intersect, models.count < 2 { throw ValidationError("--intersect takes two models or more.") }
    if !fromHost, !intersect {
      if models.count > 1 { throw ValidationError("Give one model, or --intersect.") }
      if name != nil { throw ValidationError("--name goes with --from-host or --intersect.") }
    }
    if let name, !ProcessorModel.isName(name) || name == "host" {
      throw ValidationError("--name takes 1 to 64 letters, digits, dots, hyphens and underscores, and not 'host'.")
    }
  }

  func run() throws {
    if fromHost {
      let model: ProcessorModel
      do {
        model = try HostSurvey.processorModel(name: name ?? "this-host", kvmPath: kvm)
      } catch {
        Message.say("error: \(error)")
        throw ExitCode(71)
      }
      try show(model)
    } else if intersect {
      try show(ProcessorModel.intersection(of: try models.map(read), name: name ?? "common"))
    } else if let word = models.first {
      try show(read(word))
    } else {
      try Message.show(ProcessorModel.shipped.map { "\($0.name): \($0.summary)" })
    }
  }

  private func show(_ model: ProcessorModel) throws {
    try Message.show(model.json.split(separator: "\n" as Character).map(String.init))
  }

  private func read(_ word: String) throws -> ProcessorModel {
    guard let choice = Configuration.ProcessorChoice(option: word), choice != .host else {
      let names = ProcessorModel.shippedNames.joined(separator: ", ")
      Message.say("error: there is no model '\(word)'; give \(names), or a file's path with a '/' or '.json' in it")
      throw ExitCode(FailureKind.usage.rawValue)
    }
    if let shipped = ProcessorModel.shipped(named: "\(choice)") { return shipped }
    let bytes = try Message.reporting { () throws(InputFileError) in try InputFile.read(word) }
    do {
      return try ProcessorModel(json: bytes)
    } catch {
      throw BadText.said(error.messages(for: word))
    }
  }
}

extension Configuration.ProcessorChoice {
  /// What the command's word means; nil where it is neither a name nor a path.
  init?(option text: String) {
    if text == "host" {
      self = .host
    } else if ProcessorModel.shippedNames.contains(text) {
      self = .named(text)
    } else if text.utf8.contains(UInt8(ascii: "/")) || text.hasSuffix(".json") {
      self = .file(path: text)
    } else {
      return nil
    }
  }
}
