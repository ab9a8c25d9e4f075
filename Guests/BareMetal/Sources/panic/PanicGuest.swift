internal import Support

/// Reports a panic, or the events of the boot argument `events=`, and powers off if it is let live.
@_cdecl("guest_main")
func main() {
  let console = Console()
  let events = UInt8(truncatingIfNeeded: BootArguments().number("events") ?? 1)
  if let known = Panic.report(events) {
    console.put("pvpanic knows ")
    console.put(hexadecimal: UInt64(known))
    console.put("\n")
  } else {
    console.put("No pvpanic\n")
  }
  Firmware().systemOff()
}
