import ApusControl

extension MachineControl {
  /// What the machine becomes as files.
  func addSnapshot(to table: inout ControlTable) {
    table.on(Control.Snapshot.self) { [self] parameters, answer in
      var options = SnapshotOptions()
      options.base = parameters.differential
      options.replaces = parameters.replace ?? false
      options.logsChanges = parameters.log ?? false
      options.checksumsDisks = parameters.checksums ?? false
      let wish = SnapshotWish(directory: parameters.directory, options: options) { result in
        switch result {
        case .success(let summary): answer.succeed(.init(summary))
        case .failure(let failure): answer.fail(failure.isEnd ? .ended : .refused, failure.description)
        }
      }
      ask(answer) { $0.takeSnapshot(wish) }
    }
  }
}

extension Control.Snapshot.Answer {
  fileprivate init(_ summary: SnapshotSummary) {
    self.init()
    directory = summary.directory
    identifier = summary.identifier
    size = summary.size
    paused = summary.pausedTime
    duration = summary.duration
  }
}
