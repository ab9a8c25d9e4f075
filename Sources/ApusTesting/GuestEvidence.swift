#if canImport(Testing)
  internal import Apus
  internal import ApusGuest
  internal import FoundationEssentials
  internal import Glibc
  internal import Host
  internal import Synchronization
  internal import Testing

  /// What a guest and its machine leave, for a test that has failed.
  final class GuestEvidence: Sendable {
    private let folder: String
    private let keptDeviceTree = Mutex<[UInt8]?>(nil)

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

    /// Has a machine leave more behind, where its configuration does not say itself where to.
    func record(_ configuration: inout Configuration) {
      if configuration.deviceTreeDump == nil { configuration.deviceTreeDump = "\(folder)/\(Self.deviceTree)" }
      if configuration.isOnPlatform, configuration.scmiTranscript == nil {
        configuration.scmiTranscript = "\(folder)/\(Self.transcript)"
      }
    }

    /// The device tree that a machine has left.
    func deviceTree(of guest: Guest) -> [UInt8]? {
      guest.machine.configuration.deviceTreeDump.flatMap { try? InputFile.read($0) }
    }

    /// Keeps the device tree of a machine that leaves none, since it goes on where another one stood.
    func keep(deviceTree: [UInt8]?) { keptDeviceTree.withLock { $0 = deviceTree } }

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
      if let tree = deviceTree(of: guest) ?? keptDeviceTree.withLock({ $0 }) {
        Attachment.record(tree, named: prefix + Self.deviceTree)
      }
      if let path = guest.machine.configuration.scmiTranscript, let bytes = try? InputFile.read(path) {
        Attachment.record(bytes, named: prefix + Self.transcript)
      }
    }
  }
#endif
