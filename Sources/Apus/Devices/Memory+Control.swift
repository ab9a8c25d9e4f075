import ApusControl

extension MachineControl {
  /// Hot-plug memory.
  func addMemory(to table: inout ControlTable) {
    table.on(Control.Memory.self) { [self] _, answer in
      ask(answer) { boot in
        var memory = Control.Memory.Answer()
        memory.regions = boot.hotplugMemory.map { Control.MemoryRegion($0) }
        answer.succeed(memory)
      }
    }
    table.on(Control.MemoryResize.self) { [self] parameters, answer in
      ask(answer) { boot in
        let names = boot.hotplugMemory.map(\.name)
        // Where there is one only, it is meant.
        guard let name = parameters.name ?? (names.count == 1 ? names[0] : nil) else {
          guard !names.isEmpty else { return answer.fail(.notFound, "the machine was started without hot-plug memory") }
          return answer.fail(.invalidParameters, "'name' is missing; give \(names.joined(separator: ", "))")
        }
        switch boot.setHotplugMemory(name, requested: parameters.size) {
        case .success(let status): answer.succeed(Control.MemoryRegion(status))
        case .failure(let error): answer.fail(error.code, "\(error)")
        }
      }
    }
  }
}

extension Control.MemoryRegion {
  /// A region that nothing is known of yet but the configuration.
  init(_ wish: HotplugMemoryWish) {
    self.init()
    name = wish.name
    size = wish.size
    block = wish.blockSize
    requested = wish.initialSize
  }

  init(_ status: HotplugMemoryStatus) {
    self.init()
    name = status.name
    size = status.size
    block = status.blockSize
    requested = status.requested
    plugged = status.plugged
  }
}

extension HotplugMemoryError {
  fileprivate var code: ControlError.Code {
    switch self {
    case .ended: .ended
    case .unknown: .notFound
    case .notInBlocks, .beyondRegion: .invalidParameters
    }
  }
}
