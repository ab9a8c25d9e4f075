import TestSupport
import Testing

/// Whether this user may have a mount namespace of its own.
private let canUnshare = (try? shell("unshare -m true").status) == 0

/// What the command has of its surroundings: arguments, files, limits, the rest of the system.
@Suite struct ProcessTests {
  @Test(
    .enabled(if: canUnshare, "this user may not make mount namespaces"),
    arguments: [
      "--version", "run --dry-run --kernel Image --name none --console none --entropy", "devicetree", "help run",
      "doctor || [ $? = 71 ]",
    ]
  )
  func nothingNeedsProcOrSys(arguments: String) throws {
    let folder = try TemporaryFolder()
    try folder.write("Image", linuxImage())

    let result = try shell(
      """
      cd \(folder.path)
      exec unshare -m sh -c 'mount -t tmpfs none /proc && mount -t tmpfs none /sys && \(command) \(arguments)'
      """
    )

    #expect(result.status == 0, "\(result.error)")
    #expect(!result.output.isEmpty)
  }

  @Test func pathsMayBeAnyBytes() throws {
    let folder = try TemporaryFolder()
    try folder.write("Image", linuxImage())
    try folder.write("platform", Array(#"{"agents": [{"name": "a"}]}"#.utf8))
    try folder.write("disk", [UInt8](repeating: 0, count: 512))

    let result = try shell(
      """
      cd \(folder.path)
      k=$(printf 'k\\377') p=$(printf 'p\\303\\050') d=$(printf 'd\\200') o=$(printf 'o\\364\\217\\272\\200')
      mv Image "$k"; mv platform "$p"; mv disk "$d"
      apus run --dry-run --kernel "$k" --initrd "$k" --scmi "$p" --block "$d" --console "file=$o" \
        --report "r$o" --port "a=file=f$o" --port "b=unix=u$o" || exit
      apus devicetree --output "t$o" && apus scmi check "$p" && ls | od -An -c | tr -d ' \\n'
      """
    )

    #expect(result.status == 0, "\(result.error)")
    #expect(result.output.contains(#""payload" : "k\udbff\udeff""#))
    #expect(result.output.contains(#"p\xc3(: 1 agents"#))
    #expect(result.output.hasSuffix(#"d200\nk377\np303(\nto364217272200\n"#))
  }

  @Test func aCommandLineOfOtherBytesIsRefused() throws {
    let kernel = try TemporaryFile(linuxImage())

    let result = try shell("apus run --dry-run --kernel \(kernel.path) --append \"$(printf 'a\\377')\"")

    expectRefusal(result, status: 64, #"--append takes UTF-8, which 'a\xff' is not"#)
  }

  @Test func whatIsSaidOfPathsAndWordsIsPlain() throws {
    let result = try shell(
      """
      apus run --kernel "$(printf 'a\\nb\\033[31m\\377')" --initrd "$(printf 'c\\302\\233m')"
      apus run --kernel a --frob"$(printf '\\033]0;x\\007\\napus: error: forged')"
      apus scmi decode --hex "$(printf '\\033[2J')"
      """
    )

    #expect(
      result.error.hasPrefix(
        #"""
        apus: error: --kernel: 'a\nb\x1b[31m\xff' does not exist; check the path
        apus: error: --initrd: 'c\u{9b}m' does not exist; check the path
        apus: error: Unknown option '--frob\x1b]0;x\x07\napus: error: forged'
        """#
      ),
      "\(result.error)"
    )
    #expect(result.error.contains(#"'\x1b[2J' is no message"#))
    #expect(result.error.utf8.allSatisfy { $0 == 0x0A || 0x20..<0x7F ~= $0 })
  }

  @Test func whatIsSaidOfFilesIsPlain() throws {
    let folder = try TemporaryFolder()
    try folder.write("key", Array(#"{"\u001b]0;pwn\u0007\u001b[31mRED": 1}"#.utf8))
    let line =
      #"{"sequence":0,"time":0,"agent":1,"agentName":"\u001b[31m\nforged","kind":"reset","events":true,"raw":"10000000","#
      + #""decision":"\u001b[0m","rule":"\u202e"}"#
    try folder.write("session", Array(line.utf8))

    let check = try apus(["scmi", "check", folder.path("key")])
    let decoded = try apus(["scmi", "decode", folder.path("session")])
    let picture = try apus(["scmi", "decode", "--picture", folder.path("session")])

    #expect(check.status == 65)
    #expect(check.error.contains(#"1:2: /\x1b]0;pwn\x07\x1b[31mRED: unknown key"#))
    #expect(decoded.status == 0, "\(decoded.error)")
    #expect(decoded.output.contains(#"\x1b[31m\nforged"#))
    #expect(picture.output.split(separator: "\n").count == 2)
    for text in [check.error, decoded.output, picture.output] {
      #expect(text.utf8.allSatisfy { $0 == 0x0A || 0x20..<0x7F ~= $0 }, "\(text)")
    }
  }

  @Test(arguments: [
    ["--frobnicate"], ["run"], ["run", "--kernel"], ["run", "--kernel", "a", "--memory", "1X"], ["boot"],
    ["devicetree", "--format", "xml"], ["scmi", "decode"], ["scmi", "replay", "a"], ["run", "--kernel", "/no/Image"],
    ["run", "--kernel", "a", "--cpus", "1", "--cpus", "2"],
  ])
  func everyLineOnStandardErrorSaysWhoseItIs(arguments: [String]) throws {
    let result = try apus(arguments)

    let lines = result.error.split(separator: "\n")
    #expect(!lines.isEmpty && lines.allSatisfy { $0.hasPrefix("apus: ") }, "\(result.error)")
    #expect(lines.first?.hasPrefix("apus: error: ") == true)
  }

  @Test func theHostsLimitOfOpenFilesIsTheHostsFailure() throws {
    let kernel = try TemporaryFile(linuxImage())

    let result = try shell("ulimit -n 4; apus run --dry-run --kernel \(kernel.path) --initrd \(kernel.path)")

    #expect(result.status == 71, "\(result.error)")
    #expect(result.error.contains("Too many open files; raise this process's limit of open files (ulimit -n)"))
  }

  @Test(arguments: ["pipe", "folder", "/dev/zero", "socket-to-nowhere"])
  func anInputThatIsNoFileIsRefusedAtOnce(name: String) throws {
    let folder = try TemporaryFolder()
    try folder.write("Image", linuxImage())
    _ = try folder.makeFolder("folder")

    let result = try shell(
      """
      cd \(folder.path); mkfifo pipe; ln -s socket-to-nowhere link
      for words in 'run --dry-run --kernel \(name)' 'run --dry-run --kernel Image --initrd \(name)' \
        'run --dry-run --kernel Image --scmi \(name)' 'run --dry-run --kernel Image --block \(name)' \
        'scmi check \(name)' 'scmi decode \(name)' 'scmi replay \(name) --platform \(name)'; do
        apus $words >>out; echo "$?" >>statuses
      done
      """
    )

    let statuses = readText(folder.path("statuses"))?.split(separator: "\n") ?? []
    #expect(statuses.count == 7)
    #expect(statuses.allSatisfy { ["65", "66"].contains($0) }, "\(statuses) \(result.error)")
    #expect(result.error.split(separator: "\n").count == 7, "\(result.error)")
  }

  @Test(.enabled(if: nobodyCanRun, "the build folder is closed to other users"))
  func theProcessIsClosedToOthersOfItsUser() throws {
    let result = try shell(
      """
      { sleep 20 >&2 & echo $!; wait; } | {
        read other
        exec 4<&0
        '\(command)' scmi check - <&4 &
        own=$!
        until ! ls /proc/$own/fd >/dev/null 2>&1; do sleep 0.05; done
        ls /proc/$other/fd >/dev/null && echo open
        ls /proc/$own/fd 2>&1 | grep -q denied && echo closed
        kill $own $other
      }
      """,
      user: nobody
    )

    #expect(result.output == "open\nclosed\n", "\(result.error)")
  }
}

@Suite struct RepeatedOptionTests {
  /// The options with a value that the help of a command names.
  private func options(_ command: [String]) throws -> [String] {
    try apus(command + ["--help"]).output.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      guard let first = words.first, line.hasPrefix("  --"), words.contains(where: { $0.hasPrefix("<") }) else {
        return nil
      }
      return String(first.prefix { $0 != "," })
    }
  }

  @Test(arguments: [["run"], ["devicetree"], ["scmi", "replay"]])
  func anOptionWithOneValueIsRefusedTheSecondTime(command: [String]) throws {
    let several = [
      "--append", "--cmdline", "--block", "--disk", "--network", "--port", "--hotplug-memory", "--share",
      "--vhost-user", "--message-device", "--dtb-overlay",
    ]
    let options = try options(command).filter { !several.contains($0) }
    #expect(!options.isEmpty)

    for option in options {
      let other = option == "--kernel" || command != ["run"] ? [] : ["--kernel", "a"]
      let result = try apus(command + other + [option, "1", option + "=1"])
      expectRefusal(result, status: 64, "'\(option)' is there twice; give it once")
    }
  }

  @Test func aFlagBeforeAnOptionHidesNothing() throws {
    let flags = try apus(["run", "--help"]).output.split(separator: "\n").compactMap { line -> String? in
      let words = line.split(separator: " ")
      guard let first = words.first, line.hasPrefix("  --"), !words.contains(where: { $0.hasPrefix("<") }) else {
        return nil
      }
      return String(first.prefix { $0 != "," && $0 != "/" })
    }
    #expect(flags.contains("--raw") && flags.contains("--reboot"))

    for flag in flags where !["--help", "--version"].contains(flag) {
      let result = try apus(["run", "--kernel", "a", flag, "--memory", "128M", "--memory", "256M"])
      expectRefusal(result, status: 64, "'--memory' is there twice")
    }
  }

  @Test func eachAppendAddsToTheCommandLine() throws {
    let kernel = try TemporaryFile(linuxImage())
    for last in [[], ["--"]] as [[String]] {
      let result = try apus(
        ["run", "--dry-run", "--kernel", kernel.path, "--append", "a", "--append", "b --append c", "--cmdline", "d"]
          + last
      )

      #expect(jsonObject(result.output)?["commandLine"] == .text("a b --append c d"), "\(result.error)")
    }
  }
}
