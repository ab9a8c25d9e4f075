internal import Glibc

/// A file descriptor that is closed when its owner goes.
package struct OwnedDescriptor: ~Copyable, Sendable {
  /// The number, for calls that borrow it.
  package let rawValue: Int32

  /// Takes ownership of an open descriptor.
  package init(owning rawValue: Int32) {
    precondition(rawValue >= 0, "a descriptor that is open is not negative")
    self.rawValue = rawValue
  }

  /// Gives the descriptor away: it stays open, and is the caller's to close.
  package consuming func release() -> Int32 {
    let number = rawValue
    discard self
    return number
  }

  deinit {
    close(rawValue)
  }
}
