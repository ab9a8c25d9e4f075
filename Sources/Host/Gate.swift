internal import Glibc

/// Something that threads wait for until others have opened it: each opening lets one wait pass.
@safe
package final class Gate: @unchecked Sendable {
  // SAFETY: @unchecked: a semaphore is for any thread; it lives as long as the object, which both sides hold.

  private let semaphore: UnsafeMutablePointer<sem_t>

  package init() {
    unsafe semaphore = .allocate(capacity: 1)
    _ = unsafe sem_init(semaphore, 0, 0)
  }

  deinit {
    _ = unsafe sem_destroy(semaphore)
    unsafe semaphore.deallocate()
  }

  /// Lets one wait pass, one that there is or the next. From any thread.
  package func open() {
    _ = unsafe sem_post(semaphore)
  }

  /// Comes back when the gate has been opened once more than others have passed.
  package func wait() {
    // A kick of the vCPU's thread interrupts the call and not the wait.
    while unsafe sem_wait(semaphore) != 0 {}
  }
}
