import ApusControl
import Glibc
import Host
import TestSupport
import Testing

/// Where sockets are, and where machines are registered.
@Suite("Control sockets and their folder") struct ControlListenerTests {
  private let folder: TemporaryFolder
  /// Where the tests' machines are registered.
  private let machines: String

  init() throws {
    folder = try TemporaryFolder()
    machines = folder.path("machines")
  }

  private func listen(_ place: ControlListener.Place, _ machine: String = "m") throws -> ControlListener {
    try ControlListener(place, machine: machine, folder: machines)
  }

  /// Why a socket cannot be made there.
  private func refusal(_ path: String) -> (text: String, status: Int32) {
    do {
      _ = try listen(.path(path))
      return ("", 0)
    } catch let failure as ListeningError {
      return (failure.description, failure.kind.rawValue)
    } catch {
      return ("\(error)", -1)
    }
  }

  private func mode(_ path: String) -> UInt32 {
    var status = stat()
    // SAFETY: path and structure hold for the call.
    return unsafe lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
  }

  private func link(_ target: String, _ name: String) {
    // SAFETY: both texts hold for the call.
    _ = unsafe symlink(target, folder.path(name))
  }

  /// Makes a socket's name behind which nobody listens.
  private func leaveStale(_ path: String) throws {
    let listener = try listen(.path(path), "gone")
    // SAFETY: both texts hold for the call.
    _ = unsafe Glibc.link(path, path + ".kept")
    listener.close()
    // SAFETY: as above.
    _ = unsafe rename(path + ".kept", path)
  }

  @Test("A socket is this user's alone, whatever the umask, and its names go with it")
  func modes() throws {
    let listener = try listen(.path(folder.path("s")))
    let registered = try listen(.registered, "b")

    #expect(mode(folder.path("s")) == 0o600)
    #expect(mode(machines) == 0o700)
    #expect(mode(registered.path) == 0o600)
    #expect((listener.name, registered.name) == ("m", "b"))
    #expect(try ControlDirectory.find(at: machines)?.machines().map(\.name) == ["b", "m"])
    listener.close()
    registered.close()
    #expect(HostFiles.names(in: machines) == [".lock"])
    #expect(HostFiles.names(in: folder.path) == ["machines"])
  }

  @Test("A path that cannot be a socket's is refused with what to do, and what is there stays")
  func refusedPaths() throws {
    let running = try listen(.path(folder.path("running")))
    try folder.write("file", [1])
    link(folder.path("nothing"), "dangling")
    link(folder.path("running"), "to-socket")
    link(folder.path("file"), "to-file")
    let long = folder.path(String(repeating: "x", count: 108 - folder.path.utf8.count))

    for name in ["running", "file", "dangling", "to-socket", "to-file", "machines"] {
      let refusal = refusal(folder.path(name))
      #expect(refusal.text.contains("something else is there, or a machine that runs; name another path"), "\(name)")
      #expect(refusal.status == 73, "\(name)")
    }
    #expect(refusal(long).text.contains("a socket's path has at most 107 bytes; name a shorter one"))
    #expect(refusal(folder.path("no/s")).text.contains("No such file or directory"))
    #expect(refusal(folder.path("file/s")).text.contains("Not a directory"))
    #expect(refusal("/proc/s").status == 73)
    #expect(folder.read("file") == [1])
    #expect(HostFiles.names(in: folder.path).contains("dangling"))
    _ = running
  }

  @Test("A socket that nobody listens on any more is replaced, and only if the name itself is that socket")
  func stalePath() throws {
    try leaveStale(folder.path("s"))
    link(folder.path("s"), "to-stale")

    #expect(refusal(folder.path("to-stale")).status == 73)
    #expect(ListeningSocket.problem(path: folder.path("s")) == nil)
    let listener = try listen(.path(folder.path("s")))
    #expect(ListeningSocket.problem(path: folder.path("s"))?.description.contains("a machine that runs") == true)
    listener.close()
    #expect(ListeningSocket.problem(path: folder.path("s")) == nil)
    #expect(!HostFiles.names(in: folder.path).contains("s"))
  }

  @Test("The longest path works, also for clients")
  func longestPath() throws {
    let path = folder.path(String(repeating: "x", count: 107 - folder.path.utf8.count - 1))
    let listener = try listen(.path(path))

    _ = try RawClient(path)

    #expect(path.utf8.count == 107 && listener.name == "m")
  }

  @Test("Machines of one name get numbers, and a number is free again")
  func sameNames() throws {
    let one = try listen(.registered, "a")
    let two = try listen(.registered, "a")
    let three = try listen(.path(folder.path("s")), "a")

    #expect([one.name, two.name, three.name] == ["a", "a-2", "a-3"])
    two.close()
    #expect(try listen(.registered, "a").name == "a-2")
  }

