import Apus
import QEMUSyntax
import Testing

@testable import ApusCommand

/// A machine of a command line with a kernel and no screen.
private func machine(_ words: String...) throws(QEMUSyntaxError) -> QEMUMachine {
  let all = ["-kernel", "Image", "-nographic"] + words
  return try QEMUTranslation.machine(try QEMUWords.options(all, hasValue: QEMUOptionTable.hasValue))
}

@Suite struct QEMUTranslationTests {
  @Test func theWordsOfKUnitMakeItsMachine() throws {
    let machine = try machine(
      "-nodefaults",
      "-m",
      "1024",
      "-append",
      "mem=1G console=ttyAMA0 kunit_shutdown=reboot",
      "-no-reboot",
      "-serial",
      "stdio",
      "-accel",
      "kvm",
      "-accel",
      "hvf",
      "-accel",
      "tcg",
      "-machine",
      "virt",
      "-cpu",
      "max,pauth-impdef=on"
    )

    var expected = Configuration(kernel: "Image", commandLine: "mem=1G console=ttyAMA0 kunit_shutdown=reboot")
    expected.memorySize = 1 << 30
    expected.onReset = .stop
    expected.console = .none
    expected.measuresMemory = false
    #expect(machine.configuration == expected)
    #expect(machine.console == .standardStreams)
    #expect(machine.protocolPlace == nil)
  }

