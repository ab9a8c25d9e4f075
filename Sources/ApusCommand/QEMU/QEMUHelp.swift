import Apus
import QEMUSyntax

/// What `-version` and `-help` answer.
enum QEMUHelp {
  /// The first line has the version whose options these are, where programs that start QEMU look for one.
  static var version: [String] {
    [
      "QEMU emulator version \(QMPMessage.versionText) (its options alone: this is Apus \(ApusVersion.current), not QEMU)",
      "A machine of Apus under the part of qemu-system-aarch64's command line that it has; see -help.",
    ]
  }

  /// What is taken. `Documentation/QEMUDoor.md` has all of it, with what differs.
  static let help = [
    "usage: qemu-system-apus [options]",
    "",
    "Runs a machine of Apus by the part of qemu-system-aarch64's command line that it has. An option that cannot be",
    "followed is refused. Documentation/QEMUDoor.md has a table of all options.",
    "",
    "  -M, -machine virt[,gic-version=2|3|host|max][,accel=kvm][,memory-backend=ID]",
    "  -cpu host|max[,sve=on|off][,pmu=on|off][,pauth=on|off]",
    "  -accel kvm, -enable-kvm       -m [size=]SIZE            -smp [cpus=]N[,cores=N]",
    "  -kernel FILE                  -initrd FILE              -append TEXT",
    "  -nographic, -display none     -nodefaults               -no-reboot",
    "  -serial stdio|mon:stdio|file:PATH|pty|unix:PATH[,server=on]|chardev:ID|null|none",
    "  -chardev null|stdio|file,path=|pty|socket,path=[,server=on],id=ID[,mux=on]",
    "  -drive file=PATH,format=raw[,if=virtio|none][,id=ID][,readonly=on][,serial=TEXT][,cache=writeback|none]",
    "  -blockdev driver=raw,node-name=ID,file.driver=file,file.filename=PATH[,read-only=on]",
    "  -device virtio-blk-device,drive=ID          -device virtio-net-device,netdev=ID[,mac=MAC]",
    "  -device virtio-rng-device[,rng=ID]          -device virtio-serial-device",
    "  -device virtserialport,chardev=ID,name=NAME -device virtconsole,chardev=ID",
    "  -device vhost-user-fs-device,chardev=ID,tag=NAME",
    "  -netdev user,id=ID[,hostfwd=tcp:ADDRESS:PORT-:PORT], -netdev tap,id=ID,ifname=NAME,script=no",
    "  -nic user[,hostfwd=…], -nic none, -net none",
    "  -object memory-backend-memfd|rng-random,id=ID, -numa node,memdev=ID",
    "  -qmp stdio|unix:PATH[,server=on][,wait=off], -mon chardev=ID,mode=control, -monitor none",
    "  -gdb tcp::PORT|unix:PATH,server=on,wait=off, -s, -S",
    "  -name TEXT, -uuid UUID, -rtc base=utc, -action panic=exit-failure, -pidfile FILE, -daemonize",
    "",
    "Exit status: 0 when the guest powers off, resets (-no-reboot) or the machine is told to end; 81 when the guest",
    "panics, 82 when it does what no machine goes on from, 1 when something is wrong with options, files or the host.",
  ]
}