  @Test(
    "A name that no file can have, or that a shell, an option or a terminal would take otherwise, is written differently",
    arguments: [
      ("a/b", "a_b"), ("../up", "_./up".replacing("/", with: "_")), (".", "_"), ("..", "_."), ("", "_"), ("-x", "_x"),
      ("a\nb\u{1b}[31m", "a_b_[31m"), ("\u{202e}é", "_é"), ("schema", "_schema"), ("with space", "with space"),
    ]
  )
  func strangeNames(machine: String, entry: String) throws {
    #expect(try listen(.registered, machine).name == entry)
  }

  @Test("What machines left that have gone is taken away by who looks and by who registers; others' things stay")
  func staleEntries() throws {
    let running = try listen(.path(folder.path("s")), "running")
    let directory = try ControlDirectory.make(at: machines)
    try leaveStale(machines + "/gone")
    try leaveStale(folder.path("t"))
    // SAFETY: the texts hold for the calls.
    unsafe symlink(folder.path("t"), machines + "/linked")
    unsafe symlink(folder.path("nothing"), machines + "/dangling")

    #expect(directory.machines().map(\.path) == [machines + "/running"])
    #expect(HostFiles.names(in: machines) == [".lock", "running"])
    // What a link led to is not the folder's.
    #expect(HostFiles.names(in: folder.path).contains("t"))
    // SAFETY: as above.
    unsafe symlink(folder.path("nothing"), machines + "/next")
    #expect(try listen(.registered, "next").name == "next")
    _ = running
  }

  @Test("A folder that others own or may enter, or that is none, is not used: auto is refused, a path goes without")
  func foreignFolder() throws {
    for (name, make) in [
      (
        "open",
        {
          _ = try folder.makeFolder("open"); chmodFolder("open", 0o755)
        }
      ),
      (
        "group",
        {
          _ = try folder.makeFolder("group"); chmodFolder("group", 0o710)
        }
      ),
      (
        "linked",
        {
          _ = try folder.makeFolder("t"); chmodFolder("t", 0o700); link(folder.path("t"), "linked")
        }
      ),
      ("a-file", { try folder.write("a-file", []) }),
    ] as [(String, () throws -> Void)] {
      try make()
      let place = folder.path(name)
      #expect(
        "\(#expect(throws: ListeningError.self) { try ControlListener(.registered, machine: "m", folder: place) }, default: "")"
          .contains("is not a folder of this user's alone; remove it, or set XDG_RUNTIME_DIR"),
        "\(name)"
      )
      let listener = try ControlListener(.path(folder.path("s")), machine: "m", folder: place)
      #expect(listener.name == nil)
      #expect(throws: ListeningError.self) { try ControlDirectory.find(at: place) }
      listener.close()
    }
    #expect(throws: ListeningError.self) {
      try ControlListener(.registered, machine: "m", folder: folder.path("no/such"))
    }
  }

  @Test("A folder that is not there yet is no machine, and one that could not be made is an error")
  func missingFolder() throws {
    try folder.write("file", [])

    #expect(try ControlDirectory.find(at: machines) == nil)
    #expect(HostFiles.names(in: folder.path) == ["file"])
    for (name, reason) in [("no/such", "No such file or directory"), ("file/apus", "Not a directory")] {
      let place = folder.path(name)
      let error = #expect(throws: ListeningError.self) { try ControlDirectory.find(at: place) }
      #expect(
        error?.description == "cannot use '\(place)': \(reason); set XDG_RUNTIME_DIR to a folder of yours"
      )
      #expect(error?.kind == .cannotCreate)
    }
  }

  private func chmodFolder(_ name: String, _ mode: mode_t) {
    // SAFETY: the path holds for the call.
    _ = unsafe chmod(folder.path(name), mode)
  }

  @Test("A client says what it cannot reach, and why")
  func clients() throws {
    try leaveStale(folder.path("s"))
    try folder.write("file", [])
    let cases = [
      ("no-such-machine", "no machine 'no-such-machine' is running"), ("/no/such", "there is no such socket"),
      (folder.path("s"), "no machine listens there any more"),
      (folder.path("file"), "no machine listens there any more"),
      ("/" + String(repeating: "x", count: 200), "a socket's path has at most 107 bytes"),
    ]
    for (name, words) in cases {
      let error = #expect(throws: ControlError.self) { try ControlClient(name) }
      #expect(error?.code == .disconnected && error?.message.contains(words) == true, "\(error?.message ?? "")")
    }
  }
}
