import Apus
import ArgumentParser
import Host
import Logging

extension SCMICommand {
  struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Serve a platform to the guests of QEMU and others, over vhost-user. Needs no KVM.",
      discussion: """
        Examples:
          apus scmi serve --socket scmi.sock --agent owner platform.json
          apus scmi serve --socket a.sock --agent owner --socket b.sock --agent guest platform.json
          apus scmi serve --agent owner --merge-dtb virt.dtb --output scmi.dtb platform.json

        QEMU makes no scmi node. Have it write its tree, merge the platform's nodes into that, and start it with it:
          qemu-system-aarch64 -machine virt,dumpdtb=virt.dtb …
          qemu-system-aarch64 -machine virt,memory-backend=ram -dtb scmi.dtb \\
            -object memory-backend-memfd,id=ram,size=512M,share=on \\
            -global virtio-mmio.force-legacy=false \\
            -chardev socket,path=scmi.sock,id=scmi -device vhost-user-scmi,chardev=scmi …

        A socket takes one front-end at a time; others wait. SIGHUP has the platform file read again: drivers that \
        start from then on find it so. SIGINT and SIGTERM end the server.

        Exit status: 0; 64 for bad usage; 65 or 66 for files that cannot be used; 71 if the host failed; 73 for a \
        socket or an output that cannot be made.
        """
    )

    @Option(
      help: ArgumentHelp("Listen there for the front-end of an agent. May be given several times.", valueName: "path")
    )
    var socket: [String] = []

    @Option(
      help: ArgumentHelp(
        "Which agent the socket is for, one for each; needs not be said where the platform has one agent.",
        valueName: "name"
      )
    )
    var agent: [String] = []

    @Option(help: ArgumentHelp("Write each SCMI message as a line of JSON to a file.", valueName: "path"))
    var transcript: String?

    @Option(
      name: .customLong("merge-dtb"),
      help: ArgumentHelp("Put the platform's nodes into this device tree blob, for --output.", valueName: "path")
    )
    var mergeDTB: String?

    @Option(help: ArgumentHelp("Where the merged device tree is written.", valueName: "path"))
    var output: String?

    @Argument(help: "The platform file.")
    var file: String

    func validate() throws {
      if (mergeDTB == nil) != (output == nil) { throw ValidationError("--merge-dtb and --output go together.") }
      if socket.isEmpty, mergeDTB == nil { throw ValidationError("Give a --socket to listen on.") }
      if !agent.isEmpty, agent.count != max(1, socket.count) {
        throw ValidationError("Give an --agent for each --socket, in the same order.")
      }
      if mergeDTB != nil, socket.count > 1 || agent.count > 1 {
        throw ValidationError("A device tree is one agent's: give one --agent with --merge-dtb.")
      }
      if transcript != nil, socket.isEmpty { throw ValidationError("--transcript goes with a --socket.") }
    }

    func run() throws {
      if let mergeDTB, let output { try merge(mergeDTB, output) }
      guard !socket.isEmpty else { return }
      let places = socket.enumerated().map { index, path in
        SCMIServer.Configuration.Place(path: path, agent: agent.isEmpty ? nil : agent[index])
      }
      let configuration = SCMIServer.Configuration(platform: file, places: places, transcript: transcript)
      try Message.reporting { () throws(SCMIServerError) in
        try SCMIServer(configuration, logger: Message.logger(.notice)).run()
      }
    }

    private func merge(_ tree: String, _ output: String) throws {
      // Before the server looks, since this writes first.
      try Message.reporting { () throws(SCMIServerError) in
        try SCMIServer.checkFiles(
          inputs: [("the platform file", file), ("the tree to merge into", tree)],
          outputs: [("the merged tree", output)] + (transcript.map { [("the transcript", $0)] } ?? []),
          sockets: socket
        )
      }
      let (blob, devicesLeftOut) = try Message.reporting { () throws(SCMIServerError) in
        try SCMIServer.deviceTree(merging: tree, platform: file, agent: agent.first)
      }
      if !devicesLeftOut.isEmpty {
        let names = devicesLeftOut.joined(separator: ", ")
        Message.say("warning: left out, since only Apus's own machine has their registers and interrupts: \(names)")
      }
      try Message.reporting { () throws(OutputFileError) in try OutputFile(path: output).write(blob) }
    }
  }
}

extension SCMIServerError: CommandFailure {
  var exitStatus: Int32 { kind.rawValue }
}
