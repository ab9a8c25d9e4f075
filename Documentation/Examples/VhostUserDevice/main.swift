import Glibc
import VhostUser
import Virtio

/// A source of entropy that throws a die: each byte that a guest reads of /dev/hwrng is 1 to 6.
///
/// QEMU shows it to its guest:
///
///     vhost-user-die die.sock &
///     qemu-system-aarch64 -machine virt,memory-backend=ram … \
///       -object memory-backend-memfd,id=ram,size=512M,share=on \
///       -chardev socket,path=die.sock,id=die -device vhost-user-rng-pci,chardev=die
final class Die: VhostUserService {
  let name = "die"
  let identifier = VirtioDeviceIdentifier.entropy

  func answer(_ request: [UInt8], queue: Int, room: Int) -> [UInt8] {
    (0..<min(room, 4096)).map { _ in UInt8.random(in: 1...6) }
  }
}

let words = CommandLine.arguments
guard words.count == 2 else {
  print("usage: vhost-user-die SOCKET")
  exit(64)
}
do {
  try VhostUserServer.serve(Die(), at: words[1])
} catch {
  print("\(error)")
  exit(1)
}
