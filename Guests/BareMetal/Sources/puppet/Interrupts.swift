internal import Support
internal import Synchronization

/// Nothing of the device tree is looked for in a handler.
///
// SAFETY: written once, before interrupts are unmasked and other vCPUs start.
nonisolated(unsafe) private var controller: InterruptController?
nonisolated(unsafe) private var console: Console?
nonisolated(unsafe) private var consoleInterrupt: UInt32 = 1023

/// Counts what comes, and waits for it.
enum Interrupts {
  /// Looks for controller and console, and lets the vCPU that calls take interrupts.
  static func start(console device: Console?, interrupt: UInt32?) {
    // SAFETY: no other vCPU runs yet, and interrupts are masked.
    unsafe controller = InterruptController()
    if let device, let interrupt {
      // SAFETY: as above.
      unsafe console = device
      unsafe consoleInterrupt = interrupt
    }
    startOther()
    guard let controller = current, let interrupt else { return }
    controller.enable(interrupt: interrupt)
  }

  /// Lets a further vCPU take its own interrupts.
  static func startOther() {
    guard let controller = current else { return }
    controller.start()
    controller.enable(interrupt: VirtualTimer.interrupt)
  }

  private static var current: InterruptController? {
    // SAFETY: written once, before anybody else reads.
    unsafe controller
  }

  /// Lets a shared interrupt through to the vCPU that calls.
  static func enable(_ number: UInt32, isEdge: Bool) -> Bool {
    guard let controller = current, number < 1020 else { return false }
    if isEdge, number >= 32 { controller.setEdge(number) }
    controller.enable(interrupt: number)
    return true
  }

  private static func register(_ number: UInt32) -> DeviceRegister {
    DeviceRegister(Memory.interruptCounts + 8 * UInt(number & 1023))
  }

  static func count(of number: UInt32) -> UInt64 { register(number).read64() }

  /// Waits for an interrupt, whichever, for this time at most. Without a controller it does not wait.
  static func wait(milliseconds: UInt64) {
    guard current != nil else { return }
    // SAFETY: as for current.
    unsafe console?.enableReceiveInterrupts()
    VirtualTimer.start(in: UInt32(truncatingIfNeeded: VirtualTimer.frequency / 1000 * milliseconds))
    // Masked interrupts wake the vCPU as well, so none is missed between a look before and the wait.
    Processor.waitForInterrupt()
    Processor.unmaskInterrupts()
    Processor.maskInterrupts()
    VirtualTimer.stop()
  }

  /// Waits until an interrupt has come more often than this, however long that takes, and sets no timer: how often it
  /// has come.
  static func wait(for number: UInt32, toExceed seen: UInt64) -> UInt64 {
    poll()
    while count(of: number) <= seen {
      Processor.waitForInterrupt()
      poll()
    }
    return count(of: number)
  }

  /// Takes what pends.
  static func poll() {
    Processor.unmaskInterrupts()
    Processor.maskInterrupts()
  }

  static func take() {
    guard let controller = current else { return }
    let number = controller.acknowledge()
    guard number < 1020 else { return }
    if number == VirtualTimer.interrupt {
      VirtualTimer.stop()
    } else {
      // SAFETY: as for current.
      unsafe number == consoleInterrupt ? console?.disableInterrupts() : ()
      register(number).write64(register(number).read64() + 1)
    }
    controller.end(interrupt: number)
  }
}

@_cdecl("guest_interrupt")
func interrupt() { Interrupts.take() }