  @Test func theWordsOfLabgridMakeAStoppedMachineWithItsSockets() throws {
    let machine = try machine(
      "-drive",
      "if=virtio,format=raw,file=/tmp/a,,b.img",
      "-machine",
      "virt",
      "-cpu",
      "host",
      "-m",
      "512M",
      "-nic",
      "user,hostfwd=tcp:127.0.0.1:2222-:22",
      "-append",
      "root=/dev/vda rootwait",
      "-S",
      "-qmp",
      "stdio",
      "-chardev",
      "socket,id=serialsocket,path=/tmp/s",
      "-serial",
      "chardev:serialsocket"
    )

    var forward = Configuration.Device.Network.Forward(hostPort: 2222, guestPort: 22)
    forward.address = "127.0.0.1"
    let network = Configuration.Device.Network(.passt(forwards: [forward], hostLoopback: true))
    #expect(
      machine.configuration.devices == [
        Configuration.Device(.block(.init(path: "/tmp/a,b.img"))), Configuration.Device(.network(network)),
      ]
    )
    #expect(machine.isStopped)
    #expect(machine.protocolPlace == .standardStreams)
    #expect(machine.console == .client(path: "/tmp/s"))
  }

  @Test func theWordsOfVirtmeMakeItsPortsAndItsFolder() throws {
    let machine = try machine(
      "-machine",
      "accel=kvm:tcg",
      "-M",
      "virt,gic-version=host",
      "-cpu",
      "host",
      "-parallel",
      "none",
      "-net",
      "none",
      "-chardev",
      "socket,id=charvirtfs3,path=/run/v",
      "-device",
      "vhost-user-fs-pci,chardev=charvirtfs3,tag=ROOTFS",
      "-object",
      "memory-backend-memfd,id=mem,size=1G,share=on",
      "-numa",
      "node,memdev=mem",
      "-m",
      "1G",
      "-serial",
      "chardev:console",
      "-chardev",
      "file,id=console,path=/dev/null",
      "-chardev",
      "stdio,id=stdin,signal=on,mux=off",
      "-device",
      "virtio-serial-device",
      "-device",
      "virtserialport,name=virtme.stdin,chardev=stdin",
      "-chardev",
      "file,id=ret,path=/tmp/ret",
      "-device",
      "virtio-serial-device",
      "-device",
      "virtserialport,name=virtme.ret,chardev=ret",
      "-vga",
      "none",
      "-display",
      "none"
    )

    var folder = Configuration.Device.VhostUser(.init(number: 26), socket: "/run/v")
    folder.tag = "ROOTFS"
    #expect(machine.configuration.devices == [Configuration.Device(.vhostUser(folder))])
    #expect(machine.console == .file(path: "/dev/null"))
    #expect(machine.ports.map(\.name) == ["virtme.stdin", "virtme.ret"])
    #expect(machine.ports.map(\.device) == [.standardStreams, .file(path: "/tmp/ret")])
    #expect(machine.notes.count == 1)
  }

  @Test func aDriveOfItsOwnAndItsDeviceMakeADisk() throws {
    let drive = try machine(
      "-drive",
      "file=a,if=none,format=raw,id=hd0,readonly=on",
      "-device",
      "virtio-blk-device,drive=hd0,serial=S"
    )
    let node = try machine(
      "-blockdev",
      "driver=file,filename=a,node-name=f",
      "-blockdev",
      "driver=raw,file=f,node-name=n,read-only=on",
      "-device",
      "virtio-blk-device,drive=n,serial=S"
    )

    var block = Configuration.Device.Block(path: "a")
    block.isReadOnly = true
    block.serial = "S"
    #expect(drive.configuration.devices == [Configuration.Device(.block(block))])
    #expect(node.configuration.devices == drive.configuration.devices)
  }

  @Test(
    arguments: [
      (["-m", "2G"], 2 << 30), (["-m", "size=512M"], 512 << 20), (["-m", "1024"], 1 << 30), ([], 128 << 20),
    ] as [([String], UInt64)]
  )
  func memoryIsCountedAsQEMUDoes(words: [String], size: UInt64) throws {
    let all = ["-kernel", "Image", "-nographic"] + words

    let machine = try QEMUTranslation.machine(try QEMUWords.options(all, hasValue: QEMUOptionTable.hasValue))

    #expect(machine.configuration.memorySize == size)
  }

  @Test func aStoppedMachineWaitsForItsDebuggerWhereThatAloneCanStartIt() throws {
    let alone = try machine("-S", "-s")
    let beside = try machine("-S", "-s", "-serial", "none", "-qmp", "stdio")

    #expect(alone.configuration.debugger?.address == .port(1234))
    #expect(alone.configuration.debugger?.waits == true)
    #expect(!alone.isStopped)
    #expect(beside.configuration.debugger?.waits == false)
    #expect(beside.isStopped)
  }

  @Test(
    arguments: [
      (["-M", "virt-9.2"], "give virt"), (["-M", "virt,virtualization=on"], "give off"),
      (["-cpu", "cortex-a57"], "give host"), (["-accel", "tcg"], "give kvm"), (["-smp", "4,sockets=2"], "give cpus=4"),
      (["-smp", "4,maxcpus=8"], "as many as cpus"), (["-m", "1G,slots=2,maxmem=2G"], "memory is not plugged"),
      (["-drive", "file=a"], "give format=raw"), (["-drive", "file=a,format=qcow2"], "convert"),
      (["-drive", "file=a,format=raw,if=none,id=x"], "give virtio-blk-device,drive=x"),
      (["-drive", "file=a,format=raw,cache=writethrough"], "give writeback"),
      (["-device", "virtio-blk-pci,drive=x"], "give -device virtio-blk-device"),
      (["-device", "virtio-9p-device,fsdev=x"], "virtiofsd"), (["-fsdev", "local,id=x"], "virtiofsd"),
      (["-device", "virtio-net-device,netdev=x"], "no such -netdev"), (["-netdev", "user,id=x"], "no -device has 'x'"),
      (["-netdev", "socket,id=x"], "there are user"), (["-serial", "tcp::1"], "chardev:ID"),
      (["-serial", "stdio", "-qmp", "stdio"], "has the standard streams already"),
      (["-chardev", "stdio,id=x"], "nobody uses 'x'"), (["-monitor", "stdio"], "give none, or -qmp"),
      (["-S"], "nobody could start the guest"), (["-dtb", "x"], "device tree"), (["-bios", "x"], "-kernel"),
      (["-no-shutdown"], "leave it out"), (["-gdb", "tcp:0.0.0.0:1"], "127.0.0.1"), (["-what"], "see -help"),
      (["disk.img"], "-drive"), (["-append"], "missing"),
      (["-object", "memory-backend-memfd,id=m,size=1G", "-numa", "node,memdev=m"], "not that of -m"),
    ] as [([String], String)]
  )
  func whatCannotBeFollowedIsRefusedWithWhatToGiveInstead(words: [String], advice: String) {
    let all = ["-kernel", "Image", "-nographic"] + words

    let mistake = #expect(throws: QEMUSyntaxError.self) {
      _ = try QEMUTranslation.machine(try QEMUWords.options(all, hasValue: QEMUOptionTable.hasValue))
    }

    #expect(mistake?.description.contains(advice) == true, "\(mistake?.description ?? "")")
    let first = words.first ?? ""
    #expect(mistake?.option.contains(first) == true || words.count > 2, "\(mistake?.option ?? "")")
  }

  @Test func aMachineWithoutAKernelOrWithAScreenIsRefused() {
    for words in [["-nographic"], ["-kernel", "Image"]] {
      #expect(throws: QEMUSyntaxError.self) {
        _ = try QEMUTranslation.machine(try QEMUWords.options(words, hasValue: QEMUOptionTable.hasValue))
      }
    }
  }
}
