internal import Support

/// Never ends: it waits for interrupts that do not come, or with the boot argument `busy` keeps the vCPU busy, or with
/// `flood` writes to its console. With `leave` it writes some lines and powers off.
@_cdecl("guest_main")
func main() {
  let isBusy = BootArguments().contains("busy")
  if BootArguments().contains("leave") {
    // Less than waits behind the PL011 for a reader: the guest need not.
    for _ in 0..<200 { Console().put("A line of a guest that leaves\n") }
    Firmware().systemOff()
  }
  while BootArguments().contains("flood") { Console().put("A line of a guest that writes without end\n") }
  Console().put(isBusy ? "Spinning\n" : "Waiting\n")
  while true {
    if !isBusy { Processor.waitForInterrupt() }
  }
}
