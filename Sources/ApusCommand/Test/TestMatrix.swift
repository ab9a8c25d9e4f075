import Apus
import ArgumentParser

/// The machines of `--matrix`: every combination of some options' values.
enum TestMatrix {
  typealias Column = (option: String, values: [String])

  /// The most machines of a matrix.
  static let machineLimit = 1000

  /// The machines that a text asks for, or one that is as it is without a matrix.
  ///
  /// - Throws: a `ValidationError` for what is no matrix, or is too large.
  static func machines(_ text: String?) throws -> [[(option: String, value: String)]] {
    let columns = try text.map { try Self.columns($0) } ?? []
    let count = columns.reduce(1) { count, column in
      let (product, overflow) = count.multipliedReportingOverflow(by: column.values.count)
      return overflow ? .max : product
    }
    guard count <= machineLimit else {
      throw ValidationError(
        "--matrix: these are \(count) machines; at most \(machineLimit) are run at once. Give fewer values, or one part "
          + "of the matrix at a time"
      )
    }
    return product(columns)
  }

  /// Reads `cpus=1,4;gic=2,3`.
  ///
  /// - Throws: a `ValidationError` for what is none.
  static func columns(_ text: String) throws -> [Column] {
    var columns: [Column] = []
    for part in text.split(separator: ";", omittingEmptySubsequences: false) {
      let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard sides.count == 2, !sides[0].isEmpty else {
        throw ValidationError("--matrix: '\(part)' is none; give OPTION=VALUE,VALUE, and ';' between options")
      }
      let option = String(sides[0])
      let values = sides[1].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      guard values.allSatisfy({ !$0.isEmpty }), Set(values).count == values.count else {
        throw ValidationError("--matrix: '\(part)': give each value once, and ',' between them")
      }
      guard !columns.contains(where: { $0.option == option }) else {
        throw ValidationError("--matrix: '\(option)' is there twice")
      }
      for value in values { _ = try setting(option, value) }
      columns.append((option, values))
    }
    return columns
  }

  /// What one value changes.
  ///
  /// - Throws: a `ValidationError` for an option that has no place in a matrix, and for a value that is none of its.
  static func setting(_ option: String, _ value: String) throws -> Setting {
    let reader: Setting.Reader? =
      switch option {
      case "cpus": Setting.cpus
      case "gic": Setting.gic
      case "memory": Setting.memory
      case "cpu": Setting.cpu
      case "cpu-model": Setting.cpuModel
      case "dma": Setting.dma
      case "append": Setting.commandLine
      case "initrd": Setting.initrd
      case "kernel": Setting.text { $0.configuration.payload = .kernel(path: $1) }
      default: nil
      }
    guard let reader else {
      throw ValidationError(
        "--matrix: '\(option)' is none of its options: cpus, gic, memory, cpu, cpu-model, dma, append, initrd, kernel"
      )
    }
    do {
      return try reader(value)
    } catch let error as ValidationError {
      throw ValidationError("--matrix: \(option)=\(value): \(error.message)")
    }
  }

  /// All combinations; the last option's values change first.
  static func product(_ columns: [Column]) -> [[(option: String, value: String)]] {
    columns.reduce([[]]) { rows, column in
      rows.flatMap { row in column.values.map { row + [(column.option, $0)] } }
    }
  }
}
