public import SCMI

extension Guest {
  /// The SCMI messages since the guest's start, in order, and what else the platform's transcript has: those of all
  /// agents of the platform. Empty for a guest without a shared platform.
  ///
  /// Of more than 65,536 lines the latest 32,768 or more are kept; `TranscriptRecord.sequence` shows the gap.
  public var scmiTranscript: [TranscriptRecord] { recorder?.records ?? [] }

  /// The requests of one kind since the guest's start, in order.
  ///
  /// - Parameter command: such as `ClockProtocol.Message.rateSet`, which is CLOCK_RATE_SET.
  public func scmiRequests(_ command: some SCMICommand) -> [TranscriptRecord] {
    scmiTranscript.filter { $0.kind == .request && $0.isAbout(command) }
  }
}

extension TranscriptRecord {
  /// Whether the line is about such a command: the request, its reply or its delayed response, but no notification.
  public func isAbout(_ command: some SCMICommand) -> Bool {
    switch kind {
    case .request, .reply, .delayedResponse, .withheld:
      message.header.protocolIdentifier == MessageHeader(command).protocolIdentifier
        && message.header.message == command.rawValue
    case .notification, .unsolicited, .malformed, .reset, .control: false
    }
  }
}
