/// The lengths of scalable vectors that a vCPU has: KVM_REG_ARM64_SVE_VLS.
package struct VectorLengths: Equatable, Sendable {
  /// In bytes, multiples of 16 in ascending order.
  package let bytes: [Int]

  /// The lengths, each in bytes, a multiple of 16 and at most 8192.
  package init(bytes: [Int]) {
    self.bytes = bytes.sorted()
  }

  /// What the register holds.
  ///
  /// - Parameter content: its 64 bytes.
  package init(register content: ArraySlice<UInt8>) {
    // No collection of another module's callers: their types would have to be made at run time, which takes more than
    // a restore's other steps together.
    var bytes: [Int] = []
    for index in content.indices where content[index] != 0 {
      let first = 8 * (index - content.startIndex)
      for bit in 0..<8 where content[index] & 1 << UInt8(bit) != 0 { bytes.append(16 * (first + bit + 1)) }
    }
    self.bytes = bytes
  }

  init(_ registers: RegisterSet, at index: Int) {
    self.init(register: registers.bytes[registers.place(at: index)])
  }

  /// What to write to the register before KVM_ARM_VCPU_FINALIZE: 64 bytes.
  package var register: [UInt8] {
    var content = [UInt8](repeating: 0, count: 64)
    for length in bytes {
      let bit = length / 16 - 1
      content[bit / 8] |= 1 << UInt8(bit % 8)
    }
    return content
  }

  /// Whether a host with the lengths `host` can give these and no others: KVM takes all of them up to a length.
  package func canBeGiven(by host: VectorLengths) -> Bool {
    guard let longest = bytes.last else { return false }
    return host.bytes.filter { $0 <= longest } == bytes
  }

  /// What to say where a host with other lengths cannot give these.
  package func refusal(_ host: VectorLengths) -> String {
    "needs SVE lengths \(text); this host has \(host.text)"
  }

  private var text: String { bytes.isEmpty ? "none" : bytes.map(String.init).joined(separator: ", ") }
}
