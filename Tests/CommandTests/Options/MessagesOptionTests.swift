import Apus
import TestSupport
import Testing

@testable import ApusCommand

@Suite struct MessagesOptionTests {
  private typealias Messages = Configuration.Device.Messages

  @Test func aDeviceWithEverythingIsReadWhole() throws {
    let device = try Configuration.Device.messages("scmi,socket=a.sock,platform=p.json,agent=guest,window=own")

    var messages = Messages(.scmi, socket: "a.sock")
    messages.platform = "p.json"
    messages.agent = "guest"
    #expect(device.kind == .messages(messages))
    #expect(device.window == "own")
  }

  @Test(
    arguments: [
      ("", "the type comes first, one of entropy, block, scmi"), ("disk,socket=a", "the type comes first"),
      ("block", "the socket of the device's process is missing: block,socket=PATH"),
      ("block,socket=a,socket=b", "socket is there twice; give it once"),
      ("block,socket=a,path=b", "'path' is no setting here; there are socket=PATH, platform=PATH"),
    ]
  )
  func aTextThatIsNoDeviceSaysWhatWouldBe(text: String, message: String) {
    let error = #expect(throws: DeviceTextError.self) { _ = try Configuration.Device.messages(text) }

    #expect(error?.description.hasPrefix(message) == true, "\(error?.description ?? "")")
  }

  @Test(
    arguments: [
      (
        ["--message-device", "scmi,socket=a"],
        "--message-device scmi,platform=PATH: the guest's device tree needs the platform's file"
      ),
      (
        ["--message-device", "block,socket=a,agent=b"],
        "--message-device block,agent=b: only a device of SCMI has a platform"
      ),
      (
        ["--message-device", "block,socket=a", "--message-device", "entropy,socket=a"],
        "one serves one device"
      ),
    ]
  )
  func aDeviceThatCannotBeIsRefused(arguments: [String], message: String) throws {
    let result = try apus(["devicetree"] + arguments)
    expectRefusal(result, status: 64, message)
  }
}

@Suite struct DeviceServeCommandTests {
  @Test(
    arguments: [
      ("disk", 64, "'disk' is no device that can be served; there are entropy, block and scmi"),
      ("entropy,a", 64, "entropy has no settings"), ("block", 64, "the image's path is missing: block,PATH"),
      ("block,/nonexistent", 66, "block: disk '/nonexistent' does not exist"),
      ("block,/dev/null,serial=12345678901234567890x", 64, "a serial number has at most 20"),
      ("block,a,window=b", 64, "a device in another process has no window"),
      ("scmi,/nonexistent", 66, "/nonexistent"),
    ] as [(String, Int32, String)]
  )
  func whatCannotBeServedIsRefused(device: String, status: Int32, message: String) throws {
    let folder = try TemporaryFolder()
    let result = try apus(["device", "serve", "--socket", folder.path("socket"), device])
    expectRefusal(result, status: status, message)
  }

  @Test func aSocketThatCannotBeMadeIsRefused() throws {
    let folder = try TemporaryFolder()
    let long = folder.path(String(repeating: "x", count: 120))
    expectRefusal(
      try apus(["device", "serve", "--socket", long, "entropy"]),
      status: 73,
      "a socket's path has at most 107 bytes"
    )
    expectRefusal(
      try apus(["device", "serve", "--socket", folder.path("no/socket"), "entropy"]),
      status: 73,
      "No such file or directory"
    )
    let file = try folder.write("file", [])
    expectRefusal(try apus(["device", "serve", "--socket", file, "entropy"]), status: 73, "something else is there")
  }

  @Test func aSocketInUseIsRefusedAndAStaleOneReplaced() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("socket")
    let script = """
      serve() { '\(command)' device serve --socket '\(path)' entropy 2>'\(folder.path)'/log$1 & pid=$!
      until grep -q 'is served' '\(folder.path)'/log$1; do sleep 0.05; done; }
      serve 1; apus device serve --socket '\(path)' entropy; echo second $?
      kill -KILL $pid; wait $pid 2>/dev/null; [ -S '\(path)' ] && echo stale
      serve 2; kill -TERM $pid; wait $pid; echo third $?; [ -e '\(path)' ] || echo gone
      """

    let result = try shell(script)

    #expect(result.output == "second 73\nstale\nthird 0\ngone\n", "\(result.error)")
    #expect(result.error.contains("Address already in use"))
  }
}
