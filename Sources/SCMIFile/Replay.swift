public import SCMI

/// Sends a recorded session to a platform and compares what it says.
public enum Replay {
  /// A line that came out differently.
  public struct Difference: Equatable, Sendable, CustomStringConvertible {
    /// The recorded line's sequence number, or the number of recorded lines where there are too many new ones.
    public var sequence: UInt64
    /// The line as it was recorded; `nil` where there was none.
    public var recorded: String?
    /// The line as it came out; `nil` where there was none.
    public var replayed: String?

    public var description: String {
      "\(sequence): recorded \(recorded ?? "nothing"), replayed \(replayed ?? "nothing")"
    }
  }

  /// What a replay has found.
  public struct Report: Equatable, Sendable {
    /// Lines that were handed to the platform.
    public var requests = 0
    /// Lines that were compared.
    public var compared = 0
    /// In order; empty is what is hoped for.
    public var differences: [Difference] = []
    /// Changes of permissions by the machine's owner: a transcript does not say enough to repeat them.
    public var skipped = 0
    /// Samples that were not computed, besides those that the recorded session skipped, too: there were more in all
    /// than a replay computes.
    public var missedSamples: UInt64 = 0
  }

  /// How many samples of sensors and power caps a replay computes, unless its caller wants more or fewer.
  public static let maximumSamples = 1_000_000

  /// Replays requests and resets at their times. The platform must be new, of the definition that was recorded.
  ///
  /// Times, agents, kinds and bytes are compared; explanations are not.
  ///
  /// - Parameters:
  ///   - records: of one session, in order.
  ///   - platform: has done nothing yet.
  ///   - samples: how many samples are computed at most.
  public static func run(
    _ records: [TranscriptRecord],
    on platform: inout SCMIPlatform,
    samples: Int = maximumSamples
  ) -> Report {
    var report = Report()
    var replayed: [TranscriptRecord] = []
    var ticket: UInt64 = 0
    var budget = samples
    platform.isRecording = true
    for record in records where record.agent < platform.definition.agents.count {
      let missed = platform.missedSamples
      platform.replay(to: record.time, budget: &budget)
      report.missedSamples &+= platform.missedSamples &- missed
      var reply = SCMIMessage(header: record.message.header)
      switch record.kind {
      case .request:
        report.requests += 1
        ticket += 1
        _ = platform.handle(record.message, from: record.agent, ticket: ticket, at: record.time, reply: &reply)
      case .malformed:
        // What the bytes were is not recorded, but only whether there was a header.
        let tooFew = record.message.header.rawValue == 0
        let bytes = tooFew ? [] : record.message.bytes + [UInt8](repeating: 0, count: SCMIMessage.maximumPayload + 1)
        _ = platform.handle(bytes: bytes.span, from: record.agent, at: record.time, reply: &reply)
      case .reset:
        // A record that does not say is of no session: what it comes to differs.
        platform.resetAgent(record.agent, events: record.events ?? false, at: record.time)
      case .control:
        guard let skipped = record.decision.flatMap({ SkippedSamples($0) }) else {
          report.skipped += 1
          break
        }
        platform.skipSamples(to: skipped.limit)
      case .reply, .delayedResponse, .notification, .unsolicited, .withheld: break
      }
      replayed += platform.takeTranscript()
      while platform.takeOutgoing() != nil {}
    }
    compare(records.filter { $0.kind != .control }, replayed.filter { $0.kind != .control }, &report)
    return report
  }

  private static func compare(
    _ records: [TranscriptRecord],
    _ replayed: [TranscriptRecord],
    _ report: inout Report
  ) {
    for index in 0..<max(records.count, replayed.count) {
      let old = index < records.count ? records[index] : nil
      let new = index < replayed.count ? replayed[index] : nil
      report.compared += 1
      if let old, let new, old.time == new.time, old.agent == new.agent, old.kind == new.kind,
        old.message == new.message
      {
        continue
      }
      report.differences.append(
        Difference(
          sequence: old?.sequence ?? UInt64(records.count),
          recorded: old?.text,
          replayed: new?.text
        )
      )
    }
  }
}
