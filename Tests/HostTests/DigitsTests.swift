import Host
import Testing

@Suite struct DigitsTests {
  @Test(arguments: [0, 1, 9, 10, 99, 100, 0xFFFF, UInt64(Int64.max), .max] as [UInt64])
  func areThoseOfTheStandardLibrary(number: UInt64) {
    #expect(decimalDigits(number) == String(number))
    #expect(hexadecimalDigits(number) == String(number, radix: 16))
  }
}
