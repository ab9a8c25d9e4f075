#if canImport(Testing)
  internal import Apus
  internal import ApusGuest
  internal import FoundationEssentials
  internal import Glibc
  internal import Host
  internal import SCMI
  internal import SCMIFile
  internal import Testing

  /// What a guest and its machine leave, for a test that has failed.
  final class GuestEvidence: Sendable {
    private let folder: String

    /// - Throws: where the host has no place for files.
    init() throws(HostError) {
      var template = Array("/tmp/apus-test-XXXXXX".utf8CString)
      // SAFETY: the text ends with a zero and holds for the call, which puts the folder's name into it.
      let isMade = unsafe template.withUnsafeMutableBufferPointer { text in
        guard let base = text.baseAddress else { return false }
        return unsafe mkdtemp(base) != nil
      }
      guard isMade else {
        throw HostError("mkdtemp", errno: errno, advice: "make /tmp a folder that can be written")
      }
      folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
      // SAFETY: the texts hold for the calls.
      for name in [Self.deviceTree, Self.transcript] { unsafe unlink("\(folder)/\(name)") }
      unsafe rmdir(folder)
    }

    private static let deviceTree = "machine.dtb"
    private static let transcript = "scmi.jsonl"

    /// The configuration that leaves more behind, where it does not say itself where to.
    func recording(_ configuration: Configuration) -> Configuration {
      var configuration = configuration
      if configuration.deviceTreeDump == nil { configuration.deviceTreeDump = "\(folder)/\(Self.deviceTree)" }
      return configuration
    }

    /// The platform that the setup wants.
    func platform(_ setup: GuestSetup) throws -> SharedPlatform? {
      switch try setup.platform?() {
      case nil: return nil
      case .running(let platform): return platform
      case .new(let definition): return try SharedPlatform(startingNow: definition)
      }
    }

    /// The configuration with its device on the setup's platform.
    func withPlatform(_ configuration: Configuration, _ setup: GuestSetup) -> Configuration {
      var configuration = configuration
      guard setup.platform != nil else { return configuration }
      let isOnIt = configuration.devices.contains { if case .scmi = $0.kind { true } else { false } }
      if !isOnIt { configuration.devices.append(.init(.scmi(.shared(agent: setup.scmiAgent)))) }
      if configuration.scmiTranscript == nil { configuration.scmiTranscript = "\(folder)/\(Self.transcript)" }
      return configuration
    }

    /// Attaches all to the test that runs, by names that begin with its own. The machine has ended.
    func attach(of guest: Guest, to test: Test) async {
      let prefix = test.name.prefix { $0 != "(" } + "-"
      Attachment.record(await guest.console.wholeText, named: prefix + "console.log")
      if let log = guest.keptKernelLog { Attachment.record(log, named: prefix + "kernel.log") }
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      if let report = try? encoder.encode(await guest.machine.report) {
        Attachment.record(Array(report), named: prefix + "report.json")
      }
      let configuration = guest.machine.configuration
      for (path, name) in [
        (configuration.deviceTreeDump, Self.deviceTree), (configuration.scmiTranscript, Self.transcript),
      ] {
        if let path, let bytes = try? InputFile.read(path) { Attachment.record(bytes, named: prefix + name) }
      }
    }
  }
#endif
