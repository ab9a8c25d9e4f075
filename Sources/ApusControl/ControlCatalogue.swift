/// All that the control socket has, for who asks, who answers and the published schema.
public struct ControlCatalogue {
  /// A method, without its types.
  public struct MethodDescription: Sendable {
    /// Its name on the wire.
    public let name: String
    /// What it does.
    public let summary: String
    /// The first sentence of that.
    public var gist: String {
      var isBehindStop = false
      for index in summary.indices {
        if isBehindStop, summary[index] == " " { return String(summary[..<index]) }
        isBehindStop = summary[index] == "."
      }
      return summary
    }
    /// Its parameters, by name.
    public var parameters: [ControlSchema.Property] {
      if case .object(let properties) = makeParameters() { properties } else { [] }
    }
    /// What a result looks like.
    public var answer: ControlSchema { makeAnswer() }

    // Not made before somebody asks: a machine that starts needs the names alone.
    private let makeParameters: @Sendable () -> ControlSchema
    private let makeAnswer: @Sendable () -> ControlSchema

    /// Whether notices follow its answer.
    public let isSubscription: Bool

    fileprivate init<Method: ControlMethod>(_ method: Method.Type) {
      name = Method.name
      summary = Method.summary
      makeParameters = { Method.Parameters.schema }
      makeAnswer = { Method.Answer.schema }
      isSubscription = Method.Answer.self == Control.SubscriptionAnswer.self
    }
  }

  /// A notice, without its type.
  public struct NoticeDescription: Sendable {
    /// Its name on the wire.
    public let name: String
    /// When it comes.
    public let summary: String
    /// What it tells, without the ``ControlEnvelope``.
    public let content: ControlSchema

    fileprivate init<Notice: ControlNotice>(_ notice: Notice.Type) {
      name = Notice.name
      summary = Notice.summary
      content = Notice.Content.schema
    }
  }

  /// The methods, in the order in which they are shown.
  public static var methods: [MethodDescription] {
    [
      .init(Control.Hello.self), .init(Control.Info.self), .init(Control.Statistics.self), .init(Control.Schema.self),
      .init(Control.Pause.self), .init(Control.Resume.self), .init(Control.Reset.self),
      .init(Control.PowerButton.self), .init(Control.PowerOff.self), .init(Control.Kill.self),
      .init(Control.Snapshot.self),
      .init(Control.Memory.self), .init(Control.MemoryResize.self),
      .init(Control.ConsoleSubscribe.self), .init(Control.ConsoleSend.self), .init(Control.EventsSubscribe.self),
      .init(Control.Unsubscribe.self),
      .init(Control.NetworkLink.self), .init(Control.DiskResize.self), .init(Control.DiskChange.self),
      .init(Control.SCMIAgents.self), .init(Control.SCMIResources.self), .init(Control.SCMIRead.self),
      .init(Control.SCMISet.self), .init(Control.SCMIVoteFor.self), .init(Control.SCMIPermit.self),
      .init(Control.SCMIRules.self), .init(Control.SCMIRuleAdd.self), .init(Control.SCMIRuleRemove.self),
      .init(Control.SCMIStep.self), .init(Control.SCMITranscriptSubscribe.self),
    ]
  }

  /// The notices of subscriptions.
  public static var notices: [NoticeDescription] {
    [
      .init(Control.ConsoleOutput.self), .init(Control.Event.self), .init(Control.SCMITranscript.self),
    ]
  }

  /// The published schema: an OpenRPC 1.3 document, whose notices stand under `x-notices`.
  public static var document: ControlJSON {
    var writer = ControlWriter()
    writer.beginObject()
    writer.key("openrpc")
    writer.string("1.3.2")
    writer.key("info")
    writer.beginObject()
    writer.key("title")
    writer.string("Control socket of Apus")
    writer.key("version")
    writer.string("\(ControlProtocol.version)")
    writer.endObject()
    writer.key("methods")
    writer.beginArray()
    for method in methods { write(method, to: &writer) }
    writer.endArray()
    writer.key("x-notices")
    writer.beginArray()
    for notice in notices {
      writer.beginObject()
      writer.key("name")
      writer.string(notice.name)
      writer.key("summary")
      writer.string(notice.summary)
      writer.key("params")
      envelope(notice.content).write(to: &writer)
      writer.endObject()
    }
    writer.endArray()
    writer.key("components")
    writer.beginObject()
    writer.key("errors")
    writer.beginObject()
    for error in ControlError.Code.published {
      writer.key("\(error.code.rawValue)")
      writer.beginObject()
      writer.key("code")
      writer.integer(error.code.rawValue)
      writer.key("message")
      writer.string(error.meaning)
      writer.endObject()
    }
    writer.endObject()
    writer.endObject()
    writer.endObject()
    return ControlJSON(text: String(decoding: writer.bytes, as: UTF8.self))
  }

  private static func envelope(_ content: ControlSchema) -> ControlSchema {
    guard case .object(let own) = content, case .object(let common) = ControlEnvelope.schema else { return content }
    return .object(common + own)
  }

  private static func write(_ method: MethodDescription, to writer: inout ControlWriter) {
    writer.beginObject()
    writer.key("name")
    writer.string(method.name)
    writer.key("summary")
    writer.string(method.summary)
    writer.key("paramStructure")
    writer.string("by-name")
    writer.key("params")
    writer.beginArray()
    for property in method.parameters {
      writer.beginObject()
      writer.key("name")
      writer.string(property.name)
      writer.key("description")
      writer.string(property.about)
      writer.key("required")
      writer.boolean(property.isRequired)
      writer.key("schema")
      property.schema.write(to: &writer)
      writer.endObject()
    }
    writer.endArray()
    writer.key("result")
    writer.beginObject()
    writer.key("name")
    writer.string("result")
    writer.key("schema")
    method.answer.write(to: &writer)
    writer.endObject()
    writer.endObject()
  }
}
