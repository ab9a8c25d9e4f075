internal import Support
internal import Synchronization

private let isFinished = Atomic<Bool>(false)

/// Sends back what the PL011 receives, by interrupt, until a `q` comes.
@_cdecl("guest_main")
func main() {
  let console = Console()
  let device = DeviceTree.current.firstNode(compatibleWith: "arm,pl011")
  guard let controller = InterruptController(), let number = device?.interrupt else {
    console.put("No GIC or no interrupt of the PL011\n")
    Firmware().systemOff()
  }
  controller.start()
  controller.enable(interrupt: number)
  console.enableReceiveInterrupts()
  console.put("Echo\n")
  while !isFinished.load(ordering: .relaxed) {
    // Masked interrupts wake the vCPU as well, so none is missed between the look and the wait.
    Processor.waitForInterrupt()
    Processor.unmaskInterrupts()
    Processor.maskInterrupts()
  }
  console.put("\nBye\n")
  Firmware().systemOff()
}

@_cdecl("guest_interrupt")
func interrupt() {
  guard let controller = InterruptController() else { return }
  let number = controller.acknowledge()
  let console = Console()
  while let character = console.get() {
    if character == 0x71 { isFinished.store(true, ordering: .relaxed) } else { console.put(character) }
  }
  if number < 1020 { controller.end(interrupt: number) }
}
