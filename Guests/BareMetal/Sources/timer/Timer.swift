internal import Support
internal import Synchronization

private let taken = Atomic<UInt64>(0)
private let unexpected = Atomic<UInt64>(0)

/// Takes `count=` interrupts (10 without) of the virtual timer, 1 ms apart, and reports how many came.
@_cdecl("guest_main")
func main() {
  let console = Console()
  guard let controller = InterruptController() else {
    console.put("No GIC\n")
    Firmware().systemOff()
  }
  let wanted = BootArguments().number("count") ?? 10
  controller.start()
  controller.enable(interrupt: VirtualTimer.interrupt)
  let start = VirtualTimer.count
  for number in 0..<wanted {
    VirtualTimer.start(in: UInt32(VirtualTimer.frequency / 1000))
    while taken.load(ordering: .relaxed) == number {
      // Masked interrupts wake the vCPU as well, so none is missed between the look and the wait.
      Processor.waitForInterrupt()
      Processor.unmaskInterrupts()
      Processor.maskInterrupts()
    }
  }
  let elapsed = (VirtualTimer.count - start) * 1_000_000 / VirtualTimer.frequency
  console.put("GICv")
  console.put(decimal: controller.architecture)
  console.put(": ")
  console.put(decimal: taken.load(ordering: .relaxed))
  console.put(" timer interrupts, ")
  console.put(decimal: unexpected.load(ordering: .relaxed))
  console.put(" others, in ")
  console.put(decimal: elapsed)
  console.put(" us\n")
  Firmware().systemOff()
}

@_cdecl("guest_interrupt")
func interrupt() {
  guard let controller = InterruptController() else { return }
  let number = controller.acknowledge()
  guard number == VirtualTimer.interrupt else {
    unexpected.wrappingAdd(1, ordering: .relaxed)
    if number < 1020 { controller.end(interrupt: number) }
    return
  }
  VirtualTimer.stop()
  taken.wrappingAdd(1, ordering: .relaxed)
  controller.end(interrupt: number)
}
