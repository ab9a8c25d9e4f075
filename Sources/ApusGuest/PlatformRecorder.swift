internal import SCMI
internal import Synchronization

/// Keeps what a platform and its agents say to each other, for who asks later.
final class PlatformRecorder: Sendable {
  /// How many lines are kept; of what comes behind them the oldest half goes.
  static let limit = 65_536

  private final class Kept: Sendable {
    let records = Mutex<[TranscriptRecord]>([])
  }

  private let kept: Kept
  private let platform: SharedPlatform
  private let recording: SharedPlatform.Recording

  init(_ platform: SharedPlatform) {
    let kept = Kept()
    self.kept = kept
    self.platform = platform
    recording = platform.record { record in
      kept.records.withLock { records in
        if records.count == Self.limit { records.removeFirst(Self.limit / 2) }
        records.append(record)
      }
    }
  }

  deinit { platform.end(recording) }

  var records: [TranscriptRecord] { kept.records.withLock { $0 } }
}
