import CPUModel
import Host

extension Configuration.ProcessorChoice: CustomStringConvertible {
  /// `host`, the model's name, or its file's path.
  public var description: String {
    switch self {
    case .host: "host"
    case .named(let name): name
    case .file(let path): path
    case .model(let model): model.name
    }
  }
}

extension Configuration.ProcessorChoice: Codable {
  /// - Throws: `DecodingError` for an unknown case, for one without its name or path, and for a text that is no model.
  public init(from decoder: any Decoder) throws {
    let coded = try CodedCase(decoder, names: ["host", "named", "file", "model"])
    switch coded.name {
    case "named": self = .named(try coded.values(["name"]).value("name"))
    case "file": self = .file(path: try coded.values(["path"]).value("path"))
    case "model":
      let text: String = try coded.values(["text"]).value("text")
      do {
        self = .model(try ProcessorModel(json: Array(text.utf8)))
      } catch {
        throw DecodingError.mistake("is no model of a processor: \(error)", at: decoder.codingPath)
      }
    default:
      _ = try coded.values()
      self = .host
    }
  }

  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .host: try encoder.encode(case: "host")
    case .named(let name): try encoder.encode(case: "named") { try $0.encode(name, forKey: "name") }
    case .file(let path): try encoder.encode(case: "file") { try $0.encode(path, forKey: "path") }
    case .model(let model): try encoder.encode(case: "model") { try $0.encode(model.json, forKey: "text") }
    }
  }
}

extension Configuration {
  /// Reads the model of the processor.
  ///
  /// - Parameter problems: gets every mistake.
  /// - Returns: nil for the host's own, and where there are mistakes.
  func openModel(_ problems: inout [ConfigurationError.Problem]) -> ProcessorModel? {
    let place = Path.property(.cpuModel)
    let model: ProcessorModel
    switch cpuModel {
    case .host: return nil
    case .model(let given): model = given
    case .named(let name):
      guard let shipped = ProcessorModel.shipped(named: name) else {
        let names = ProcessorModel.shippedNames.joined(separator: ", ")
        problems.append(.init(.usage, place, "there is no model '\(name)'; give host, \(names) or a file"))
        return nil
      }
      model = shipped
    case .file(let path):
      do {
        model = try ProcessorModel(json: try InputFile.read(path))
      } catch let error as InputFileError {
        problems.append(.init(error.kind, place, .init(error)))
        return nil
      } catch let error as ModelFileError {
        problems += error.messages(for: path).map { .init(.badInput, place, .init($0)) }
        return nil
      } catch {
        problems.append(.init(.badInput, place, .init("\(path): \(error)")))
        return nil
      }
    }
    let off: [(isOff: Bool, what: String)] = [
      (!cpuFeatures.sve && !model.vectorLengths.isEmpty, "scalable vectors"),
      (!cpuFeatures.pmu && model.monitors != nil, "performance monitors"),
      (!cpuFeatures.pointerAuthentication && model.hasPointerAuthentication, "pointer authentication"),
    ]
    for part in off where part.isOff {
      let features = Path.property(.cpuFeatures)
      problems.append(.init(.usage, place, "'\(model.name)' has \(part.what), which \(at: features) takes away"))
    }
    return model
  }

  /// The model, where that takes no reading that fails; nil for the host's own.
  var knownModel: ProcessorModel? {
    var problems: [ConfigurationError.Problem] = []
    return openModel(&problems)
  }
}
