internal import Support

/// Never ends: it waits for interrupts that do not come, or with the boot argument `busy` keeps the vCPU busy.
@_cdecl("guest_main")
func main() {
  let isBusy = BootArguments().contains("busy")
  Console().put(isBusy ? "Spinning\n" : "Waiting\n")
  while true {
    if !isBusy { Processor.waitForInterrupt() }
  }
}
