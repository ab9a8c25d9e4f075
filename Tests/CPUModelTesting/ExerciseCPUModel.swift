internal import CPUModel
internal import KVM

/// Gives any bytes to the readers of models' files and of saved registers, and checks what they promise.
public enum ExerciseCPUModel {
  /// - Parameter bytes: the first one says what the others are: a model's file, or registers as a snapshot has them.
  public static func run(_ bytes: some Collection<UInt8>) {
    guard let first = bytes.first else { return }
    let rest = Array(bytes.dropFirst())
    if first & 1 == 0 {
      model(rest)
    } else {
      registers(rest)
    }
  }

  private static func model(_ json: [UInt8]) {
    guard let model = try? ProcessorModel(json: json) else { return }
    let again = try? ProcessorModel(json: Array(model.json.utf8))
    precondition(again == model, "what is written is read: \(model.json)")
    let plan = ModelPlan(model, on: HostProcessor())
    precondition(plan.writes.isEmpty, "nothing is written that the host does not list")
    for shipped in ProcessorModel.shipped {
      let common = ProcessorModel.intersection(of: [model, shipped], name: "common")
      precondition((try? ProcessorModel(json: Array(common.json.utf8))) != nil, "what models have in common is a model")
    }
  }

  private static func registers(_ stream: [UInt8]) {
    guard let saved = RegisterSet(saved: stream) else { return }
    for index in saved.ids.indices {
      precondition(saved.place(at: index).upperBound <= stream.count, "a register is in the bytes")
      precondition(saved.index(of: saved.ids[index]) == index, "a register is found")
    }
    var values = RegisterSet()
    for (index, id) in saved.ids.enumerated() where RestorePlan.needsValue(id) && id.size <= 8 {
      values.append(id, saved.value(at: index) & 0xFFFF)
    }
    let target = RestorePlan.Target(ids: values.ids, values: values, masks: .old)
    let plan = RestorePlan(saved: saved, target: target)
    for write in plan.writes { precondition(values.contains(write.id), "only what the host lists is written") }
  }

  /// Inputs to begin with.
  public static var seeds: [[UInt8]] {
    ProcessorModel.shipped.map { [0] + Array($0.json.utf8) } + [[1] + stream]
  }

  private static var stream: [UInt8] {
    var bytes: [UInt8] = []
    for id in [RegisterID.programCounter, .system(3, 0, 0, 6, 0), .firmware(.bitmap, 2), .vectorLengths] {
      for byte in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: id.rawValue >> UInt64(8 * byte))) }
      bytes += [UInt8](repeating: 1, count: id.size)
    }
    return bytes
  }
}
