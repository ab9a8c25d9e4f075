import Apus
import TestSupport

/// A guest that works on all of its devices and checks every byte, machine after machine: each goes on where the one
/// before it stood.
struct SnapshotLoadGuest {
  /// What each client of the server on the host gets.
  static let download: [UInt8] = (0..<1 << 16).map { UInt8(truncatingIfNeeded: $0 &* 0x9E37_79B1 >> 13) }

  /// What works side by side. Each leaves a byte in a file of its own for each piece of work.
  static let workers = ["disk", "network", "port", "entropy", "scmi", "memory"]

  private let disk: DiskImage
  private let script: DiskImage
  /// The platform's file, and what each machine's port has written.
  let folder: TemporaryFolder

  init(port: UInt16) throws {
    disk = try DiskImage(mebibytes: 16, fileSystem: "ext4")
    script = try DiskImage(script: Self.script(port: port))
    folder = try TemporaryFolder()
    let platform = #"{"sensors": [{"name": "die", "scale": -3, "value": [41000]}], "agents": [{"name": "guest"}]}"#
    try folder.write("platform.json", Array(platform.utf8))
  }

  /// Each worker does its piece of work over and over until there is a file /stop.
  ///
  /// - go N: answers when each worker has done something since.
  /// - hold: answers when nothing is written to the disk any more, until thaw.
  /// - thaw: in a new machine. A connection that the former one's passt had is nobody's, and silent where the guest
  ///   only waits for bytes.
  private static func script(port: UInt16) -> String {
    """
    stty -echo -opost
    mount -t ext4 /dev/vda /mnt && cd /mnt || exit 9
    ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2
    for n in /sys/class/virtio-ports/*/name; do p=${n%/name}; ln -s /dev/${p##*/} /dev/$(cat $n); done
    R=/sys/bus/virtio/drivers/virtio_rng; E=$(cd $R; ls -d virtio*); S=$(ls /sys/class/hwmon/hwmon*/temp1_input)
    mkdir /n /hot; for w in \(workers.joined(separator: " ")); do echo 0 >/n/$w; done
    F() { echo failed $1; touch /stop; }
    k=0; D() { k=$((k+1)); echo $k >/n/$1; }
    M() { read _ m _ </proc/meminfo; }
    until M; [ $m -gt 110000 ]; do sleep 0.2; done; total=$m
    mount -t tmpfs -o size=8M hot /hot
    get() { timeout 60 nc 10.0.2.2 \(port) </dev/null >$1; }
    get /ref; [ $(wc -c </ref) = \(download.count) ] || F first
    (n=0; until [ -e /stop ]; do n=$((n+1)); case $((n%3)) in 0) m=direct;; 1) m=map;; *) m=plain;; esac
      if [ -e /hold ]; then touch /held; while [ -e /hold ]; do sleep 0.1; done; rm /held; fi
      disk-check write $m a 1 $n >/dev/null && disk-check verify direct a 1 $n >/dev/null || F disk
      D disk; done) &
    (cd /; until [ -e /stop ]; do get /d 2>/dev/null; if cmp -s /ref /d; then D network; else
      head -c $(wc -c </d) /ref | cmp -s - /d || F "network $(wc -c </d) $(cmp /ref /d)"; fi; done) &
    (n=0; until [ -e /stop ]; do n=$((n+1)); echo $n || F port; D port; done >/dev/lines) &
    (\(LinuxGuest.onFirstCPU); until [ -e /stop ]; do
      dd if=/dev/hwrng of=/dev/null bs=512 count=8 2>/dev/null || F entropy
      echo $E >$R/unbind; echo $E >$R/bind; [ -e $R/$E ] || F reset; D entropy; done) &
    (until [ -e /stop ]; do [ "$(cat $S)" = 41000 ] || F scmi; D scmi; done) &
    (n=0; until [ -e /stop ]; do [ $((n%4)) != 0 ] || disk-check write plain /hot/f 1 $n || F memory; s=$((n/4*4))
      n=$((n+1)); disk-check verify plain /hot/f 1 $s >/dev/null || F memory; D memory; done) >/dev/null &
    dmesg -c >/dev/null
    renice -n -10 $$
    echo ready
    P() { for w in \(workers.joined(separator: " ")); do until read a </n/$w; do :; done; eval was_$w=$a; done; i=0
      for w in \(workers.joined(separator: " ")); do until read a </n/$w && eval [ $a != \\$was_$w ] || [ -e /stop ]
        do sleep 0.1; i=$((i+1)); [ $i != 600 ] || F hang-of-$w; done; done; }
    while read x y; do case $x in stop) break;; go) P; echo got $y;;
      hold) touch /hold; until [ -e /held ] || [ -e /stop ]; do sleep 0.1; done; sync; echo held;;
      thaw) rm -f /hold; killall nc 2>/dev/null; while [ -e /held ]; do sleep 0.1; done;; esac; done
    touch /stop; killall nc; wait
    M; [ $m = $total ] || F total
    for w in \(workers.joined(separator: " ")); do echo $w $(cat /n/$w); done
    cd /; umount /mnt || echo failed umount
    dmesg | grep -E 'rcu: INFO|soft lockup|blocked for more|timed out|I/O error|fs error|Call trace|WARNING|BUG' && F kernel
    exit 0
    """
  }

  /// - Parameter machine: its number, from 0.
  private func port(_ machine: Int) -> Configuration.Port {
    Configuration.Port("lines", .file(path: folder.path("lines-\(machine)")))
  }

  /// The first machine.
  func configuration() throws -> Configuration {
    var configuration = try LinuxGuest.executing("sh /dev/vdb")
    configuration.commandLine += " rcupdate.rcu_cpu_stall_timeout=10 memhp_default_state=online_movable"
    configuration.cpuCount = 4
    configuration.memorySize = 128 << 20
    var block = Configuration.Device.Block(path: disk.path)
    block.queueCount = 4
    var scriptBlock = Configuration.Device.Block(path: script.path)
    scriptBlock.isReadOnly = true
    var memory = Configuration.Device.Memory(size: 128 << 20)
    memory.initialSize = 16 << 20
    configuration.devices = [
      .init(.block(block)), .init(.block(scriptBlock)),
      .init(.network(.init(.passt(forwards: [], hostLoopback: true)))),
      .init(.console(.init(carriesConsole: false, ports: [port(0)]))), .init(.entropy),
      .init(.scmi(.init(path: folder.path("platform.json")))), .init(.memory(memory)),
    ]
    return configuration
  }

  /// A machine that goes on from a snapshot.
  func configuration(_ snapshot: MachineSnapshot, machine: Int) -> Configuration {
    var configuration = snapshot.configuration
    configuration.console = .stream
    for (index, device) in configuration.devices.enumerated() {
      guard case .console(var console) = device.kind else { continue }
      console.ports = [port(machine)]
      configuration.devices[index].kind = .console(console)
    }
    return configuration
  }

  /// The first and the last of the lines that a machine's port has written, which count up by one.
  ///
  /// - Returns: nil where they do not, and where there is none.
  func lines(machine: Int) -> ClosedRange<Int>? {
    guard let bytes = folder.read("lines-\(machine)"), bytes.last == 0x0A else { return nil }
    var (first, last, number): (Int?, Int, Int) = (nil, 0, 0)
    for byte in bytes {
      guard byte == 0x0A else {
        number = number * 10 + Int(byte) - 0x30
        continue
      }
      guard first == nil || number == last + 1 else { return nil }
      first = first ?? number
      (last, number) = (number, 0)
    }
    return first.map { $0...last }
  }
}
