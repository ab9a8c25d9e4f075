/// A value that cannot be copied, on the heap, so that several can hold it: it goes with the last of them.
package final class Shared<Value: ~Copyable & Sendable>: Sendable {
  /// The value itself.
  package let value: Value

  /// Takes ownership of the value.
  package init(_ value: consuming Value) {
    self.value = value
  }
}
